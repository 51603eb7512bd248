"""An event loop in virtual time: when nothing is ready, the next timer's moment is now.

Lives here: order, time, processes that pause or die, and where connections lead. Nothing here has
a socket or a thread. Not here: the network (network).
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Any

import msgspec

from holdfast.simulation.clock import LIFE, WORLD, Life, monotonic_s

# So many callbacks without a moment passing are a loop that spins.
MOST_AT_ONCE = 2_000_000


class StuckError(RuntimeError):
    """Something spins, or waits for ever."""


class Handle(msgspec.Struct, eq=False, gc=False):
    """What is to be called, and for timers when, on the clock of whoever asked.

    Does for asyncio's handles, of whose making half of a run would consist: a loop has hundreds in
    a simulated second.
    """

    callback: Callable[..., object] | None
    args: tuple[Any, ...]
    context: contextvars.Context
    when_s: float = 0.0
    is_cancelled: bool = False

    def cancel(self) -> None:
        """As asyncio's, without telling the loop: it finds out when the time has come."""
        self.is_cancelled = True
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        """As asyncio's."""
        return self.is_cancelled

    def when(self) -> float:
        """As asyncio's."""
        return self.when_s


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set is its number: groups end theirs in the order of a set, and by
    its address in memory that would be another one in every run."""

    def __init__(self, number: int, *args: Any, **options: Any) -> None:
        self._number = number
        super().__init__(*args, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order in which they became ready, as asyncio does.

    Attributes:
        connect: takes `create_connection` over.
        on_last_step: told of a process that has done the steps it had left.
        kept: everything that was abandoned, so that it is never collected.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[float, int, Handle]] = []
        self._count = 0
        self._at_once = 0
        self.turns = 0
        self.kept: list[Any] = []
        self.connect: Callable[..., Any] | None = None
        self.on_last_step: Callable[[Life], None] | None = None
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(self._failed)
        self.set_task_factory(self._numbered)
        self._tasks_made = 0
        # Asked hundreds of times in a second: without a frame of Python for each.
        self.time = monotonic_s  # type: ignore[method-assign]
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]
        self.get_debug = bool  # type: ignore[method-assign]  # False

    # -- time ------------------------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """As asyncio's."""
        if context is None:
            context = contextvars.copy_context()
        handle = Handle(callback, args, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    # There are no threads; asyncio itself asks so for the end of a generator left behind.
    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """As asyncio's; `when` is on the clock of whoever asks."""
        if context is None:
            context = contextvars.copy_context()
        handle = Handle(callback, args, context, when)
        life = LIFE.get()
        self._put(when if life is None else life.machine.world_s(when), handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """As asyncio's; one look at the clock of whoever asks does for both sides of it."""
        life = LIFE.get()
        if life is None:
            when_s = world_s = WORLD.now_s + delay
        else:
            machine = life.machine
            when_s = machine.own_s(WORLD.now_s) + delay
            world_s = machine.world_s(when_s)
        if context is None:
            context = contextvars.copy_context()
        handle = Handle(callback, args, context, when_s)
        self._put(world_s, handle)
        return handle

    def call_at_world(
        self, when_s: float, context: contextvars.Context, callback: Callable[..., object],
        *args: Any,
    ) -> None:
        """Call back at a moment of the world, as somebody else."""
        self._put(when_s, Handle(callback, args, context))

    def _put(self, when_s: float, handle: Handle) -> None:
        # Some time always passes: who waits until then by two clocks would spin on a rounding.
        soonest_s = WORLD.now_s + 1e-6
        if when_s < soonest_s:  # noqa: PLR1730 - a call of `max` takes ten times as long
            when_s = soonest_s
        self._count += 1
        heappush(self._timers, (when_s, self._count, handle))

    def _run_once(self) -> None:
        """Turn until somebody stops the loop."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        while True:
            if not ready:
                self._let_time_pass()
            now_s = WORLD.now_s
            while timers and timers[0][0] <= now_s:
                handle = heappop(timers)[2]
                if not handle.is_cancelled:
                    ready.append(handle)
            due = len(ready)
            self._at_once += due
            if self._at_once > MOST_AT_ONCE:
                raise StuckError(f"{self._at_once} callbacks without a moment passing")
            for _ in range(due):
                handle = ready.popleft()
                if handle.is_cancelled:
                    continue
                context = handle.context
                life = context.get(LIFE)
                if life is not None and life.paused_until_s > now_s:
                    life.held.append(handle)
                    continue
                try:
                    context.run(handle.callback, *handle.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - nobody else would hear of it
                    self._tell_of(handle, error)
                if life is not None and (life.steps_left or life.stumbles):
                    self._disturb(life)
            self.turns += 1
            if self._stopping:  # type: ignore[attr-defined]
                return

    def _tell_of(self, handle: Handle, error: BaseException) -> None:
        """As a handle of asyncio's does itself."""
        self.call_exception_handler(
            {"message": f"in callback {handle!r}", "exception": error, "handle": handle}
        )

    def _let_time_pass(self) -> None:
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        if not timers:
            raise StuckError("everybody waits, and no timer runs")
        if timers[0][0] > WORLD.now_s:
            WORLD.now_s = timers[0][0]
            self._at_once = 0

    def _disturb(self, life: Life) -> None:
        if life.stumbles:
            life.stumbles -= 1
            self.pause(life, life.stumble_s)
        if life.steps_left:
            life.steps_left -= 1
            if not life.steps_left and self.on_last_step is not None:
                self.on_last_step(life)

    def _numbered(
        self, _loop: asyncio.AbstractEventLoop, coro: Any, **options: Any
    ) -> asyncio.Future[Any]:
        self._tasks_made += 1
        task = NumberedTask(self._tasks_made, coro, loop=self, **options)
        life = LIFE.get()
        if life is not None:
            life.tasks.add(task)
        return task

    # -- processes -------------------------------------------------------------------------------

    def pause(self, life: Life, for_s: float) -> None:
        """Nothing of it runs for so long; then all that became due does, in order."""
        if life.is_dead:
            return
        until_s = WORLD.now_s + for_s
        if until_s <= life.paused_until_s:
            return
        life.paused_until_s = until_s
        self.call_at_world(until_s, contextvars.Context(), self._resume, life)

    def _resume(self, life: Life) -> None:
        if life.is_dead or life.paused_until_s > WORLD.now_s:
            return
        self._ready.extend(life.held)  # type: ignore[attr-defined]
        life.held = []

    def kill(self, life: Life) -> None:
        """End a process at once; nothing of it runs again, not even to clean up."""
        if life.is_dead:
            return
        life.is_dead, life.paused_until_s = True, math.inf
        self.kept.extend(life.tasks)
        for told in life.on_death:
            told()

    # -- what a simulated process must not have ----------------------------------------------------

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """No threads: it runs at once, and its caller learns it a turn later."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], asyncio.BaseProtocol], host: str | None = None,
        port: int | None = None, *, sock: Any = None, **_options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """A connection through the simulated network."""
        assert self.connect is not None  # noqa: S101 - set by whoever makes the loop
        if sock is not None:
            host, port = sock
        found: tuple[asyncio.Transport, asyncio.BaseProtocol] = await self.connect(
            factory, host, port
        )
        return found

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: object) -> None:
        pass

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        task = context.get("task") or context.get("future")
        if isinstance(task, asyncio.Task):
            whose = getattr(task.get_coro(), "__qualname__", str(task))
            context["message"] = f"{whose}: {context['message']}"
        self.failures.append(context)
