"""One attempt at a job, from a worker's side: a process of its own, watched until it ends.

The worker says again and again that the attempt goes on. When it cannot for too long, it ends the
process itself, before another worker may take the job. Not here: what runs inside (child), which
job is next (local, celery_runner).
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from holdfast.domain.market import NS_PER_S
from holdfast.errors import RetryableError
from holdfast.platform.jobs.child import Done, Failed, Message, Request, Split, Told, encoder
from holdfast.platform.jobs.kinds import EndedPart, Kind, Kinds
from holdfast.platform.jobs.port import MOST_INPUT_BYTES, MOST_RESULT_BYTES, JobState
from holdfast.platform.jobs.rows import Claimed, JobRows, NewJob
from holdfast.telemetry.log import get_logger

log = get_logger("platform.jobs")

_LONGEST_LINE: Final = 10 * (MOST_RESULT_BYTES + MOST_INPUT_BYTES)
_LOOK_S: Final = 0.1
_END_S: Final = 2.0
_AGAIN_S: Final = (1.0, 5.0, 30.0, 120.0)
"""Until the next try, by how many have failed."""


class Outcome(StrEnum):
    """What a worker made of an attempt."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SPLIT = "split"  # its parts come first
    AGAIN = "again"  # it ended without a result; tried again, unless that was the last try
    RELEASED = "released"  # the worker is ending
    LOST = "lost"  # given up by the others; nothing of it counts


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How often a worker says that it is there, and when the others believe that it is not.

    Attributes:
        beat_s: between two words of it.
        gone_s: silence, as each other worker measures it, after which a job is taken again.
    """

    beat_s: float = 3.0
    gone_s: float = 20.0

    def __post_init__(self) -> None:
        if self.gone_s < 4 * self.beat_s:
            raise ValueError(f"`gone_s` is {self.gone_s}, expected at least 4 × {self.beat_s}")

    @property
    def own_s(self) -> float:
        """A worker that could not say a word for so long gives the attempt up itself."""
        return self.gone_s * 0.6


class Place(msgspec.Struct, frozen=True):
    """Where a worker works.

    Attributes:
        folder: of results; each attempt has one of its own in it.
        config_file: of the installation; None for its default.
    """

    folder: Path
    config_file: Path | None = None


class Attempt:
    """An attempt at a claimed job; `run` blocks until it is over.

    Args:
        stop: set when the worker is to end.
    """

    def __init__(
        self,
        claimed: Claimed,
        stop: threading.Event,
        *,
        rows: JobRows,
        kinds: Kinds,
        place: Place,
        times: Times,
    ) -> None:
        self._rows, self._kinds, self._place = rows, kinds, place
        self._times, self._stop = times, stop
        self._job, self._is_split = claimed.job, claimed.is_split
        self._told = Told(claimed.job.progress, "")
        self._began_s = self._heard_s = time.monotonic()

    def run(self) -> Outcome:
        """Do it, and write down what came of it."""
        kind = self._kinds.get(self._job.kind)
        if kind is None:
            return self._failed(
                f"seen: a job of kind {self._job.kind!r}; expected: a kind that this version knows"
            )
        folder = self._place.folder / self._job.id / str(self._job.attempt)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            process = Process(self._request(kind, folder))
        except OSError as error:
            return self._again(
                f"seen: no place or process for it on this worker ({error}); expected: both; do: "
                "look at the worker's disk and memory"
            )
        with process:
            return self._watch(kind, process)

    def _request(self, kind: Kind, folder: Path) -> Request:
        is_split = bool(kind.split) and not self._is_split
        ended = self._rows.parts_of(self._job.id) if self._is_split else []
        config = self._place.config_file
        return Request(
            target=kind.split if is_split else kind.run,
            is_split=is_split,
            given=msgspec.Raw(self._job.input.encode()),
            folder=str(folder.absolute()),
            config_file=str(config) if config else None,
            parts=[
                EndedPart(
                    id=one.id, state=one.state, input=msgspec.Raw(one.input.encode()),
                    result=msgspec.Raw(one.result.encode() or b"null"), error=one.error,
                )
                for one in ended
            ],
        )  # fmt: skip

    def _watch(self, kind: Kind, process: Process) -> Outcome:
        while True:
            for message in process.messages(_LOOK_S):
                if isinstance(message, Told):
                    self._told = message
                else:
                    return self._over(message)
            if process.has_ended:
                return self._again(
                    f"seen: the job's process ended by itself ({process.how()}); expected: a "
                    "result; do: look for a lack of memory, or at the worker's log"
                )
            if self._stop.is_set():
                return self._released()
            if time.monotonic() - self._began_s > kind.most_s:
                return self._failed(
                    f"seen: no result within {kind.most_s:g} s; expected: less; do: ask for less"
                )
            outcome = self._beat()
            if outcome is not None:
                return outcome

    def _beat(self) -> Outcome | None:
        """Say that it goes on; what ends it, if something does."""
        since_s = time.monotonic() - self._heard_s
        if since_s < self._times.beat_s:
            return None
        job, told = self._job, self._told
        try:
            is_to_stop = self._rows.beat(job.id, job.attempt, told.progress, told.note)
        except RetryableError as error:
            return None if since_s < self._times.own_s else self._lost(error)
        self._heard_s = time.monotonic()
        if is_to_stop is None:
            return Outcome.LOST
        return self._end(JobState.CANCELLED) if is_to_stop else None

    def _over(self, message: Done | Split | Failed) -> Outcome:
        if isinstance(message, Failed):
            return self._again(message.why) if message.may_help else self._failed(message.why)
        if isinstance(message, Split):
            return self._split(message)
        files = msgspec.json.encode(message.files).decode()
        return self._end(JobState.DONE, result=bytes(message.result).decode(), files=files)

    def _split(self, message: Split) -> Outcome:
        job = self._job
        unknown = {part.kind for part in message.parts} - self._kinds.keys()
        if job.parent or unknown:
            what = f"parts of kind {', '.join(sorted(unknown))}" if unknown else "parts of a part"
            return self._failed(f"seen: {what}; expected: parts of a kind that is known")
        width = len(str(len(message.parts)))
        parts = [
            NewJob(
                id=f"{job.id}:{number:0{width}}", kind=part.kind, owner=job.owner, parent=job.id,
                input=bytes(part.given).decode(), attempts_allowed=self._kinds[part.kind].attempts,
            )
            for number, part in enumerate(message.parts, start=1)
        ]  # fmt: skip
        outcome = self._written(
            lambda: self._rows.split(job.id, job.attempt, parts, time.time_ns()), Outcome.SPLIT
        )
        # It may be that somebody wants it to stop, and not that it was given up.
        return self._end(JobState.CANCELLED) if outcome is Outcome.LOST else outcome

    def _released(self) -> Outcome:
        job = self._job
        return self._written(
            lambda: self._rows.release(job.id, job.attempt), Outcome.RELEASED
        )

    def _failed(self, why: str) -> Outcome:
        return self._end(JobState.FAILED, error=why)

    def _end(self, state: JobState, **found: str) -> Outcome:
        job = self._job
        return self._written(
            lambda: self._rows.end(job.id, job.attempt, state, time.time_ns(), **found),
            Outcome(state.value),
        )

    def _again(self, why: str) -> Outcome:
        job, now_ns = self._job, time.time_ns()
        pause_s = _AGAIN_S[min(job.failures, len(_AGAIN_S) - 1)]
        again_at_ns = now_ns + round(pause_s * NS_PER_S)
        return self._written(
            lambda: self._rows.give_up(
                job.id, job.attempt, now_ns, error=why, again_at_ns=again_at_ns
            ),
            Outcome.AGAIN,
        )

    def _written(self, write: Callable[[], bool], outcome: Outcome) -> Outcome:
        """Have the end written down, however long the database is away, while it is ours."""
        while True:
            try:
                return outcome if write() else Outcome.LOST
            except RetryableError as error:
                if time.monotonic() - self._heard_s > self._times.own_s:
                    return self._lost(error)
            time.sleep(_LOOK_S)

    def _lost(self, error: RetryableError) -> Outcome:
        log.warning(
            "job given up: the database takes no word of it", action="job_lost",
            job=self._job.id, attempt=self._job.attempt, why=str(error),
        )  # fmt: skip
        return Outcome.LOST


class Process:
    """A job's process. A context manager; leaving it ends the process, and all that it began."""

    def __init__(self, request: Request) -> None:
        """Begin it."""
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                [sys.executable, "-m", "holdfast.platform.jobs.child", str(write)],
                stdin=subprocess.PIPE, pass_fds=(write,),
                # No session: Linux may share processors between sessions first, however nice.
                process_group=0,
            )  # fmt: skip
        except BaseException:
            os.close(self._read)
            raise
        finally:
            os.close(write)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._read, selectors.EVENT_READ)
        self._rest = b""
        self.has_ended = False
        self._asked = threading.Thread(target=self._ask, args=(request,), daemon=True)
        self._asked.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError, PermissionError):  # nobody is left of it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._asked.join()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._selector.close()
        os.close(self._read)

    def messages(self, within_s: float) -> Iterator[Message]:
        """What it has said, waiting for so long at most."""
        if not self._selector.select(within_s):
            return
        chunk = os.read(self._read, 1 << 20)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            yield msgspec.json.decode(line, type=Message)
        if len(self._rest) > _LONGEST_LINE:
            said = f"seen: more than {_LONGEST_LINE:,} bytes; expected: fewer"
            yield Failed(said, may_help=False)
        self.has_ended = not chunk

    def how(self) -> str:
        """How it ended, once its line has."""
        for _ in range(round(_END_S / _LOOK_S)):
            code = self._code()
            if code is not None:
                return f"exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
            time.sleep(_LOOK_S)
        return "it closed its line and lives on"

    def _code(self) -> int | None:
        """Its exit code, or minus the signal; where it can be, it stays a zombie, its id its own,
        until we leave.
        """
        if sys.platform == "darwin":
            return self._process.poll()
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if ended is None:
            return None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def _ask(self, request: Request) -> None:
        """In a thread: what is asked may be more than a pipe holds."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(encoder.encode(request) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            log.debug("job's process ended before it was asked", action="job_process_gone")
