"""Asking for jobs and looking at them: `Jobs` over rows, with every word checked before it is kept.

Not here: the rows (rows), doing them (attempt, local, celery_runner).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from holdfast.errors import ConfigError, RejectedError
from holdfast.platform.jobs.kinds import Kind, Kinds
from holdfast.platform.jobs.port import (
    MOST_INPUT_BYTES,
    MOST_LISTED,
    Job,
    JobId,
    JobState,
    Page,
)
from holdfast.platform.jobs.rows import JobRows, NewJob

SYSTEM: Final = "system"
"""Owner of what the platform asks for by itself."""

MOST_OPEN: Final = 100
"""Jobs of one owner that have not ended; their parts are not counted."""


class Board:
    """The jobs of this installation.

    Args:
        send: tells a runner that waits for messages of a new job. It must not fail: the rows are
            the truth, and what was not told is found there.
    """

    def __init__(
        self,
        rows: JobRows,
        kinds: Kinds,
        *,
        send: Callable[[Sequence[str]], None] = lambda _: None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._rows = rows
        self._kinds = kinds
        self._send = send
        self._now_ns = now_ns

    def submit(self, kind: str, given: bytes, *, job_id: str, owner: str) -> Job:
        """See `Jobs.submit`."""
        wanted = self._kind(kind, owner)
        new = NewJob(
            id=_checked_id(job_id, owner),
            kind=kind,
            owner=owner,
            input=checked_input(wanted, given),
            attempts_allowed=wanted.attempts,
        )
        there = self._rows.get(job_id)
        if there is None:
            self._require_room(owner)
            now_ns = self._now_ns()
            self._rows.add([new], now_ns)
            self._send(self._rows.send_one(job_id, now_ns))
            there = self._rows.get(job_id)
        if there is None or (there.kind, there.owner, there.input) != (kind, owner, new.input):
            raise RejectedError(
                "job-exists",
                f"seen: the id {job_id} of another job; expected: an id of its own for each; do: "
                "choose another",
            )
        return there

    def get(self, job_id: str) -> Job | None:
        """See `Jobs.get`."""
        return self._rows.get(job_id)

    def cancel(self, job_id: str) -> Job | None:
        """See `Jobs.cancel`."""
        self._rows.cancel(job_id, self._now_ns())
        return self._rows.get(job_id)

    def kinds(self) -> Mapping[str, type[msgspec.Struct]]:
        """See `Jobs.kinds`."""
        return {name: kind.takes for name, kind in self._kinds.items() if kind.is_public}

    def list(
        self,
        *,
        owner: str | None = None,
        kind: str | None = None,
        states: Sequence[JobState] = (),
        parent: str | None = "",
        after: Page | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """See `Jobs.list`."""
        return self._rows.find(
            owner=owner, kind=kind, states=states, parent=parent, after=after,
            limit=max(1, min(limit, MOST_LISTED)),
        )  # fmt: skip

    def _kind(self, name: str, owner: str) -> Kind:
        found = self._kinds.get(name)
        if found is None or not (found.is_public or owner == SYSTEM):
            known = ", ".join(sorted(self.kinds()))
            raise ConfigError(f"seen: a job of kind {name!r}; expected: one of {known}")
        return found

    def _require_room(self, owner: str) -> None:
        open_jobs = self._rows.open_of(owner)
        if open_jobs >= MOST_OPEN:
            raise RejectedError(
                "too-many-jobs",
                f"seen: {open_jobs} jobs of {owner} that have not ended; expected: fewer than "
                f"{MOST_OPEN}; do: wait for some to end, or cancel them",
            )


def checked_input(kind: Kind, given: bytes) -> str:
    """The input as it is kept: of the kind's shape, with keys in order.

    Raises:
        ConfigError: it is too large, or something else.
    """
    if len(given) > MOST_INPUT_BYTES:
        raise ConfigError(
            f"seen: an input of {len(given):,} bytes; expected: at most {MOST_INPUT_BYTES:,}; do: "
            "put what is large into a file"
        )
    try:
        read = msgspec.json.decode(given, type=kind.takes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"seen: an input of {kind.name}: {error}; expected: as its schema says; do: correct it"
        ) from error
    return msgspec.json.encode(read, order="sorted").decode()


def _checked_id(job_id: str, owner: str) -> str:
    """Parts and slots have a `:` in theirs, and nobody else may be where they will be."""
    try:
        plain = job_id.replace(":", "-") if owner == SYSTEM else job_id
        msgspec.convert(plain, JobId)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"seen: the job id {job_id[:120]!r}; expected: up to 100 letters, digits and . _ -, "
            "the first one a letter or digit"
        ) from error
    return job_id
