"""The journal's store behind a line that fails: the real SQLite store, and troubles on the way.

Lives here: `Backend`, the one true store of a world, and `StoreLine`, one process's way to it. Not
here: when what fails (weather), or whether it was right (checker).
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from holdfast.domain.fact import AnyFact, Armed, CancelArmed
from holdfast.errors import ConfigError, FencedError, OutcomeUnknownError, RetryableError
from holdfast.journal.port import Group, Head, Outcome, Snapshot
from holdfast.journal.reading import Rows
from holdfast.journal.record import Record
from holdfast.journal.sqlite import SqliteStore
from holdfast.simulation.clock import LIFE, WORLD, Crashed, Life
from holdfast.simulation.loop import Handle, VirtualLoop
from holdfast.simulation.network import drawn_s

T = TypeVar("T")

Committed = tuple[Head, list[Outcome]]


class Trouble:
    """What happens to the calls of one machine now; chances are per call.

    Attributes:
        delay_s: there and back, on average each; 0 is the file of this machine, at once.
        is_cut: no call gets through; it fails after a while.
        is_full: nothing can be written.
        stalls: calls take `stall_s`.
        lost_ack: it happens, and the caller is not told.
        lost_call: it does not happen, and the caller is not told.
        refused: it does not happen, and the caller is told.
    """

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.is_cut = False
        self.is_full = False
        self.stall_s = 0.0
        self.lost_ack = 0.0
        self.lost_call = 0.0
        self.refused = 0.0

    def clear(self) -> None:
        """Nothing but the delay remains."""
        delay_s = self.delay_s
        self.__init__()  # type: ignore[misc]
        self.delay_s = delay_s


class Backend:
    """The store of a world, and who watches it.

    Attributes:
        on_commit: told of every commit, in order.
        on_acquire: told of every new epoch.
        counts: how often each trouble happened.
        changes: how often a stream has changed.
        was_commanded: whether an operator has asked for anything yet.
    """

    def __init__(
        self, path: Path, loop: VirtualLoop, source: random.Random, empty: bytes = b""
    ) -> None:
        """Open `path`; tables need not be made where there is a file of `empty` ones."""
        self.path = path
        path.write_bytes(empty)
        self.loop = loop
        self.random = source
        self.store = SqliteStore(path, inline=True)
        self.on_commit: list[Callable[[Head, tuple[Record, ...]], None]] = []
        self.on_acquire: list[Callable[[Head], None]] = []
        self.troubles: dict[str, Trouble] = {}
        self.counts: dict[str, int] = {}
        self.changes = 0
        self.was_commanded = False
        self.context = contextvars.Context()  # of nobody: what is under way survives its caller

    def trouble(self, machine: str) -> Trouble:
        """Of the calls of one machine."""
        return self.troubles.setdefault(machine, Trouble())

    def count(self, kind: str) -> None:
        """One more of these."""
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def commit(self, head: Head, groups: Sequence[Group], at_ns: int) -> Committed:
        """Commit now."""
        self.changes += 1
        done = self.store.commit(head, groups, at_ns)
        found, outcomes = at_once(done)
        for outcome in outcomes:
            if isinstance(outcome, tuple):
                for told in self.on_commit:
                    told(found, outcome)
        return found, outcomes

    def rows(self) -> Rows:
        """What is stored now, over the connection that writes it."""
        return self.store._file.connection()

    def acquire(self, account: str, node: str, after: int | None) -> Head:
        """Take over now."""
        self.changes += 1
        head: Head = at_once(self.store.acquire(account, node, after=after))
        for told in self.on_acquire:
            told(head)
        return head


class Way:
    """One process's way to what all share: calls that are late, lost, or not answered for."""

    def __init__(self, backend: Backend, life: Life) -> None:
        self._backend = backend
        self._life = life
        self._trouble = backend.trouble(life.machine.name)

    def _alive(self) -> None:
        if self._life.is_dead:
            raise Crashed

    @property
    def _is_near(self) -> bool:
        """Whether a call can be made where it is asked for."""
        trouble = self._trouble
        return not (
            trouble.delay_s or trouble.is_cut or trouble.stall_s
            or self._life.paused_until_s > WORLD.now_s
        )

    def _call(
        self, function: Callable[..., T], *args: Any, writes: bool = False
    ) -> asyncio.Future[T]:
        self._alive()
        loop = self._backend.loop
        future: asyncio.Future[T] = loop.create_future()
        if self._is_near:
            self._settle(future, *self._outcome(function, args, writes))
            return future
        context = contextvars.copy_context()
        if self._life.paused_until_s > WORLD.now_s:
            # It was stopped within the step that made this call: it leaves when that goes on.
            start = Handle(self._begin, (future, context, function, args, writes), context)
            self._life.held.append(start)
        else:
            self._begin(future, context, function, args, writes)
        return future

    def _begin(
        self, future: asyncio.Future[Any], context: contextvars.Context,
        function: Callable[..., Any], args: tuple[Any, ...], writes: bool,
    ) -> None:
        """Send the call on its way."""
        backend, trouble = self._backend, self._trouble
        if trouble.is_cut:
            backend.count("store_cut")
            error = RetryableError("seen: the store does not answer (simulated); do: try again")
            backend.loop.call_at_world(
                WORLD.now_s + 0.3, context, self._settle, future, None, error
            )
            return
        there_s = trouble.stall_s
        if trouble.delay_s:
            there_s += drawn_s(backend.random, trouble.delay_s)
        if trouble.stall_s:
            backend.count("store_stall")
        backend.loop.call_at_world(
            WORLD.now_s + there_s, backend.context, self._execute, future, context, function, args,
            writes,
        )

    def _execute(
        self, future: asyncio.Future[Any], context: contextvars.Context,
        function: Callable[..., Any], args: tuple[Any, ...], writes: bool,
    ) -> None:
        """At the store: it happens although its caller may be gone by now."""
        trouble = self._trouble
        result, error = self._outcome(function, args, writes)
        back_s = drawn_s(self._backend.random, trouble.delay_s) if trouble.delay_s else 0.0
        self._backend.loop.call_at_world(
            WORLD.now_s + back_s, context, self._settle, future, result, error
        )

    def _outcome(
        self, function: Callable[..., Any], args: tuple[Any, ...], writes: bool
    ) -> tuple[Any, BaseException | None]:
        backend, trouble = self._backend, self._trouble
        if writes:
            if trouble.is_full:
                backend.count("store_full")
                return None, RetryableError("seen: the disk is full (simulated); do: free space")
            if trouble.refused and backend.random.random() < trouble.refused:
                backend.count("store_refused")
                return None, RetryableError("seen: not serializable (simulated); do: try again")
            if trouble.lost_call and backend.random.random() < trouble.lost_call:
                backend.count("store_lost_call")
                return None, OutcomeUnknownError("seen: the session broke (simulated)")
        # The call is the world's: watchers of commits see no process's clock.
        token = LIFE.set(None)
        try:
            result = function(*args)
        except (ConfigError, FencedError, RetryableError, OutcomeUnknownError) as error:
            return None, error
        finally:
            LIFE.reset(token)
        if writes and trouble.lost_ack and backend.random.random() < trouble.lost_ack:
            backend.count("store_lost_ack")
            return None, OutcomeUnknownError("seen: the session broke at its commit (simulated)")
        return result, None

    @staticmethod
    def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


