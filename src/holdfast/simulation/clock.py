"""Virtual time: one world clock, and each machine's own, which may be off and may jump.

Lives here: what `time` tells code that runs in a simulated process. Not here: when time moves on
(loop). Why the module `time` is replaced and not injected: `docs/adr/0027-simulation.md`.
"""

from __future__ import annotations

import os
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.simulation.manners import Away

real_monotonic_s = time.perf_counter
"""How much real time goes by, for the speed of a run; the only look at a real clock."""

EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01, where every run begins
FIRST_S = 1_000.0  # of monotonic clocks: nothing may take zero for "never"


class Machine:
    """A computer of the simulated world.

    Attributes:
        rate: seconds of its monotonic clock per second of the world.
        wall_off_ns: what its wall clock is ahead of the true time; a jump changes it.
    """

    def __init__(self, name: str, *, rate: float = 1.0, wall_off_ns: int = 0) -> None:
        self.name = name
        self.rate = rate
        self.wall_off_ns = wall_off_ns

    def own_s(self, world_s: float) -> float:
        """Its monotonic clock at a moment of the world."""
        return FIRST_S + (world_s - FIRST_S) * self.rate

    def world_s(self, own_s: float) -> float:
        """The moment of the world at which its monotonic clock shows `own_s`."""
        return FIRST_S + (own_s - FIRST_S) / self.rate


class Life:
    """One process, from its start to its end; what runs in its context stops with it.

    Attributes:
        pid: what it takes for its process id.
        is_dead: nothing of it may run again.
        held: what became due while it was paused or after it died; kept, so that no abandoned
            coroutine is collected: that would run its `finally`.
        paused_until_s: world time; it is not paused when that has passed, which for who is dead
            it never has.
        quiet_on_death: the machine died with it: no other side is told.
        tasks: that it began and that somebody still knows.
        steps_left: it dies after so many callbacks; 0 for no such end.
        stumbles, stumble_s: so many of its next callbacks take so long.
        away: what the exchange said last of staying away, None before it ever did.
    """

    def __init__(self, machine: Machine, pid: int) -> None:
        self.machine = machine
        self.pid = pid
        self.is_dead = False
        self.paused_until_s = 0.0
        self.held: list[Any] = []
        self.on_death: list[Any] = []
        self.tasks: weakref.WeakSet[Any] = weakref.WeakSet()
        self.quiet_on_death = False
        self.steps_left = 0
        self.stumbles = 0
        self.stumble_s = 0.0
        self.away: Away | None = None


class Crashed(BaseException):
    """Raised where a process dies in the middle of a step; nothing of it may go on."""


class World:
    """The moment that it is now.

    Attributes:
        now_s: world time, on the scale of monotonic clocks.
        quiet_from_ns: true time from which nothing new is wished for.
    """

    def __init__(self) -> None:
        self.now_s = FIRST_S
        self.quiet_from_ns = 1 << 62

    @property
    def now_ns(self) -> int:
        """True time, UTC nanoseconds; the exchange's clock shows it."""
        return EPOCH_NS + int((self.now_s - FIRST_S) * 1e9)


WORLD = World()
LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
"""Whose code runs: of a process of a machine, or of the world itself (None)."""


def monotonic_s() -> float:
    """`time.monotonic` of whoever asks."""
    life = LIFE.get()
    if life is None:
        return WORLD.now_s
    return FIRST_S + (WORLD.now_s - FIRST_S) * life.machine.rate  # `own_s`, without a call of it


def monotonic_ns() -> int:
    """`time.monotonic_ns` of whoever asks."""
    return int(monotonic_s() * 1e9)


def wall_ns() -> int:
    """`time.time_ns` of whoever asks."""
    life = LIFE.get()
    return WORLD.now_ns if life is None else WORLD.now_ns + life.machine.wall_off_ns


def wall_s() -> float:
    """`time.time` of whoever asks."""
    return wall_ns() / 1e9


def no_sleep(seconds: float) -> None:
    """`time.sleep` blocks the world, which nothing simulated may do."""
    raise RuntimeError(f"a simulated process slept {seconds} s in its thread")


_real_pid = os.getpid


def process_id() -> int:
    """`os.getpid` of whoever asks."""
    life = LIFE.get()
    return _real_pid() if life is None else life.pid


def install() -> None:
    """Make this process a simulated one. Call it before anything of the platform is imported.

    Defaults such as `mono_ns=time.monotonic_ns` are bound on import: `leaks` looks for those.
    """
    time.monotonic, time.monotonic_ns = monotonic_s, monotonic_ns
    time.time, time.time_ns = wall_s, wall_ns
    time.perf_counter, time.perf_counter_ns = monotonic_s, monotonic_ns
    time.sleep = no_sleep  # type: ignore[assignment]
    os.getpid = process_id
