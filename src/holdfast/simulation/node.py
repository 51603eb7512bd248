"""A node in a world: its keeper and its account's process, their ends, and their next beginnings.

Here a process is a set of tasks in one context, which can be killed between any two steps; what
they run is production's. Not here: when they are killed (weather), or the supervisor of production
(app.live.node, app.live.seat), whose part a `SimNode` plays.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from holdfast.app.live import process
from holdfast.app.live.node import SHORTEST_HANG_S
from holdfast.app.live.slate import Slate
from holdfast.app.live.telling import Telling
from holdfast.app.live.trader import Trader
from holdfast.app.live.watch import Watch
from holdfast.cluster.board import LocalBoard, State
from holdfast.cluster.keeper import Keeper
from holdfast.cluster.port import ForgottenError, Member
from holdfast.cluster.timing import Timing
from holdfast.config import Config
from holdfast.errors import EXIT_FAILED, EXIT_USAGE, PlatformError
from holdfast.simulation.clock import LIFE, WORLD, Crashed, Life, Machine
from holdfast.simulation.leases import LeaseLine, Leases
from holdfast.simulation.loop import VirtualLoop

RESTART_S = 0.25
LONGEST_RESTART_S = 4.0
NOTICED_S = 0.02  # a supervisor looks so often
STOP_TIMEOUT_S = 8.0


class SimNode:
    """One machine that runs a node.

    Attributes:
        account: the process of the account; None while the machine is off.
        trader: of the present process, while it leads.
        defects: ends that nothing of ours explains.
        final: the error that would only repeat itself; its account is not begun again here.
        crash_at: the account's process dies when it passes this named point next.
        fail_at: it runs out of memory there.
        hold_at: it is held up there, for so many seconds.
        pid: of the supervisor; another one for each start of the node.
        struck_s: world time at which something struck it last.
    """

    def __init__(
        self, *, loop: VirtualLoop, machine: Machine, config: Config, source: random.Random,
        first_pid: int, leases: Leases, timing: Timing, host: str,
    ) -> None:
        self.machine = machine
        self.config = config
        self.account: Life | None = None
        self.keeper: Life | None = None
        self.trader: Trader | None = None
        self.board = self._new_board()
        self.defects: list[str] = []
        self.final: PlatformError | None = None
        self.crash_at = ""
        self.fail_at = ""
        self.hold_at: tuple[str, float] | None = None
        self.starts = 0
        self.crashes = 0
        self.ends: dict[str, int] = {}
        self.pid = 0
        self.struck_s = 0.0
        self._loop = loop
        self._random = source
        self._leases = leases
        self._timing = timing
        self._host = host
        self._pids = first_pid
        self._quick_ends = 0
        self._keeping: Keeper | None = None
        self._living: asyncio.Task[None] | None = None
        self._stopping = False
        self._boots = 0

    # -- the supervisor's part ---------------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether its processes run, or are to be begun again."""
        return bool(self.pid)

    @property
    def stands_by(self) -> bool:
        """Whether it could lead at once."""
        lives = (self.account, self.keeper)
        runs = all(one and not one.is_dead and one.paused_until_s <= WORLD.now_s for one in lives)
        return runs and self.board.state(self._name) is State.FOLLOWING

    def start(self) -> None:
        """Switch it on: a keeper and an account's process, with nothing remembered."""
        if self.is_on:
            return
        self.pid = self._next_pid()
        self._stopping = False
        self.board = self._new_board()
        self._begin_keeper(self.pid)
        self._begin_account(self.pid)

    def power_off(self, *, quiet: bool, down_s: float) -> None:
        """All of it ends here and now, and begins again later.

        Args:
            quiet: the machine ends with it, and tells nobody.
        """
        if not self.is_on:
            return
        self.pid = 0
        if quiet:  # after a boot, nobody knows the processes of before
            self._boots += 1
            self._host = f"{self._host.partition(' ')[0]} {self._boots}"
            down_s += self._timing.ttl_s
        self.crashes += 1
        for life in (self.account, self.keeper):
            if life is not None:
                life.quiet_on_death = quiet
                self._loop.kill(life)
        self.trader = None
        self._later(down_s, self.start)

    @property
    def patience_s(self) -> float:
        """How long its keeper bears with an exchange or a journal that does not answer: as long as
        it lives, it remembers for a while that it gave the account away."""
        return 0.0 if self._keeping is None else self._keeping.patience_s(self._name)

    def crash(self) -> None:
        """The account's process ends here and now; the supervisor notices."""
        self.crashes += 1
        self.struck_s = WORLD.now_s
        self._end_account(RESTART_S / 5)

    def crash_keeper(self) -> None:
        """The keeper's process ends here and now."""
        if self.keeper is None or self.keeper.is_dead:
            return
        self.crashes += 1
        self._loop.kill(self.keeper)
        self._later(NOTICED_S, self._begin_keeper, self.pid)

    def pause(self, for_s: float) -> None:
        """The account's process stands still; a supervisor ends a leader that hangs."""
        life = self.account
        if life is None or life.is_dead:
            return
        self.struck_s = WORLD.now_s
        self._loop.pause(life, for_s)
        self._later(max(SHORTEST_HANG_S, self._timing.ttl_s), self._end_if_hung, life)

    def pause_all(self, for_s: float) -> None:
        """The whole machine stands still."""
        for life in (self.account, self.keeper):
            if life is not None:
                self._loop.pause(life, for_s)

    def pause_keeper(self, for_s: float) -> None:
        """The lease is not renewed."""
        if self.keeper is not None:
            self._loop.pause(self.keeper, for_s)

    def stop(self) -> None:
        """SIGTERM: hand over, end, and be started again later."""
        if not self.is_on or self._stopping:
            return
        self._stopping = True
        if self._living is not None:
            self._living.cancel()
        self._later(STOP_TIMEOUT_S, self._end_stop, self.pid)

    def _end_stop(self, pid: int) -> None:
        if self.pid == pid:
            self.power_off(quiet=False, down_s=self._random.uniform(0.1, 3.0))

    def _end_if_hung(self, life: Life) -> None:
        hung = life is self.account and not life.is_dead and life.paused_until_s > WORLD.now_s
        if hung and self.board.state(self._name) is State.LEADING:
            self.crash()

    def _end_account(self, after_s: float) -> None:
        life = self.account
        if life is None or life.is_dead:
            return
        self.trader = None
        self._loop.kill(life)
        self._later(NOTICED_S, self._noticed, self.pid, after_s)

    def _noticed(self, pid: int, after_s: float) -> None:
        """The supervisor sees that the account's process has ended."""
        if self.pid != pid:
            return
        if self._stopping:
            self.board.tell(self._name, State.DOWN)
            if self._keeping is not None:
                self._keeping.stop()
            return
        self.board.tell(self._name, State.UNFIT if self.final is not None else State.DOWN)
        if self.final is None:
            self._later(after_s, self._begin_account, pid)

    # -- the processes -----------------------------------------------------------------------------

    def _begin_account(self, pid: int) -> None:
        if self.pid != pid or self._stopping:
            return
        self.starts += 1
        self.account = Life(self.machine, self._next_pid())
        self._living = self._begin(self.account, self._live(self.account), "account")

    def _begin_keeper(self, pid: int) -> None:
        if self.pid != pid:
            return
        self.keeper = Life(self.machine, self._next_pid())
        self._begin(self.keeper, self._keep(self.keeper), "keeper")

    def _begin(
        self, life: Life, work: Coroutine[Any, Any, None], what: str
    ) -> asyncio.Task[None]:
        context = contextvars.Context()
        context.run(LIFE.set, life)
        name = f"{what} of {self.machine.name}"
        return context.run(self._loop.create_task, work, name=name)

    async def _live(self, life: Life) -> None:
        began_s = self._loop.time()
        told = Telling(self.config, Slate())
        born = process.Life(self.config, Watch(), {}, self.board, told, self.reach)
        code = process.RESTED
        try:
            await process._trade(born)
        except asyncio.CancelledError:
            pass
        except PlatformError as error:
            code = process.code_of(error)
            self._count(error)
            if code == EXIT_FAILED:
                self.final = error
        except Exception as error:  # noqa: BLE001 - whatever it was, the run must tell it
            code = process.CRASHED
            self._count(error)
            if not is_of_the_world(error):
                self.defects.append("".join(traceback.format_exception(error)))
        early = code != process.RESTED and self._loop.time() - began_s < 1.0
        self._quick_ends = self._quick_ends + 1 if early else 0
        wait_s = min(RESTART_S * 2**self._quick_ends, LONGEST_RESTART_S) if early else 0.0
        if code == EXIT_USAGE:
            wait_s = LONGEST_RESTART_S  # an operator looks after it and starts it again
        if life is self.account:
            self._end_account(wait_s)

    async def _keep(self, life: Life) -> None:
        """As the supervisor's keeper process does."""
        while True:
            member = Member(
                boot_id=f"{life.pid}-{time.time_ns():x}",
                node=self.machine.name,
                host=self._host,
                pid=self.pid,
                started=0,
                version="",
                accounts=(self._name,),
            )
            self._keeping = Keeper(
                store=LeaseLine(self._leases, life),
                member=member,
                timing=self._timing,
                board=self.board,
                now_ns=time.monotonic_ns,
                is_gone=self._is_gone,
            )
            try:
                await self._keeping.run()
            except ForgottenError:
                continue
            except Exception as error:  # noqa: BLE001 - as above
                self._count(error)
                self.defects.append("".join(traceback.format_exception(error)))
                self._loop.kill(life)
                self._later(RESTART_S, self._begin_keeper, self.pid)
                return
            self._loop.kill(life)
            if self._stopping:  # handed over and left
                self._end_stop(self.pid)
            return

    def reach(self, point: str) -> None:
        """The account's process passes a named point on the path of an order."""
        life = LIFE.get()
        if life is None or life is not self.account:
            return
        if self.hold_at is not None and self.hold_at[0] == point:
            _, for_s = self.hold_at
            self.hold_at = None
            contextvars.Context().run(self.pause, for_s)
        if self.crash_at == point:
            self.crash_at = ""
            contextvars.Context().run(self.crash)
            raise Crashed
        if self.fail_at == point:
            self.fail_at = ""
            self.struck_s = WORLD.now_s
            raise MemoryError

    def _is_gone(self, member: Member) -> bool:
        """Whether another node's process is proven gone: only one's own system can tell."""
        return member.host == self._host and not self._leases.runs(member)

    @property
    def _name(self) -> str:
        return self.config.account.name

    def _new_board(self) -> LocalBoard:
        return LocalBoard(lambda: int(self.machine.own_s(WORLD.now_s) * 1e9))

    def _next_pid(self) -> int:
        self._pids += 1
        return self._pids

    def _count(self, error: Exception) -> None:
        name = type(error).__name__
        self.ends[name] = self.ends.get(name, 0) + 1

    def _later(self, after_s: float, action: Callable[..., None], *args: Any) -> None:
        """Of the world, not of the process that asks."""
        context = contextvars.Context()
        self._loop.call_at_world(WORLD.now_s + after_s, context, action, *args)


def is_of_the_world(error: BaseException | None) -> bool:
    """Whether the world made an end: a process died, or had no memory, and what else came of it
    is known to us (a last snapshot that a full disk did not take).
    """
    planted = (Crashed, MemoryError)
    if isinstance(error, BaseExceptionGroup):
        made, others = error.split(planted)
        return made is not None and (others is None or others.split(PlatformError)[1] is None)
    return isinstance(error, planted)
