"""A node in a world: the account process that production runs, its ends, and its next beginning.

Here a process is a set of tasks in one context, which can be killed between any two steps. Not
here: when it is killed (weather), or what its supervisor in production is (app.live.node).
"""

from __future__ import annotations

import contextvars
import random
import traceback
from collections.abc import Callable

from holdfast.app.live.node import platform_cause
from holdfast.app.live.trader import Trader, trading
from holdfast.app.live.watch import Watch
from holdfast.config import Config
from holdfast.errors import CorruptionError, PlatformError
from holdfast.simulation.clock import LIFE, Crashed, Life, Machine
from holdfast.simulation.loop import VirtualLoop

RESTART_S = 0.25
LONGEST_RESTART_S = 4.0


class Defect(Exception):  # noqa: N818 - a finding, not a failure of the caller
    """A process ended by an error that no error of ours explains."""


class SimNode:
    """One machine that runs a node.

    Attributes:
        trader: of the present process, once its account trades.
        defects: ends that nothing of ours explains.
        final: the error after which nobody may go on. A refused configuration is another matter:
            an operator, who has given a key its rights back, starts the node again.
        crash_at: the process dies when it passes this named point next.
        hold_at: it is held up there, for so many seconds.
        on_end: told of the end of a process, and how soon the node would begin again.
    """

    def __init__(
        self, loop: VirtualLoop, machine: Machine, config: Config, source: random.Random,
        first_pid: int,
    ) -> None:
        self.machine = machine
        self.config = config
        self.life: Life | None = None
        self.trader: Trader | None = None
        self.defects: list[str] = []
        self.final: PlatformError | None = None
        self.crash_at = ""
        self.hold_at: tuple[str, float] | None = None
        self.on_trading: list[Callable[[Trader], None]] = []
        self.starts = 0
        self.crashes = 0
        self.ends: dict[str, int] = {}
        self.on_end: Callable[[SimNode, float], None] | None = None
        self._loop = loop
        self._random = source
        self._pids = first_pid
        self._quick_ends = 0

    @property
    def is_alive(self) -> bool:
        """Whether a process of it runs, or is paused."""
        return self.life is not None and not self.life.is_dead

    def start(self) -> None:
        """Begin a process, with an empty memory."""
        if self.final is not None:
            return
        self._pids += 1
        self.starts += 1
        life = self.life = Life(self.machine, self._pids)
        context = contextvars.copy_context()
        context.run(LIFE.set, life)
        watch = Watch()
        self._loop.create_task(self._live(life, watch), context=context, name=self.machine.name)

    def crash(self, *, quiet: bool = False, down_s: float | None = None) -> None:
        """The process ends here and now; another begins later.

        Args:
            quiet: its machine ends with it, and tells nobody.
        """
        life = self.life
        if life is None or life.is_dead:
            return
        self.crashes += 1
        life.quiet_on_death = quiet
        self.trader = None
        self._loop.kill(life)
        self._again(RESTART_S if down_s is None else down_s)

    def reach(self, point: str) -> None:
        """The node passes a named point on the path of an order."""
        if LIFE.get() is not self.life or self.life is None:
            return
        if self.hold_at is not None and self.hold_at[0] == point:
            _, for_s = self.hold_at
            self.hold_at = None
            self._loop.pause(self.life, for_s)
        if self.crash_at == point:
            self.crash_at = ""
            self.crash(down_s=self._random.uniform(0.2, 2.0))
            raise Crashed

    def _again(self, after_s: float) -> None:
        if self.on_end is not None:
            contextvars.Context().run(self.on_end, self, after_s)

    async def _live(self, life: Life, watch: Watch) -> None:
        began_s = self._loop.time()
        try:
            async with trading(self.config, watch, quarantine={}, reach=self.reach) as trader:
                self.trader = trader
                for told in self.on_trading:
                    told(trader)
                await trader.run()
        except (PlatformError, ExceptionGroup) as error:
            self._ended(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the run must tell it
            self._ended(error)
        if self.life is life:
            self.trader = None
        early = self._loop.time() - began_s < 1.0
        self._quick_ends = self._quick_ends + 1 if early else 0
        wait_s = min(RESTART_S * 2**self._quick_ends, LONGEST_RESTART_S)
        self._loop.kill(life)
        self._again(wait_s)

    def _ended(self, error: Exception) -> None:
        cause = platform_cause(error)
        name = type(cause or error).__name__
        self.ends[name] = self.ends.get(name, 0) + 1
        if cause is None:
            self.defects.append("".join(traceback.format_exception(error)))
        elif isinstance(cause, CorruptionError):
            self.final = cause
