"""What jobs promise wherever their rows are: asking, claiming, fencing, parts, cancelling.

Not here: workers (tests/integration/platform).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from holdfast.errors import ConfigError, RejectedError
from holdfast.platform.jobs.attempt import Times
from holdfast.platform.jobs.board import MOST_OPEN, SYSTEM, Board
from holdfast.platform.jobs.planned import Plan, Planned
from holdfast.platform.jobs.port import MOST_INPUT_BYTES, Job, JobState, Page
from holdfast.platform.jobs.postgres import PostgresJobs
from holdfast.platform.jobs.rows import JobRows, NewJob
from holdfast.platform.jobs.sqlite import SqliteJobs
from holdfast.platform.jobs.watch import Watch
from tests.support.job_functions import KINDS
from tests.support.postgres import database

ADD = b'{"b": 2, "a": 1}'


def test_what_another_database_has_is_kept_as_it_is_and_only_once(tmp_path: Path) -> None:
    before, after = (SqliteJobs(tmp_path / name) for name in ("before", "after"))
    try:
        before.add([NewJob(id=f"{n:03}", kind="add", owner="ada", input="{}", attempts_allowed=2)
                    for n in range(203)], 7)  # fmt: skip
        claimed = before.claim("w", 8, "007")
        assert claimed is not None
        before.end("007", claimed.job.attempt, JobState.DONE, 9, result="3")
        assert after.copy_from(before) == 203
        after.cancel("000", 10)
        assert after.copy_from(before) == 203, "run again, it changes nothing"
        assert after.get("007") == before.get("007")
        assert after.counts() == {**before.counts(), JobState.QUEUED: 201, JobState.CANCELLED: 1}
    finally:
        before.close()
        after.close()


class Place:
    """One database, opened as often as a test likes."""

    def __init__(self, opened: Callable[[], JobRows], stack: ExitStack) -> None:
        self._opened, self._stack = opened, stack
        self.now_ns = 1_000
        self.rows = self.open()
        self.board = Board(self.rows, KINDS, now_ns=self._tick)

    def open(self) -> JobRows:
        rows = self._opened()
        self._stack.callback(rows.close)
        return rows

    def _tick(self) -> int:
        self.now_ns += 1_000
        return self.now_ns

    def submit(self, job_id: str, owner: str = "ada", kind: str = "add") -> Job:
        return self.board.submit(kind, ADD, job_id=job_id, owner=owner)

    def claim(self, worker: str = "w") -> Job:
        claimed = self.rows.claim(worker, self._tick())
        assert claimed is not None
        return claimed.job

    def job(self, job_id: str = "a") -> Job:
        found = self.board.get(job_id)
        assert found is not None
        return found


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield Place(lambda: SqliteJobs(tmp_path / "journal.db.jobs"), stack)
            return
        url = stack.enter_context(database())
        yield Place(lambda: PostgresJobs(url), stack)


def test_a_job_is_kept_as_it_was_asked_for(place: Place) -> None:
    job = place.submit("a")
    assert (job.id, job.kind, job.owner, job.state) == ("a", "add", "ada", JobState.QUEUED)
    assert job.input == '{"a":1,"b":2}'
    assert (job.progress, job.attempt, job.parent, job.result) == (0, 0, "", "")
    assert place.board.get("b") is None


def test_an_id_is_of_one_job_whatever_order_its_words_have(place: Place) -> None:
    place.submit("a")
    again = place.board.submit("add", b'{"a": 1, "b": 2}', job_id="a", owner="ada")
    assert again.created_at_ns == place.job().created_at_ns
    other = b'{"a":2,"b":2}'
    others = [("add", ADD, "eve"), ("many", b'{"count": 1}', "ada"), ("add", other, "ada")]
    for kind, given, owner in others:
        with pytest.raises(RejectedError, match="job-exists"):
            place.board.submit(kind, given, job_id="a", owner=owner)


@pytest.mark.parametrize(
    ("kind", "given", "job_id", "told"),
    [
        ("add", b"{", "a", "an input of add"),
        ("add", b'{"a": 1}', "a", "missing required field `b`"),
        ("add", b'{"a": 1, "b": "2"}', "a", "Expected `int`"),
        ("add", b'{"a": 1, "b": 2, "c": 3}', "a", "unknown field `c`"),
        ("add", b'{"a": 1, "b": "\xff"}', "a", "an input of add"),
        ("add", b"[" * 60_000, "a", "an input of add"),
        ("add", b" " * (MOST_INPUT_BYTES + 1), "a", "at most 65,536"),
        ("none", ADD, "a", "expected: one of"),
        ("inner", ADD, "a", "expected: one of"),
        ("add", ADD, "../a", "the job id"),
        ("add", ADD, "a\n", "the job id"),
        ("add", ADD, "a:1", "the job id"),
        ("add", ADD, "", "the job id"),
        ("add", ADD, "a" * 101, "the job id"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_is_kept(
    place: Place, kind: str, given: bytes, job_id: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        place.board.submit(kind, given, job_id=job_id, owner="ada")
    assert sum(place.rows.counts().values()) == 0


def test_one_owner_cannot_fill_the_queue(place: Place) -> None:
    place.rows.add(
        [NewJob(id=f"n{n}", kind="add", owner="ada", input="{}", attempts_allowed=1)
         for n in range(MOST_OPEN)], 1,
    )  # fmt: skip
    with pytest.raises(RejectedError, match="too-many-jobs"):
        place.submit("a")
    place.submit("b", owner="eve")
    place.board.cancel("n0")
    place.submit("a")


def test_jobs_are_listed_newest_first_page_by_page(place: Place) -> None:
    for number in range(5):
        place.submit(f"n{number}", owner="eve" if number == 2 else "ada")
    place.board.cancel("n0")
    first = place.board.list(limit=2)
    assert [job.id for job in first] == ["n4", "n3"]
    after = Page(first[-1].created_at_ns, first[-1].id)
    assert [job.id for job in place.board.list(after=after)] == ["n2", "n1", "n0"]
    assert [job.id for job in place.board.list(owner="eve")] == ["n2"]
    assert [job.id for job in place.board.list(states=[JobState.CANCELLED])] == ["n0"]
    assert place.board.list(kind="many") == []
    assert place.rows.counts()[JobState.QUEUED] == 4


def test_words_that_look_like_sql_are_words(place: Place) -> None:
    evil = "x'; DROP TABLE job; --"
    place.submit("a", owner=evil)
    assert place.board.list(owner=evil)[0].owner == evil
    job = place.claim(evil)
    assert place.rows.beat("a", job.attempt, 0.5, "0\0 % ? %s\ud800 ") is False
    assert place.job().note == "0\ufffd % ? %s? "


def test_owners_take_turns(place: Place) -> None:
    for number in range(3):
        place.submit(f"a{number}", owner="ada")
    place.submit("e0", owner="eve")
    assert [place.claim().id for _ in range(4)] == ["a0", "e0", "a1", "a2"]
    assert place.rows.claim("w", 10**18) is None


def test_of_many_who_claim_at_once_each_gets_another(place: Place) -> None:
    for number in range(20):
        place.submit(f"n{number}")

    def claimed(worker: int) -> list[str]:
        rows, found = place.open(), []
        while (one := rows.claim(str(worker), 10**18)) is not None:
            found.append(one.job.id)
        return found

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for some in pool.map(claimed, range(4)) for job_id in some]
    assert sorted(taken) == sorted(f"n{number}" for number in range(20))


def test_only_the_newest_attempt_may_report(place: Place) -> None:
    place.submit("a")
    old = place.claim().attempt
    assert place.rows.give_up("a", old, 5, error="gone", again_at_ns=0)
    new = place.claim().attempt
    assert new == old + 1
    assert place.rows.beat("a", old, 0.9, "") is None
    assert not place.rows.end("a", old, JobState.DONE, 6, result="1")
    assert not place.rows.give_up("a", old, 6, error="", again_at_ns=0)
    assert not place.rows.release("a", old)
    assert not place.rows.split("a", old, [], 6)
    place.rows.beat("a", new, 0.9, "nearly")
    assert place.rows.end("a", new, JobState.DONE, 7, result="2")
    assert not place.rows.end("a", new, JobState.FAILED, 8)
    job = place.job()
    assert (job.result, job.ended_at_ns, job.progress, job.note) == ("2", 7, 1.0, "")
    assert [(one.id, one.result) for one in place.board.list()] == [("a", "")]


def test_tries_are_bounded_and_wait_for_their_time(place: Place) -> None:
    place.submit("a")
    for failure in (1, 2, 3):
        attempt = place.claim().attempt
        again_at_ns = place.now_ns + 10_000
        assert place.rows.give_up("a", attempt, 5, error=f"e{failure}", again_at_ns=again_at_ns)
        assert place.rows.claim("w", place.now_ns) is None
        place.now_ns += 20_000
    job = place.job()
    assert (job.state, job.failures, job.error, job.ended_at_ns) == (JobState.FAILED, 3, "e3", 5)


def test_who_says_nothing_for_long_enough_is_given_up_and_nobody_else(place: Place) -> None:
    for name in ("silent", "alive"):
        place.submit(name)
    attempts = {job.id: job.attempt for job in (place.claim(), place.claim())}
    now_s = 100.0
    watch = Watch(place.rows, 20.0, lambda: now_s)
    for _ in range(5):
        watch.look()
        now_s += 6.0
        place.rows.beat("alive", attempts["alive"], 0.1, "")
    assert place.job("alive").state is JobState.RUNNING
    assert (place.job("silent").state, place.job("silent").failures) == (JobState.QUEUED, 1)
    assert "said nothing for 20 s" in place.job("silent").error


def test_parts_come_first_and_then_the_whole(place: Place) -> None:
    place.submit("a")
    attempt = place.claim().attempt
    parts = [
        NewJob(id=f"a:{n}", kind="add", owner="ada", input="{}", attempts_allowed=1, parent="a")
        for n in (1, 2)
    ]
    assert place.rows.split("a", attempt, parts, place.now_ns)
    assert [job.id for job in place.board.list()] == ["a"]
    one, two = place.claim(), place.claim()
    assert (one.id, two.id) == ("a:1", "a:2")
    place.rows.end("a:1", one.attempt, JobState.DONE, 5)
    assert (place.job().state, place.job().progress) == (JobState.RUNNING, 0.5)
    assert place.rows.claim("w", place.now_ns) is None
    place.rows.end("a:2", two.attempt, JobState.FAILED, 5)
    whole = place.rows.claim("w", place.now_ns)
    assert whole is not None
    assert (whole.job.id, whole.is_split, whole.job.progress) == ("a", True, 1.0)
    # Handed back, it is the whole that is ready again, and not its parts.
    place.rows.release("a", whole.job.attempt)
    again = place.rows.claim("w", place.now_ns)
    assert again is not None
    assert again.is_split


def test_cancelling_a_whole_cancels_its_parts(place: Place) -> None:
    place.submit("a")
    parts = [
        NewJob(id=f"a:{n}", kind="add", owner="ada", input="{}", attempts_allowed=1, parent="a")
        for n in (1, 2)
    ]
    place.rows.split("a", place.claim().attempt, parts, place.now_ns)
    at_work = place.claim()
    assert place.board.cancel("a") is not None
    assert [place.job(one).state.value for one in ("a", "a:1", "a:2")] == [
        "cancelled", "running", "cancelled",
    ]  # fmt: skip
    assert place.rows.beat(at_work.id, at_work.attempt, 0, "") is True
    assert place.rows.give_up(at_work.id, at_work.attempt, 9, error="", again_at_ns=0)
    assert place.job("a:1").state is JobState.CANCELLED
    assert place.board.cancel("none") is None


def test_what_has_ended_cannot_be_cancelled(place: Place) -> None:
    place.submit("a")
    place.rows.end("a", place.claim().attempt, JobState.DONE, 5, result="1")
    job = place.board.cancel("a")
    assert job is not None
    assert (job.state, job.result, job.is_cancelling) == (JobState.DONE, "1", False)


def test_what_is_ready_is_sent_once_until_it_seems_lost(place: Place) -> None:
    place.submit("told")  # while it was asked for
    place.rows.add([NewJob(id="new", kind="add", owner="a", input="{}", attempts_allowed=1)], 1)
    assert place.rows.send(50, 1) == ["new"]
    assert place.rows.send(60, 1) == []
    assert sorted(place.rows.send(10**9, 10**9)) == ["new", "told"]
    place.claim()
    assert len(place.rows.send(10**10, 10**10)) == 1


def test_old_jobs_are_forgotten_with_their_parts_and_open_ones_never(place: Place) -> None:
    for name in ("old", "open"):
        place.submit(name)
    place.rows.end("old", place.claim().attempt, JobState.DONE, 5)
    assert place.rows.forget(6, "eve") == []
    assert place.rows.forget(5) == []
    assert place.rows.forget(6) == ["old"]
    assert [job.id for job in place.board.list()] == ["open"]


def test_a_slot_is_planned_once_by_however_many(place: Place) -> None:
    now_s = 7_000.0
    planned = [Planned(kind="inner", every_s=3600, at_s=60, given='{"marks":"{slot}"}')]
    plans = [Plan(place.board, planned, lambda: now_s) for _ in range(2)]
    for _ in range(3):
        for plan in plans:
            plan.ask()
        now_s += 100.0
    now_s += 10_000.0
    plans[0].ask()
    found = place.board.list(owner=SYSTEM)
    assert [job.id for job in found] == [
        "inner:1970-01-01T04:00:00Z", "inner:1970-01-01T01:00:00Z",
    ]  # fmt: skip
    assert msgspec.json.decode(found[0].input)["marks"] == found[0].id.partition(":")[2]


def test_a_slot_that_was_asked_for_in_other_words_is_left_out(place: Place) -> None:
    for words in ("one", "other"):
        planned = [Planned(kind="inner", every_s=3600, given=f'{{"marks":"{words}"}}')]
        Plan(place.board, planned, lambda: 0.0).ask()
    (job,) = place.board.list(owner=SYSTEM)
    assert '"marks":"one"' in job.input


def test_times_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        Times(beat_s=3, gone_s=10)


def test_a_newer_layout_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "jobs"
    SqliteJobs(file).counts()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE job_layout SET version = 9")
    with pytest.raises(ConfigError, match="layout 9"):
        SqliteJobs(file).counts()
