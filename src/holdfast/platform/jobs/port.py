"""The port of background jobs: what can be asked for, and what is known of it afterwards.

Lives here: a job as others see it, and asking for one. Not here: where jobs are kept (rows), who
does them (local, celery_runner), what they do (app.jobs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final, Protocol

import msgspec

MOST_INPUT_BYTES: Final = 65_536
MOST_RESULT_BYTES: Final = 4 << 20
"""Of JSON in a row; what is larger goes into a file of the job."""

MOST_LISTED: Final = 500

JobId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]


class JobState(StrEnum):
    """Where a job stands. The last three are final."""

    QUEUED = "queued"  # waits for a worker, or for its next try
    RUNNING = "running"  # a worker is at it, or it waits for its parts
    DONE = "done"
    FAILED = "failed"  # `error` says why; it is not tried again
    CANCELLED = "cancelled"


OPEN: Final = (JobState.QUEUED, JobState.RUNNING)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as of the moment it was looked at.

    Attributes:
        owner: the user it belongs to; `system` of what the platform asks for by itself.
        parent: the job that this is a part of; empty without.
        input: JSON text, of the kind's own shape.
        result: JSON text of what came of it; empty unless it is done, and in lists.
        files: what it wrote, by file name: paths on the machine that keeps results.
        error: why it failed, `seen: …; expected: …; do: …`; while it waits, why the last try did.
        progress: 0 to 1.
        note: what it is at, one line for people.
        attempt: how often a worker has begun it. It fences: only the newest may report.
        failures: how many of these ended without a result; `attempts_allowed` of them fail it.
        is_cancelling: a worker is at it and has been told to stop.
        created_at_ns, started_at_ns, ended_at_ns: UTC; started by its first worker.
    """

    id: str
    kind: str
    owner: str
    parent: str
    state: JobState
    input: str
    result: str
    files: Mapping[str, str]
    error: str
    progress: float
    note: str
    attempt: int
    failures: int
    attempts_allowed: int
    is_cancelling: bool
    created_at_ns: int
    started_at_ns: int | None
    ended_at_ns: int | None


class Page(msgspec.Struct, frozen=True):
    """The last job that was listed: the next page begins after it."""

    created_at_ns: int
    id: str


class Jobs(Protocol):
    """Background jobs of this installation. Each call blocks for one small statement.

    Safe from any thread. Each method may raise RetryableError (the database does not answer now;
    nothing was changed).
    """

    def submit(self, kind: str, given: bytes, *, job_id: str, owner: str) -> Job:
        """Ask for a job, durably. Repeating it with the same words gives the same job.

        Args:
            kind: see `kinds`.
            given: JSON of that kind's input, at most `MOST_INPUT_BYTES`.
            job_id: chosen by the caller, and what makes it safe to repeat; see `JobId`.

        Raises:
            ConfigError: no such kind, or `given` or `job_id` is not what is expected.
            RejectedError: `job-exists`: the id is of another job; `too-many-jobs`: the owner has
                too many that have not ended.
        """
        ...

    def get(self, job_id: str) -> Job | None:
        """The job; None where there is none."""
        ...

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
        """Jobs, the newest first.

        Args:
            owner, kind: only of these; None is any.
            states: only in one of these; empty is any.
            parent: only parts of this job; empty for those that are part of none, None for all.
            limit: at most so many, and at most `MOST_LISTED`.
        """
        ...

    def cancel(self, job_id: str) -> Job | None:
        """Have it, and its parts, end without a result; safe to repeat.

        What no worker is at is cancelled when this returns; otherwise `is_cancelling` is set. What
        has ended stays as it is.

        Returns:
            The job as it is now; None where there is none.
        """
        ...

    def kinds(self) -> Mapping[str, type[msgspec.Struct]]:
        """What users may ask for: the shape of each kind's input, by the kind's name."""
        ...
