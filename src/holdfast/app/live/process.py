"""The process of one account: it follows until it is to lead, and leads until it is not.

Read `_live` from top to bottom. Not here: who decides that (cluster), what becomes of an end
(seat), trading itself (trader).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from holdfast.app.live import bans
from holdfast.app.live.bots import symbols_of
from holdfast.app.live.emergency import keep_symbols
from holdfast.app.live.follower import Follower, OutgrownError, following
from holdfast.app.live.keys import KeyKeeper
from holdfast.app.live.telling import Telling
from holdfast.app.live.trader import leading
from holdfast.app.live.watch import Watch
from holdfast.app.logs import begin_exports, end_exports
from holdfast.cluster.board import Board, State, Wanted
from holdfast.config import Config
from holdfast.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    CorruptionError,
    FencedError,
    PlatformError,
    RetryableError,
    exit_code,
)
from holdfast.execution.points import Reach
from holdfast.telemetry.log import get_logger

log = get_logger("app.process")

CRASHED = 70  # ended by a defect: begin again, from the journal
RESTED = 75  # it leads no more: begin again, as a follower
_REASONS = {Wanted.LEAD: "stop", Wanted.YIELD: "handover", Wanted.FOLLOW: "deposed"}
LEASE_POLL_S = 0.02
FIRST_WAIT_S, LAST_WAIT_S = 0.2, 5.0
LIVED_S = 10.0  # after which an end has nothing to do with the one before
BEAT_S = 0.1  # a tenth of the shortest time that a leader may hang; each beat wakes a processor
CLOSE_TIMEOUT_S = 6.0  # also when nobody supervises it any more
END_TIMEOUT_S = CLOSE_TIMEOUT_S + 2.0  # then it is over, whatever it still waits for
SPIN_S = 600.0  # of processors' time between two beats; a supervisor ends it long before


class Life(msgspec.Struct, frozen=True):
    """What an account's process is born with.

    Attributes:
        config: of this account alone.
        quarantine: bots that must not be asked again, with the reason.
        told: its numbers.
    """

    config: Config
    watch: Watch
    quarantine: dict[str, str]
    board: Board
    told: Telling
    reach: Reach

    @property
    def account(self) -> str:
        """Its name."""
        return self.config.account.name


def forked(name: str, run: Callable[[], None]) -> int:
    """Fork off a process for `run`, which ends the process; the new one's id.

    What `run` raises ends it as a crash, and nothing of the parent's, which both have on the stack.

    Args:
        name: of the process, for the log.

    Raises:
        OSError: the system gives no process.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        run()
    except BaseException:  # such as no memory, or no descriptor, for what it begins with
        log.exception("crashed before it had begun", action="process_crashed", process=name)
    finally:
        os._exit(CRASHED)


def account_process(life: Life, alive: int) -> None:
    """The child: follow and lead until told to stop. Never returns.

    Args:
        alive: end of a pipe that is closed when the supervisor is gone.
    """
    run_child(life.account, _told(life), alive, code_of, RESTED)


def run_child(
    name: str,
    work: Coroutine[Any, Any, None],
    alive: int,
    code_of: Callable[[PlatformError], int],
    ended: int,
) -> None:
    """A forked process that runs `work` until it ends or SIGTERM comes. Never returns.

    Args:
        name: of the process, for the log.
        code_of: the exit code of a `PlatformError`.
        ended: the exit code when `work` ends by itself.
    """
    code = CRASHED
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor passes a stop on
        begin_exports("node", process=name)
        _begin_thread(_end_after_supervisor, name, alive)
        code = asyncio.run(_until_told(name, work, alive, ended))
    except PlatformError as error:
        code = code_of(error)
        log.error(  # noqa: TRY400 - it says what to do, its trace would say nothing more
            "ended by an error", action="process_ended", process=name, why=str(error)
        )
    except BaseException:  # the process ends here; nothing may reach the fork's parent
        log.exception("the process crashed", action="process_crashed", process=name)
    finally:
        with suppress(Exception):  # it ends, and what it told elsewhere is in the log as well
            end_exports()
        with suppress(Exception):  # the code says what is done next, also where no log is taken
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


