"""Jobs as rows: each change is one statement that says what must still be so, whoever else asks.

An attempt is fenced by its number: a worker that was given up finds no row to report to. Not here:
where the rows are (sqlite, postgres), what is told to people of them (board).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import msgspec

from holdfast.errors import ConfigError
from holdfast.platform.jobs.port import Job, JobState, Page

T = TypeVar("T")

_NOTE: Final = 200
_ERROR: Final = 2000

# Each step leads from one layout to the next; what was released is never edited.
_LAYOUTS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE job (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, parent TEXT NOT NULL,
            state TEXT NOT NULL, input TEXT NOT NULL, result TEXT NOT NULL, files TEXT NOT NULL,
            error TEXT NOT NULL, progress DOUBLE PRECISION NOT NULL, note TEXT NOT NULL,
            attempt BIGINT NOT NULL, failures BIGINT NOT NULL, attempts_allowed BIGINT NOT NULL,
            cancelling BIGINT NOT NULL, created_at_ns BIGINT NOT NULL, started_at_ns BIGINT,
            ended_at_ns BIGINT, worker TEXT NOT NULL, beats BIGINT NOT NULL, parts BIGINT NOT NULL,
            not_before_ns BIGINT NOT NULL, sent_at_ns BIGINT NOT NULL
        )
        """,
        "CREATE INDEX job_open ON job (created_at_ns, id) WHERE ended_at_ns IS NULL",
        "CREATE INDEX job_newest ON job (parent, created_at_ns, id)",
        "CREATE INDEX job_owner ON job (owner, created_at_ns, id)",
    ),
)

_COLUMNS: Final = (
    "id, kind, owner, parent, state, input, result, files, error, progress, note, attempt, "
    "failures, attempts_allowed, cancelling, created_at_ns, started_at_ns, ended_at_ns"
)
_ALL: Final = f"{_COLUMNS}, worker, beats, parts, not_before_ns, sent_at_ns"
_KEEP: Final = f"""
    INSERT INTO job ({_ALL}) VALUES ({", ".join("?" * len(_ALL.split(", ")))})
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608
_AT_ONCE: Final = 100
# A page of jobs is for looking at: their results may be some megabytes each.
_LISTED: Final = _COLUMNS.replace(" result,", " '' AS result,")
_INSERT: Final = f"""
    INSERT INTO job ({_ALL})
    VALUES (?, ?, ?, ?, 'queued', ?, '', '{{}}', '', 0, '', 0, 0, ?, 0, ?, NULL, NULL,
            '', 0, -1, 0, 0)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - names of ours, as in all that follow
