"""A node: a supervisor, a keeper, a teller, and one forked process for each account.

Lives here: the supervisor, which runs no strategy and no event loop, and the keeper's process. Not
here: one account's process (seat, process), when to lead (cluster).
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import msgspec

from holdfast import __version__
from holdfast.app.live.added import Added
from holdfast.app.live.board import SharedBoard, lease_clock_ns
from holdfast.app.live.opening import database_of
from holdfast.app.live.process import CRASHED, Life, account_process, forked, run_child
from holdfast.app.live.seat import AGAIN_S, NO_FORK_S, STOP_TIMEOUT_S, Seat
from holdfast.app.live.slate import Slate
from holdfast.app.live.teller import Sources, Teller
from holdfast.app.live.telling import Telling
from holdfast.app.live.watch import Watch
from holdfast.app.logs import level_of
from holdfast.app.reload import is_asked_by_hangup, reloaded
from holdfast.cluster.host import host_id, is_gone, started_at
from holdfast.cluster.keeper import Keeper
from holdfast.cluster.open import lease_store_at, lease_url_beside
from holdfast.cluster.port import ForgottenError, Member, TwinError
from holdfast.config import Config
from holdfast.errors import EXIT_OK, EXIT_USAGE, ConfigError, PlatformError
from holdfast.execution.points import Reach, pass_by
from holdfast.telemetry.context import identify
from holdfast.telemetry.log import get_logger, set_level

log = get_logger("app.node")

REFUSED = 78  # the lease store refuses the keeper
POLL_S = 0.02
SHORTEST_HANG_S = 1.0


class Signals:
    """What a node was told by signals; they may come while one supervisor follows another."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.stop = False
        self.hung_up = False