class StoreLine(Way):
    """`Store` as one process sees it."""

    async def acquire(self, account: str, node: str, after: int | None = None) -> Head:
        """Take the stream over."""
        return await self._call(self._backend.acquire, account, node, after, writes=True)

    async def begin_generation(
        self, head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int
    ) -> Head:
        """Append under a new generation; no process of a simulation asks for it."""
        begin = self._backend.store.begin_generation
        return await self._call(
            lambda: at_once(begin(head, generation, facts, at_ns)), writes=True
        )

    def commit_at_once(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> Committed | None:
        """Append within the caller's step, to a file of this machine that nothing ails."""
        self._alive()
        if not self._is_near:
            return None
        result, error = self._outcome(self._backend.commit, (head, tuple(groups), at_ns), True)
        if error is not None:
            raise error
        found: Committed = result
        return found

    def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> Awaitable[Committed]:
        """Append, as the port promises."""
        return self._call(self._backend.commit, head, tuple(groups), at_ns, writes=True)

    async def head(self, account: str) -> Head:
        """The head as it is stored now."""
        return await self._call(lambda: at_once(self._backend.store.head(account)))

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order."""
        self._alive()
        if self._trouble.is_cut:
            raise RetryableError("seen: the store does not answer (simulated); do: try again")
        return self._backend.store.read(account, after_seq)

    def attempt(self, account: str, cid: str) -> Armed | CancelArmed | None:
        """What was armed under `cid`."""
        self._alive()
        if self._trouble.is_cut:
            raise RetryableError("seen: the store does not answer (simulated); do: try again")
        return self._backend.store.attempt(account, cid)

    async def hash_at(self, account: str, seq: int) -> bytes | None:
        """Chain hash of a record."""
        return await self._call(lambda: at_once(self._backend.store.hash_at(account, seq)))

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it."""
        await self._call(
            lambda: at_once(self._backend.store.save_snapshot(snapshot)), writes=True
        )

    async def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest one."""
        return await self._call(lambda: at_once(self._backend.store.load_snapshot(account)))

    async def close(self) -> None:
        """The world keeps the store."""


def at_once(call: Any) -> Any:
    """The result of a call of the inline store, which is done when it returns."""
    if isinstance(call, asyncio.Future):
        return call.result()
    try:
        call.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a call of the inline store waited")