async def _until_told(
    name: str, work: Coroutine[Any, Any, None], alive: int, ended: int
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(alive, stop.set)  # the supervisor is gone: end as if it had said so
    waiting = asyncio.create_task(stop.wait())
    life = asyncio.create_task(work)
    await asyncio.wait({waiting, life}, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(alive)
    _begin_thread(_end_soon, name)  # a loop that ends waits for its threads, and for how long?
    if stop.is_set():
        log.info("stopping", action="stopping", process=name)
    if life.done():
        waiting.cancel()
        await life
        return ended
    life.cancel()
    await asyncio.wait({life}, timeout=CLOSE_TIMEOUT_S)
    if not life.done():
        # The journal is made for an end at any moment; waiting on would keep it from the next node.
        log.error("the process does not close", action="close_hung", after_s=CLOSE_TIMEOUT_S)
        os._exit(CRASHED)
    if not life.cancelled() and (error := life.exception()) is not None:
        raise error
    return EXIT_OK


def _begin_thread(run: Callable[..., None], *args: object) -> None:
    threading.Thread(target=run, args=args, daemon=True).start()


def _end_after_supervisor(name: str, alive: int) -> None:
    """Where a strategy does not return, the event loop hears nothing, and nobody else ends it."""
    os.read(alive, 1)  # nobody writes: it comes back when the other end is closed
    _end_soon(name)


def _end_soon(name: str) -> None:
    """Whatever the event loop waits for: what can be closed in order has been by then."""
    time.sleep(END_TIMEOUT_S)
    signal.alarm(1)  # the system's: the log may take nothing
    log.error("does not end", action="close_hung", process=name, after_s=END_TIMEOUT_S)
    os._exit(CRASHED)


def code_of(error: PlatformError) -> int:
    """What would only repeat itself ends the account; the rest begins again from the journal."""
    if isinstance(error, CorruptionError):
        return EXIT_FAILED
    if isinstance(error, FencedError):
        return RESTED
    code = exit_code(error)
    return code if code == EXIT_USAGE else CRASHED


async def _told(life: Life) -> None:
    beating = asyncio.create_task(_beat(life.watch), name="beating")
    try:
        async with life.told.telling():
            await _trade(life)
    finally:
        beating.cancel()


async def _beat(watch: Watch) -> None:
    """Show that the event loop turns, also while nothing can be followed yet.

    Code that holds the interpreter's lock for ever lets no thread run: where the supervisor is
    gone, the system ends it. By processors' time, of which a host that is paused spends none.
    """
    while True:
        watch.beat()
        signal.setitimer(signal.ITIMER_PROF, SPIN_S)
        await asyncio.sleep(BEAT_S)


async def _trade(life: Life) -> None:
    """Follow and lead; an exchange that does not answer at start is asked again.

    What ended soon after it had begun waits longer each time, so that nothing that comes back by
    itself spends the limits of the exchange; who outgrew what it followed waits only then.
    """
    wait_s = FIRST_WAIT_S
    while True:
        began_s = time.monotonic()
        try:
            await _live(life)
        except (PlatformError, ExceptionGroup) as error:
            cause = platform_cause(error)
            if cause is None:
                raise
            if isinstance(cause, FencedError):
                log.warning("fenced", action="fenced", why=str(cause))
            if not isinstance(cause, RetryableError):
                raise cause from None  # what ended beside it ended because of it
            log.warning("cannot trade yet", action="start_wait", why=str(cause))
            life.board.tell(life.account, State.DOWN)
            if time.monotonic() - began_s > LIVED_S:
                wait_s = FIRST_WAIT_S
            if not (isinstance(cause, OutgrownError) and wait_s == FIRST_WAIT_S):
                await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)
        else:
            return


async def _live(life: Life) -> None:
    """Follow until the account is to be led here; lead until it is not.

    Nothing can be followed before the exchange has answered, and during a ban it is not asked.
    """
    if await bans.bans_of(life.config).over():
        log.info("the ban is over", action="ban_over")
    followed = following(
        life.config, life.watch, life.quarantine, life.told.counts,
        lambda answers: life.board.exchange_answers(life.account, answers),
    )  # fmt: skip
    async with followed as follower, asyncio.TaskGroup() as group:
        traded = symbols_of(follower.bots)
        await asyncio.to_thread(keep_symbols, life.config, follower.account, traded)
        life.told.follower = follower

        def tell(reaches: bool) -> None:
            has_key = follower.keys.serves(leads=follower.is_leading)
            life.board.key(life.account, has_key)
            life.board.reach(life.account, reaches)

        follower.on_reach = tell
        follower.tell_reach()  # the exchange has just answered, whatever the one before had said
        feeding = group.create_task(follower.run())
        life.board.tell(life.account, State.FOLLOWING)
        log.info("following", action="following", seq=follower.account.seq)
        try:
            await _until_it_may_lead(life, follower.keys)
            await _lead(life, follower)
        finally:
            life.told.follower = None
            life.told.tell()  # what it knew is true no more
        feeding.cancel()


async def _until_it_may_lead(life: Life, keys: KeyKeeper) -> None:
    """What was wanted stands on the board for as long as the keeper hangs: the lease has to run.

    So has a key to be taken; whoever else has one is given the account meanwhile.
    """

    def may_lead() -> bool:
        return life.board.may_lead(life.account) and not keys.is_awaited

    while not may_lead():
        await life.board.until(life.account, Wanted.LEAD)
        if not may_lead():
            await asyncio.sleep(LEASE_POLL_S)


async def _lead(life: Life, follower: Follower) -> None:
    board, name = life.board, life.account
    silent_s = board.silent_s(name)
    board.fell_silent(name, 0)
    async with leading(
        follower,
        reach=life.reach,
        may_lead=lambda: board.may_lead(name),
        why_rests=lambda: _REASONS[board.wanted(name)],
        at_rest=lambda: board.tell(name, State.DOWN),
        silent_s=silent_s,
    ) as trader:
        board.tell(name, State.LEADING)
        life.told.trader = trader
        log.info("trading", action="trading", bots=[bot.name for bot in trader.bots])
        trading = asyncio.create_task(trader.run())
        until = asyncio.create_task(board.until(name, Wanted.FOLLOW, Wanted.YIELD))
        try:
            await asyncio.wait({trading, until}, return_when=asyncio.FIRST_COMPLETED)
            if trading.done():
                await trading
        finally:
            life.told.trader = None
            for task in (trading, until):
                task.cancel()
            await asyncio.wait({trading, until})
            failure = None if trading.cancelled() else trading.exception()
            if failure is not None and not until.cancelled():  # else it is raised
                log.warning("failed while it came to rest", action="rest_failed", why=str(failure))
        log.info("resting", action="resting", wanted=board.wanted(name).name)


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