class Supervisor:
    """Keeps the keeper and the accounts' processes alive until told to stop.

    Args:
        config: as it is written; accounts that commands added come to it.

    Attributes:
        config: that, as it was last read.
    """

    def __init__(
        self,
        config: Config,
        reach: Reach = pass_by,
        file: Path | None = None,
        signals: Signals | None = None,
    ) -> None:
        self.config = config
        self._file = file
        self._signals = signals or Signals()
        node = config.cluster.node or f"{os.uname().nodename}-{os.getpid()}"
        self._added = Added(config, node)
        config, refused = self._added.joined()
        for account, why in refused.items():
            log.error("account left out", action="account_refused", account=account, why=why)
        self._reach = reach
        self._timing = config.cluster.timing
        self._lease_url = config.cluster.lease_url or lease_url_beside(config.database_url)
        names = [account.name for account in config.all_accounts]
        self._board = SharedBoard(names)
        self._slates = {name: Slate() for name in names}
        self._alive, self._held_open = os.pipe()
        hang_s = max(SHORTEST_HANG_S, self._timing.ttl_s)
        added = {account.name for account in self._added.there}
        self._seats = [
            Seat(
                config.for_account(name), self._board, hang_s, self._account, is_added=name in added
            )
            for name in names
        ]
        self._member = Member(
            boot_id="",
            node=node,
            host=host_id(),
            pid=os.getpid(),
            started=started_at(os.getpid()),
            version=__version__,
            accounts=tuple(names),
        )
        identify(node=self._member.node)
        exchanges = {account.name: account.venue.kind for account in config.all_accounts}
        told = Sources(self._member.node, self._board, self._slates, exchanges)
        self._teller = Teller(config, told, self._alive, self._held_open)
        self._keeper = 0
        self._keeper_code: int | None = None
        self._keeper_due_s = 0.0
        self._has_kept = False  # a lease, so that this node was configured rightly
        self._told_s = 0.0
        self._stopping = False

    def run(self) -> int:
        """Supervise until the end; the exit code of the node."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if is_asked_by_hangup():
            signal.signal(signal.SIGHUP, self._on_hangup)
        self._share()
        while True:
            if self._signals.hung_up:
                self._signals.hung_up = False
                self._reload()
            self._stopping |= self._signals.stop or self._board.begins_anew()
            self._look_after_keeper()
            self._teller.look()
            for seat in self._seats:
                seat.look(stopping=self._stopping)
            if self._is_over():
                self._teller.end()
                return self._code()
            time.sleep(POLL_S)

    @property
    def begins_anew(self) -> bool:
        """Whether another one is to follow, because there are other accounts."""
        anew = self._board.begins_anew()
        return anew and not self._signals.stop and self._keeper_code is None

    def close(self) -> None:
        """Let go of what only its processes needed; they have ended."""
        os.close(self._alive)
        os.close(self._held_open)
        self._board.close()
        gc.unfreeze()

    def _share(self) -> None:
        """Have in memory, once, what every process forked off here needs and none of them changes.

        A store's driver costs each account a fifth of a second of processor time, and forty that
        begin together ten seconds. What is here now is never garbage: no child looks through it,
        which would also make it a copy of its own.
        """
        with suppress(ConfigError):  # who needs it says so, and ends
            database_of(self.config)
            lease_store_at(self._lease_url, self._timing, self.config.deployment)
        gc.collect()
        gc.freeze()

    def _is_over(self) -> bool:
        """Whether no account is left; the keeper is told then, and leaves."""
        if any(seat.is_running for seat in self._seats):
            return False
        if not self._stopping and any(seat.code is None for seat in self._seats):
            return False
        self._stopping = True
        return not self._keeper

    def _code(self) -> int:
        codes = [seat.code for seat in self._seats if seat.code] + [self._keeper_code or EXIT_OK]
        return codes[0]

    def _look_after_keeper(self) -> None:
        """Begin it again when it ends; what it cannot go on with ends the node.

        What refuses it now and let it in before may do so again: one side of a rotation is late, or
        the store is being restored, for every node at once. No lease of this node is renewed
        meanwhile. A twin stays one.
        """
        if not self._keeper:
            if not self._stopping:
                self._begin_keeper()
            return
        self._has_kept |= self._board.lease_left_s > 0
        ended, status = os.waitpid(self._keeper, os.WNOHANG)
        if ended:
            self._keeper = 0
            code = os.waitstatus_to_exitcode(status)
            if code == EXIT_USAGE or (code == REFUSED and not self._has_kept):
                self._keeper_code, self._stopping = EXIT_USAGE, True
            elif not self._stopping:
                log.warning("keeper ended", action="keeper_restart", code=code)
                wait_s = AGAIN_S if code == REFUSED else POLL_S
                self._keeper_due_s = time.monotonic() + wait_s
        elif self._stopping:
            now_s = time.monotonic()
            if not self._told_s:
                os.kill(self._keeper, signal.SIGTERM)
                self._told_s = now_s
            elif now_s - self._told_s > STOP_TIMEOUT_S:
                os.kill(self._keeper, signal.SIGKILL)

    def _begin_keeper(self) -> None:
        now_s = time.monotonic()
        if now_s < self._keeper_due_s:
            return
        try:
            self._keeper = forked("keeper", self._keeper_process)
        except OSError as error:  # as of an account's process
            log.error(  # noqa: TRY400 - nothing of ours failed
                "no process for the keeper", action="keeper_restart", why=str(error)
            )
            self._keeper_due_s = now_s + NO_FORK_S

    def _keeper_process(self) -> None:
        os.close(self._held_open)
        run_child("keeper", self._keep(), self._alive, _code_of_keeper, EXIT_OK)

    async def _keep(self) -> None:
        """The keeper's process: under another boot id whenever the store has forgotten it."""
        while True:
            boot_id = f"{os.getpid()}-{time.time_ns():x}"
            store = lease_store_at(self._lease_url, self._timing, self.config.deployment)
            keeper = Keeper(
                store=store,
                member=msgspec.structs.replace(self._member, boot_id=boot_id),
                timing=self._timing,
                board=self._board,
                now_ns=lease_clock_ns,
                is_gone=is_gone,
            )
            looking = asyncio.create_task(self._look_for_accounts(keeper))
            try:
                await _kept(keeper)
            except ForgottenError as error:
                log.warning("forgotten", action="forgotten", why=str(error))
            else:
                return
            finally:
                looking.cancel()
                await store.close()

    async def _look_for_accounts(self, keeper: Keeper) -> None:
        """Whatever becomes of that, leases go on."""
        try:
            await self._added.changed(keeper.beside)
        except Exception:
            log.exception("accounts are not looked for", action="accounts_wait")
        else:
            log.warning("begins anew, accounts have changed", action="accounts_changed")
            self._board.begin_anew()

    def _account(self, config: Config, watch: Watch, quarantine: dict[str, str]) -> None:
        os.close(self._held_open)
        told = Telling(config, self._slates[config.account.name])
        life = Life(config, watch, quarantine, self._board, told, self._reach)
        account_process(life, self._alive)

    def _reload(self) -> None:
        """Take what may be, here and in every process that runs; whoever begins later inherits."""
        self.config = reloaded(self.config, self._file)
        self._board.log_from(level_of(self.config))
        pids = [self._keeper, self._teller.pid, *(seat.pid for seat in self._seats)]
        for pid in filter(None, pids):
            os.kill(pid, signal.SIGHUP)  # ours until it is waited for, also when it has ended

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        """Also in the processes that are forked off: each is told by the supervisor."""
        if os.getpid() == self._signals.pid:
            self._signals.hung_up = True
        elif level := self._board.logs_from():
            set_level(level)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals.stop = True


async def _kept(keeper: Keeper) -> None:
    """Until it ends by itself; told to stop, it hands over first."""
    keeping = asyncio.create_task(keeper.run())
    try:
        await asyncio.shield(keeping)
    except asyncio.CancelledError:
        keeper.stop()
        with suppress(ForgottenError):  # it has left already
            await keeping


def _code_of_keeper(error: PlatformError) -> int:
    if isinstance(error, TwinError):
        return EXIT_USAGE
    return REFUSED if isinstance(error, ConfigError) else CRASHED


def run_node(config: Config, reach: Reach = pass_by, file: Path | None = None) -> int:
    """Run a node until SIGTERM, SIGINT or an end that would only repeat itself; the exit code.

    Args:
        file: that SIGHUP reads the configuration from again; None is the working directory's.
    """
    signals = Signals()
    while True:
        supervisor = Supervisor(config, reach, file, signals)
        code = supervisor.run()
        if not supervisor.begins_anew:
            return code
        config = supervisor.config
        supervisor.close()
