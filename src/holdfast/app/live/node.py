"""A node: a supervisor, and one forked process that trades the account.

Lives here: who is started again after what, and what becomes of a strategy that never returns. The
supervisor runs no strategy and no event loop. Not here: trading (trader).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import traceback
from types import FrameType

import msgspec

from holdfast.app.live.trader import trading
from holdfast.app.live.watch import Watch
from holdfast.config import Config
from holdfast.errors import (
    EXIT_FAILED,
    EXIT_FENCED,
    EXIT_OK,
    EXIT_USAGE,
    CorruptionError,
    PlatformError,
    RetryableError,
    exit_code,
)
from holdfast.execution.points import Reach, pass_by
from holdfast.telemetry.log import get_logger

log = get_logger("app.node")

DECIDE_BUDGET_S = 2.0  # a strategy that takes longer has hung, or starves its whole account
HANG_S = 30.0  # an event loop that does not turn for this long, whatever it does
POLL_S = 0.05
STOP_TIMEOUT_S = 8.0
CLOSE_TIMEOUT_S = 6.0  # of the account process itself, also when nobody supervises it any more
DEATHS_WHILE_DECIDING = 2
_CRASHED = 70  # ended by a defect: begin again, from the journal
_FINAL = {EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_FENCED}


class Blame(msgspec.Struct):
    """Which bots cost their process its life, and which must not be asked again."""

    deaths: dict[str, int] = {}
    quarantine: dict[str, str] = {}

    def hung(self, bot: str, seconds: float) -> None:
        """Its strategy did not return within the budget."""
        self.quarantine[bot] = f"its strategy did not return within {seconds:.1f} s"

    def died(self, bot: str) -> None:
        """The process ended while it was deciding; the second time is no coincidence."""
        self.deaths[bot] = self.deaths.get(bot, 0) + 1
        if self.deaths[bot] >= DEATHS_WHILE_DECIDING:
            self.quarantine[bot] = f"its process died {self.deaths[bot]} times while it decided"


class Supervisor:
    """Keeps one account process alive until it is told to stop or must not go on."""

    def __init__(self, config: Config, reach: Reach = pass_by) -> None:
        self._config = config
        self._reach = reach
        self._watch = Watch()
        self._blame = Blame()
        self._stopping = False

    def run(self) -> int:
        """Supervise until the end; the exit code of the node."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        restarts = 0
        while True:
            began = time.monotonic()
            code = self._one_life()
            if self._stopping or code in _FINAL:
                return EXIT_OK if self._stopping and code not in _FINAL else code
            restarts = restarts + 1 if _is_early(code, time.monotonic() - began) else 0
            log.warning("account process ended", action="restart", code=code, restarts=restarts)
            time.sleep(min(0.25 * 2**restarts, 10.0) if restarts else 0.0)

    def _one_life(self) -> int:
        """Fork the account process and wait for its end; its exit code, negative for a signal."""
        self._watch.clear()
        alive_read, alive_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(alive_write)
            _account_process(
                self._config, self._watch, self._blame.quarantine, self._reach, alive_read
            )
        os.close(alive_read)
        try:
            return self._wait(pid)
        finally:
            os.close(alive_write)

    def _wait(self, pid: int) -> int:
        beats, beat_at, told_at = -1, time.monotonic(), 0.0
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return self._judged(os.waitstatus_to_exitcode(status))
            now = time.monotonic()
            if self._watch.beats != beats:
                beats, beat_at = self._watch.beats, now
            if self._stopping and not told_at:
                os.kill(pid, signal.SIGTERM)
                told_at = now
            if self._is_hung(now - beat_at) or (told_at and now - told_at > STOP_TIMEOUT_S):
                os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_S)

    def _is_hung(self, silent_s: float) -> bool:
        deciding = self._watch.deciding()
        if deciding is not None and deciding[1] > DECIDE_BUDGET_S and silent_s > DECIDE_BUDGET_S:
            bot = self._config.bots[deciding[0]].name
            self._blame.hung(bot, deciding[1])
            log.error("a strategy does not return", action="decide_hung", bot=bot)
            return True
        if silent_s > HANG_S:
            log.error("the event loop does not turn", action="loop_hung", silent_s=silent_s)
            return True
        return False

    def _judged(self, code: int) -> int:
        """The code to go by: a process that ended within `decide` has not ended on purpose."""
        deciding = self._watch.deciding()
        if deciding is None:
            return code
        self._blame.died(self._config.bots[deciding[0]].name)
        return _CRASHED

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _is_early(code: int, lived_s: float) -> bool:
    """Whether a life was so short that the next one had better wait.

    A defect comes back; a process that was killed from outside has done nothing wrong.
    """
    return lived_s < (10.0 if code == _CRASHED else 1.0)