# A job whose parts have all ended waits for a worker again: `worker` is empty, the state stays.
_IS_READY: Final = """
    (j.state = 'queued' AND j.not_before_ns <= ?
     OR j.state = 'running' AND j.worker = '' AND NOT EXISTS
        (SELECT 1 FROM job p WHERE p.parent = j.id AND p.ended_at_ns IS NULL))
"""
# Owners take turns: who has fewer under way comes first.
_CLAIM: Final = f"""
    UPDATE job SET state = 'running', attempt = attempt + 1, beats = 0, worker = ?,
        progress = CASE WHEN parts < 0 THEN 0 ELSE progress END,
        started_at_ns = coalesce(started_at_ns, ?)
    WHERE id = (
        SELECT j.id FROM job j WHERE j.ended_at_ns IS NULL AND {_IS_READY} AND (? = '' OR j.id = ?)
        ORDER BY (SELECT count(*) FROM job r WHERE r.ended_at_ns IS NULL AND r.owner = j.owner
                  AND r.worker <> ''), j.created_at_ns, j.id
        LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING {_COLUMNS}, parts
"""  # noqa: S608
_BEAT: Final = """
    UPDATE job SET beats = beats + 1, progress = ?, note = ?
    WHERE id = ? AND attempt = ? AND worker <> '' AND ended_at_ns IS NULL RETURNING cancelling
"""
_END: Final = """
    UPDATE job SET state = ?, result = ?, files = ?, error = ?, ended_at_ns = ?, worker = '',
        note = '',
        progress = CASE WHEN ? = 'done' THEN 1.0 ELSE progress END
    WHERE id = ? AND attempt = ? AND worker <> '' AND ended_at_ns IS NULL RETURNING parent
"""
# What ended without a result: cancelled if that was wished, failed if it was the last try.
_ENDS: Final = """
    state = CASE WHEN cancelling = 1 THEN 'cancelled'
        WHEN failures + 1 >= attempts_allowed THEN 'failed' ELSE 'queued' END,
    ended_at_ns = CASE WHEN cancelling = 1 OR failures + 1 >= attempts_allowed THEN ? ELSE NULL END,
    failures = failures + 1, error = ?, not_before_ns = ?, worker = '', note = '', sent_at_ns = 0
"""
_GIVE_UP: Final = f"""
    UPDATE job SET {_ENDS}
    WHERE id = ? AND attempt = ? AND (? < 0 OR beats = ?) AND worker <> ''
        AND ended_at_ns IS NULL
    RETURNING parent
"""  # noqa: S608
_RELEASE: Final = """
    UPDATE job SET state = CASE WHEN parts < 0 THEN 'queued' ELSE 'running' END, worker = '',
        sent_at_ns = 0
    WHERE id = ? AND attempt = ? AND worker <> '' AND ended_at_ns IS NULL RETURNING id
"""
_SPLIT: Final = """
    UPDATE job SET parts = ?, worker = '', note = '', sent_at_ns = 0
    WHERE id = ? AND attempt = ? AND worker <> '' AND cancelling = 0 AND ended_at_ns IS NULL
    RETURNING owner, created_at_ns
"""
_CANCEL: Final = """
    UPDATE job SET cancelling = 1,
        state = CASE WHEN worker = '' THEN 'cancelled' ELSE state END,
        ended_at_ns = CASE WHEN worker = '' THEN ? ELSE NULL END
    WHERE (id = ? OR parent = ?) AND ended_at_ns IS NULL
"""
_JOIN_PROGRESS: Final = """
    UPDATE job SET progress = (
        SELECT avg(CASE WHEN p.ended_at_ns IS NULL THEN p.progress ELSE 1.0 END)
        FROM job p WHERE p.parent = job.id)
    WHERE id = ? AND worker = '' AND ended_at_ns IS NULL
"""
_SEND: Final = f"""
    UPDATE job SET sent_at_ns = ? WHERE id IN (
        SELECT j.id FROM job j WHERE j.ended_at_ns IS NULL AND j.sent_at_ns < ? AND {_IS_READY}
        ORDER BY j.created_at_ns, j.id LIMIT 1000)
    RETURNING id
"""  # noqa: S608


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be kept."""

    id: str
    kind: str
    owner: str
    input: str
    attempts_allowed: int
    parent: str = ""


class Claimed(msgspec.Struct, frozen=True):
    """A job that a worker has in its hands.

    Attributes:
        is_split: its parts have ended, and are to be put together.
    """

    job: Job
    is_split: bool


class Beating(msgspec.Struct, frozen=True):
    """An attempt that a worker is at, and how often it has said so."""

    id: str
    attempt: int
    beats: int


class Session(Protocol):
    """One transaction, with `?` for each parameter."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Any:
        """Run one statement; what it returns has `fetchall`."""
        ...


