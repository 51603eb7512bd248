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

from holdfast.simulation.clock import LIFE, WORLD, Life, monotonic_s

# So many callbacks without a moment passing are a loop that spins.
MOST_AT_ONCE = 2_000_000


class StuckError(RuntimeError):
    """Something spins, or waits for ever."""


class _Handle(asyncio.Handle):
    """A handle without what only a loop in debug mode has: half of a run is making them."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: Any, context: contextvars.Context | None = None
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _TimerHandle(asyncio.TimerHandle):
    """The same for timers."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Any, args: Any, loop: Any,
        context: contextvars.Context | None = None,
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = False

    def cancel(self) -> None:
        """As asyncio's, without telling the loop: it finds out when the time has come."""
        if not self._cancelled:
            self._cancelled = True
            self._callback, self._args = None, ()


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
        self._timers: list[tuple[float, int, asyncio.Handle]] = []
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
    ) -> asyncio.Handle:
        """As asyncio's."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's; `when` is on the clock of whoever asks."""
        handle = _TimerHandle(when, callback, args, self, context)
        life = LIFE.get()
        self._put(when if life is None else life.machine.world_s(when), handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's; one look at the clock of whoever asks does for both sides of it."""
        life = LIFE.get()
        if life is None:
            when_s = world_s = WORLD.now_s + delay
        else:
            machine = life.machine
            when_s = machine.own_s(WORLD.now_s) + delay
            world_s = machine.world_s(when_s)
        handle = _TimerHandle(when_s, callback, args, self, context)
        self._put(world_s, handle)
        return handle

    def call_at_world(
        self, when_s: float, context: contextvars.Context, callback: Callable[..., object],
        *args: Any,
    ) -> None:
        """Call back at a moment of the world, as somebody else."""
        self._put(when_s, _Handle(callback, args, self, context))

    def _put(self, when_s: float, handle: asyncio.Handle) -> None:
        # Some time always passes: who waits until then by two clocks would spin on a rounding.
        self._count += 1
        heappush(self._timers, (max(when_s, WORLD.now_s + 1e-6), self._count, handle))

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def _run_once(self) -> None:
        """Turn until somebody stops the loop."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        while True:
            if not ready:
                self._let_time_pass()
            now_s = WORLD.now_s
            while timers and timers[0][0] <= now_s:
                handle = heappop(timers)[2]
                if not handle._cancelled:
                    ready.append(handle)
            self._at_once += len(ready)
            if self._at_once > MOST_AT_ONCE:
                raise StuckError(f"{self._at_once} callbacks without a moment passing")
            for _ in range(len(ready)):
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                context = handle._context
                life = context.get(LIFE)
                if life is not None and life.paused_until_s > now_s:
                    life.held.append(handle)
                    continue
                try:  # what `handle._run` does, without a frame of its own
                    context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - nobody else would hear of it
                    self._tell_of(handle, error)
                if life is not None and (life.steps_left or life.stumbles):
                    self._disturb(life)
            self.turns += 1
            if self._stopping:  # type: ignore[attr-defined]
                return

    def _tell_of(self, handle: asyncio.Handle, error: BaseException) -> None:
        """As a handle's own `_run` does."""
        self.call_exception_handler(
            {"message": f"in callback {handle!r}", "exception": error, "handle": handle}
        )

    def _let_time_pass(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
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
        self._put(until_s, asyncio.Handle(self._resume, (life,), self, contextvars.Context()))

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
