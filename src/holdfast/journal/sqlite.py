"""The journal in a SQLite file: one writer, and an event loop that never waits for a slow disk.

Not here: statements and what failures mean (journal.sqlite_file), batching (journal.writer).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from holdfast.domain.fact import AnyFact, Armed, CancelArmed
from holdfast.errors import RetryableError
from holdfast.journal.port import Group, Head, Outcome, Snapshot
from holdfast.journal.record import Record
from holdfast.journal.sqlite_connect import BUSY_TIMEOUT_S
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.sqlite_read import find_attempt, read_stream

T = TypeVar("T")

QUICK_S = 0.002
"""A commit this short is made where it is asked for: handing it to a thread costs as much."""

CALM_COMMITS = 8
"""After a slower one the thread commits, until so many in a row were quick: few, since a sync in a
hundred is slow on a quick disk as well, and eight in a row are not quick on a slow one."""


class SqliteStore:
    """Streams in one file, durable on return (WAL, `synchronous=FULL`).

    Args:
        path: the file; created with the current schema when it is missing or empty.
        inline: run everything in the caller's thread instead of a thread of its own, for a
            simulation that owns time; the same code otherwise.
        busy_timeout_s: how long another process may hold the write lock before a commit fails as
            retryable.
        quick_s: how short a commit must be for the next one to be made in the event loop.

    Raises:
        ConfigError: the file cannot be opened, or its schema is older or newer than this program.
        CorruptionError: the file is damaged.
    """

    def __init__(
        self,
        path: Path,
        *,
        inline: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        quick_s: float = QUICK_S,
    ) -> None:
        self.path = path
        self._quick_s = quick_s
        self._file = SqliteFile(path, busy_timeout_s)
        self._thread = None if inline else _FileThread(path)
        self._slow = 0  # commits that the thread makes yet, because one was slow

    async def acquire(self, account: str, node: str, after: int | None = None) -> Head:
        """Take the stream over: epoch + 1, durably."""
        return await self._run(self._file.acquire, account, node, after)

    async def begin_generation(
        self, head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int
    ) -> Head:
        """Append `facts` under the next epoch and `generation`, durably, if all is as in `head`."""
        return await self._run(self._file.begin_generation, head, generation, facts, at_ns)

    def commit_at_once(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]] | None:
        """`commit` in the caller's thread, on a quick disk; None where the thread is to do it."""
        if self._thread is None:
            return self._commit(head, groups, at_ns, wait=True)
        if self._slow or not self._thread.is_idle:
            return None
        try:
            return self._commit(head, groups, at_ns, wait=False)
        except RetryableError:
            return None  # nothing was written, and the thread may wait for who holds the file

    def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> Awaitable[tuple[Head, list[Outcome]]]:
        """Append `groups` durably in one transaction, as the port promises; away from the loop."""
        return self._run(partial(self._commit, wait=True), head, groups, at_ns)

    def _commit(
        self, head: Head, groups: Sequence[Group], at_ns: int, *, wait: bool
    ) -> tuple[Head, list[Outcome]]:
        began_s = time.perf_counter()
        try:
            return self._file.commit(head, groups, at_ns, wait=wait)
        finally:
            quick = time.perf_counter() - began_s < self._quick_s
            self._slow = max(0, self._slow - 1) if quick else CALM_COMMITS

    async def head(self, account: str) -> Head:
        """The head as it is stored now."""
        return await self._run(self._file.head, account)

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, verified while they are read; blocks the caller, not the writer."""
        return read_stream(self.path, account, after_seq)

    def attempt(self, account: str, cid: str) -> Armed | CancelArmed | None:
        """The order or cancel that was armed under `cid`; blocks the caller, not the writer."""
        return find_attempt(self.path, account, cid)

    async def hash_at(self, account: str, seq: int) -> bytes | None:
        """Chain hash of record `seq` as stored; None when there is no such record."""
        return await self._run(self._file.hash_at, account, seq)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it, and drop older ones of the account but one."""
        await self._run(self._file.save_snapshot, snapshot)

    async def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest snapshot whose hash is the chain's, or None."""
        return await self._run(self._file.load_snapshot, account)

    async def close(self) -> None:
        """Finish what is queued and release the file; may be called twice."""
        if self._thread is not None:
            await self._thread.stop()
        self._file.close()

    def _run(self, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        # A future and no coroutine: the thread has the job when this returns, a turn of the loop
        # earlier, and a cancelled caller cannot take it back.
        if self._thread is not None:
            return self._thread.run(function, *args)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        _settle(future, *_outcome(function, args))
        return future


class _FileThread:
    """Runs what it is given one after the other, away from the event loop."""

    def __init__(self, path: Path) -> None:
        self._queue: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], Any] | None]
        self._queue = SimpleQueue()
        # A daemon: a process that must end does not wait for a disk that does not answer.
        self._thread = Thread(target=self._work, name=f"journal {path.name}", daemon=True)
        self._thread.start()
        self._jobs = 0

    @property
    def is_idle(self) -> bool:
        """Whether the file is nobody's at the moment."""
        return not self._jobs and self._thread.is_alive()

    def run(self, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Queue it; the future settles in the running loop."""
        if not self._thread.is_alive():
            raise RuntimeError("this journal is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs += 1
        self._queue.put((future, function, args))
        return future

    async def stop(self) -> None:
        """Return when all that was queued is done."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            future, function, args = job
            outcome = _outcome(function, args)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                future.get_loop().call_soon_threadsafe(self._finished, future, *outcome)

    def _finished(
        self, future: asyncio.Future[Any], result: object, failure: Exception | None
    ) -> None:
        self._jobs -= 1
        _settle(future, result, failure)


def _outcome(
    function: Callable[..., T], args: tuple[object, ...]
) -> tuple[T | None, Exception | None]:
    try:
        return function(*args), None
    except Exception as error:  # noqa: BLE001  # it is the caller's, who gets it
        return None, error


def _settle(future: asyncio.Future[Any], result: object, failure: Exception | None) -> None:
    if future.done():  # its caller was cancelled; the work was not
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