class JobRows(ABC):
    """The rows of one database. Each method is one transaction, and may be called from any thread.

    Each may raise ConfigError (wrong address, a newer layout), RetryableError (not now; nothing
    was changed) and CorruptionError.
    """

    @abstractmethod
    def close(self) -> None:
        """Release the database; may be called twice."""

    @abstractmethod
    def _run(self, steps: Callable[[Session], T]) -> T:
        """Run `steps` as one transaction; they may be run twice."""

    def add(self, jobs: Sequence[NewJob], now_ns: int) -> None:
        """Keep those whose id is new."""
        self._run(lambda session: _insert(session, jobs, now_ns))

    def get(self, job_id: str) -> Job | None:
        """One job."""
        found = self._rows(f"SELECT {_COLUMNS} FROM job WHERE id = ?", (job_id,))  # noqa: S608
        return _job(found[0]) if found else None

    def find(
        self,
        *,
        owner: str | None,
        kind: str | None,
        states: Sequence[JobState],
        parent: str | None,
        after: Page | None,
        limit: int,
    ) -> list[Job]:
        """See `Jobs.list`."""
        where: list[str] = ["1 = 1"]
        values: list[object] = []
        for column, wanted in (("owner", owner), ("kind", kind), ("parent", parent)):
            if wanted is not None:
                where.append(f"{column} = ?")
                values.append(wanted)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            values += [state.value for state in states]
        if after is not None:
            where.append("(created_at_ns < ? OR created_at_ns = ? AND id < ?)")
            values += [after.created_at_ns, after.created_at_ns, after.id]
        found = self._rows(
            f"SELECT {_LISTED} FROM job WHERE {' AND '.join(where)} "  # noqa: S608
            "ORDER BY created_at_ns DESC, id DESC LIMIT ?",
            (*values, limit),
        )
        return [_job(row) for row in found]

    def parts_of(self, job_id: str) -> list[Job]:
        """All parts of a job, in their order."""
        found = self._rows(
            f"SELECT {_COLUMNS} FROM job WHERE parent = ? ORDER BY created_at_ns, id",  # noqa: S608
            (job_id,),
        )
        return [_job(row) for row in found]

    def open_of(self, owner: str) -> int:
        """How many jobs of an owner have not ended, parts not counted."""
        found = self._rows(
            "SELECT count(*) FROM job WHERE owner = ? AND parent = '' AND ended_at_ns IS NULL",
            (owner,),
        )
        return int(found[0][0])

    def counts(self) -> dict[JobState, int]:
        """How many are in each state."""
        found = dict(self._rows("SELECT state, count(*) FROM job GROUP BY state"))
        return {state: int(found.get(state.value, 0)) for state in JobState}

    def cancel(self, job_id: str, now_ns: int) -> None:
        """See `Jobs.cancel`."""
        self._rows(_CANCEL, (now_ns, job_id, job_id))

    def claim(self, worker: str, now_ns: int, job_id: str = "") -> Claimed | None:
        """Take the next job that is ready, or the one named; None when there is none."""
        found = self._rows(_CLAIM, (worker, now_ns, now_ns, job_id, job_id))
        return Claimed(_job(found[0]), found[0][-1] >= 0) if found else None

    def beat(self, job_id: str, attempt: int, progress: float, note: str) -> bool | None:
        """Say that the attempt goes on; whether it is to stop, None when it was given up."""
        found = self._rows(_BEAT, (progress, _clean(note, _NOTE), job_id, attempt))
        return bool(found[0][0]) if found else None

    def end(
        self,
        job_id: str,
        attempt: int,
        state: JobState,
        now_ns: int,
        *,
        result: str = "",
        files: str = "{}",
        error: str = "",
    ) -> bool:
        """Say what came of it, for good; False when the attempt was given up meanwhile."""
        values = (
            state.value, result, files, _clean(error, _ERROR), now_ns, state.value, job_id, attempt,
        )  # fmt: skip
        return self._ended(_END, values)

    def give_up(
        self,
        job_id: str,
        attempt: int,
        now_ns: int,
        *,
        error: str,
        again_at_ns: int,
        beats: int = -1,
    ) -> bool:
        """End an attempt without a result: the job is tried again, or that was its last try.

        Args:
            beats: only if it has not said anything since; -1 in any case.
        """
        values = (now_ns, _clean(error, _ERROR), again_at_ns, job_id, attempt, beats, beats)
        return self._ended(_GIVE_UP, values)

    def release(self, job_id: str, attempt: int) -> bool:
        """Hand it back, as if it had not been begun."""
        return bool(self._rows(_RELEASE, (job_id, attempt)))

    def split(self, job_id: str, attempt: int, parts: Sequence[NewJob], now_ns: int) -> bool:
        """Have its parts done first; False when the attempt was given up or is to stop."""

        def steps(session: Session) -> bool:
            done = session.execute(_SPLIT, (len(parts), job_id, attempt)).fetchall()
            if done:
                _insert(session, parts, now_ns)
            return bool(done)

        return self._run(steps)

    def beating(self) -> list[Beating]:
        """What workers are at."""
        found = self._rows(
            "SELECT id, attempt, beats FROM job WHERE ended_at_ns IS NULL AND worker <> ''"
        )
        return [Beating(*row) for row in found]

    def send(self, now_ns: int, before_ns: int) -> list[str]:
        """What is ready and was not sent since `before_ns`; from now on it was."""
        return [row[0] for row in self._rows(_SEND, (now_ns, before_ns, now_ns))]

    def send_one(self, job_id: str, now_ns: int) -> list[str]:
        """Note that a new job is being sent; it, unless somebody else did so."""
        found = self._rows(
            "UPDATE job SET sent_at_ns = ? WHERE id = ? AND sent_at_ns = 0 RETURNING id",
            (now_ns, job_id),
        )
        return [row[0] for row in found]

    def copy_from(self, other: JobRows) -> int:
        """Keep what another database has and this one has not, as it is; how many it has."""
        after, count = "", 0
        statement = f"SELECT {_ALL} FROM job WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
        while rows := other._rows(statement, (after, _AT_ONCE)):
            self._run(partial(_keep, rows))
            after, count = rows[-1][0], count + len(rows)
        return count

    def forget(self, before_ns: int, owner: str | None = None) -> list[str]:
        """Remove what has ended before, of one owner or of all, and name it."""
        found = self._rows(
            "DELETE FROM job WHERE ended_at_ns < ? AND (? = '' OR owner = ?) AND NOT EXISTS "
            "(SELECT 1 FROM job p WHERE p.id = job.parent AND p.ended_at_ns IS NULL) RETURNING id",
            (before_ns, owner or "", owner or ""),
        )
        return [row[0] for row in found]

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        def steps(session: Session) -> list[Any]:
            answer = session.execute(statement, values)
            return list(answer.fetchall()) if answer.description else []

        return self._run(steps)

    def _ended(self, statement: str, values: Sequence[object]) -> bool:
        def steps(session: Session) -> bool:
            found = session.execute(statement, values).fetchall()
            if found and found[0][0]:
                session.execute(_JOIN_PROGRESS, (found[0][0],))
            return bool(found)

        return self._run(steps)