def _account_process(
    config: Config, watch: Watch, quarantine: dict[str, str], reach: Reach, alive: int
) -> None:
    """The child: trade until told to stop. Never returns."""
    code = _CRASHED
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor passes a stop on
        code = asyncio.run(_trade(config, watch, quarantine, reach, alive))
    except PlatformError as error:
        code = _code_of(error)
        print(f"holdfast node: {error}", file=sys.stderr)  # noqa: T201 - before and after logs
    except BaseException:  # noqa: BLE001 - the process ends here; nothing may reach the fork's parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(error: PlatformError) -> int:
    """What would only repeat itself ends the node; the rest begins again from the journal."""
    if isinstance(error, CorruptionError):
        return EXIT_FAILED
    code = exit_code(error)
    return code if code in {EXIT_USAGE, EXIT_FENCED} else _CRASHED


async def _trade(
    config: Config, watch: Watch, quarantine: dict[str, str], reach: Reach, alive: int
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(alive, stop.set)  # the supervisor is gone: end as if it had said so
    waiting = asyncio.create_task(stop.wait())
    life = asyncio.create_task(_live(config, watch, quarantine, reach))
    await asyncio.wait({waiting, life}, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(alive)
    if stop.is_set():
        log.info("stopping", action="stopping")
    if life.done():
        waiting.cancel()
        await life
        return _CRASHED
    life.cancel()
    await asyncio.wait({life}, timeout=CLOSE_TIMEOUT_S)
    if not life.done():
        # The journal is made for an end at any moment; waiting on would keep it from the next node.
        log.error("the account does not close", action="close_hung", after_s=CLOSE_TIMEOUT_S)
        os._exit(_CRASHED)
    if not life.cancelled() and (error := life.exception()) is not None:
        raise error
    return EXIT_OK


async def _live(config: Config, watch: Watch, quarantine: dict[str, str], reach: Reach) -> None:
    """Trade; an exchange that does not answer at start is asked again, from the beginning."""
    wait_s = 0.2
    while True:
        try:
            async with trading(config, watch, quarantine=quarantine, reach=reach) as trader:
                log.info("trading", action="trading", bots=[bot.name for bot in trader.bots])
                await trader.run()
        except (PlatformError, ExceptionGroup) as error:
            cause = platform_cause(error)
            if cause is None:
                raise
            if not isinstance(cause, RetryableError):
                raise cause from None  # what ended beside it ended because of it
            log.warning("cannot trade yet", action="start_wait", why=str(cause))
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 5.0)


def platform_cause(error: Exception) -> PlatformError | None:
    """What the end of an account is about: the one error of ours that decides what is done next.

    Parts that run side by side end in a group. An error that asks for an end goes before one that
    asks for another try, and a defect before both: None, since none of ours explains it.
    """
    causes: list[PlatformError] = []
    pending: list[BaseException] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseExceptionGroup):
            pending += one.exceptions
        elif isinstance(one, PlatformError):
            causes.append(one)
        else:
            return None
    return min(causes, key=lambda cause: isinstance(cause, RetryableError))


def run_node(config: Config, reach: Reach = pass_by) -> int:
    """Run a node until SIGTERM, SIGINT or an end that would only repeat itself; the exit code."""
    return Supervisor(config, reach).run()