def make_tables(name: object, session: Session, version: int) -> None:
    """Bring the tables from a layout to that of this program.

    Args:
        version: of what is there; 0 without any.

    Raises:
        ConfigError: a newer program made them.
    """
    if version > len(_LAYOUTS):
        raise ConfigError(
            f"seen: {name} has jobs of layout {version}; expected: at most {len(_LAYOUTS)}; do: "
            "start the newer version of holdfast that made them"
        )
    for statements in _LAYOUTS[version:]:
        for statement in statements:
            session.execute(statement)
    if version < len(_LAYOUTS):
        session.execute("DELETE FROM job_layout")
        session.execute("INSERT INTO job_layout (version) VALUES (?)", (len(_LAYOUTS),))


def _insert(session: Session, jobs: Sequence[NewJob], now_ns: int) -> None:
    for at, one in enumerate(jobs):
        # Parts keep their order: each is a nanosecond younger than the one before.
        session.execute(
            _INSERT,
            (one.id, one.kind, one.owner, one.parent, one.input, one.attempts_allowed, now_ns + at),
        )


def _keep(rows: Sequence[Sequence[Any]], session: Session) -> None:
    for row in rows:
        session.execute(_KEEP, tuple(row))


def _job(row: Sequence[Any]) -> Job:
    known = dict(zip(_COLUMNS.split(", "), row, strict=False))
    known["state"] = JobState(known["state"])
    known["files"] = msgspec.json.decode(known["files"], type=dict[str, str])
    known["is_cancelling"] = bool(known.pop("cancelling")) and known["ended_at_ns"] is None
    return Job(**known)


def _clean(text: str, most: int) -> str:
    """Text that every database takes, and not more of it than a person reads."""
    kept = text.replace("\0", "\ufffd").encode(errors="replace").decode()
    return kept if len(kept) <= most else f"{kept[: most - 1]}…"
