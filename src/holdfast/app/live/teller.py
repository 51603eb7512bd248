"""A node's metrics port: a process of its own that serves what all the others have left.

It runs no strategy and holds no lease, so a scrape costs neither. Whoever has ended has no gauges
any more, and who leads no more none of a leader's; what was counted stays. Not here: the numbers
(telling), the server (app.metrics_port).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from holdfast.app.live.board import SharedBoard
from holdfast.app.live.process import CRASHED, forked, run_child
from holdfast.app.live.slate import Left, Slate
from holdfast.cluster.board import State
from holdfast.config import Config
from holdfast.telemetry.catalogue import METRICS, labels, node, trading
from holdfast.telemetry.catalogue.metric import Emitter, Kind, Metric
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.meter import Meter, Numbers
from holdfast.telemetry.runtime import Runtime, tell_build

log = get_logger("app.teller")

AGAIN_S: Final = 5.0
"""Between two tries to begin it again: nobody trades worse without it."""

_ACCOUNT: Final = labels.ACCOUNT.name
_GAUGES: Final = {metric.name for metric in METRICS if metric.kind is Kind.GAUGE}
_GAUGES_OF_LEADER: Final = {
    metric.name
    for metric in METRICS
    if metric.kind is Kind.GAUGE and metric.emitters == (Emitter.LEADER,)
}


class AccountHealth(msgspec.Struct, frozen=True):
    """How one account of a node is.

    Attributes:
        state: `down`, `following`, `leading` or `unfit`.
        leads: it leads, and the lease runs.
        reaches: exchange and journal answer it.
        heartbeat_age_s: since its process last told; None without a process.
        epoch, in_doubt: as that said; None without a process, or where only a leader knows.
    """

    state: str
    leads: bool
    reaches: bool
    heartbeat_age_s: float | None
    epoch: int | None
    in_doubt: int | None


class NodeHealth(msgspec.Struct, frozen=True):
    """What a node answers to `/health`."""

    node: str
    lease_left_s: float
    accounts: dict[str, AccountHealth]


class Sources:
    """What a node's processes have left, read together.

    Args:
        slates: of the accounts, by name.
        exchanges: where each of them trades, by its name.
    """

    def __init__(
        self,
        name: str,
        board: SharedBoard,
        slates: Mapping[str, Slate],
        exchanges: Mapping[str, str],
    ) -> None:
        self._name = name
        self._board = board
        self._slates = slates
        self._exchanges = exchanges
        self._meter = Meter()
        Runtime(self._meter, "teller")  # whichever process looks; the supervisor never does
        Runtime(self._meter, "supervisor", pid=os.getpid())
        tell_build(self._meter)
        self._meter.on_collect(self._look)

    def sources(self) -> Iterator[tuple[Numbers, dict[str, str]]]:
        """Numbers, and the labels that all of them have."""
        yield self._meter.collected(), {}
        for account, slate in self._slates.items():
            left = slate.read()
            if left is not None:
                yield self._still_true(account, left), {_ACCOUNT: account}

    def metrics(self, accept: str = "") -> tuple[bytes, str]:
        """For Prometheus; see `telemetry.exposition.page`."""
        # Not at the node's start: only this process needs it.
        from holdfast.telemetry.exposition import Source, page  # noqa: PLC0415

        return page([Source(numbers, fixed) for numbers, fixed in self.sources()], accept)

    def is_ready(self) -> bool:
        """Whether every account could act from here: it is led, or followed warm."""
        states = (self._board.state(account) for account in self._slates)
        return all(state in {State.FOLLOWING, State.LEADING} for state in states)

    def health(self) -> bytes:
        """In detail, as JSON."""
        accounts = {
            account: self._health(account, slate.read()) for account, slate in self._slates.items()
        }
        return msgspec.json.encode(NodeHealth(self._name, self._board.lease_left_s, accounts))

    def _still_true(self, account: str, left: Left) -> Numbers:
        """What was counted, and of what is set only what whoever set it still is.

        A process that has ended is nothing; one that hangs, or was paused, is no leader any more
        when its lease has run out, although it can take nothing back.
        """
        if left.is_alive and self._leads(account):
            return left.numbers
        gone = _GAUGES_OF_LEADER if left.is_alive else _GAUGES
        return {name: values for name, values in left.numbers.items() if name not in gone}

    def _health(self, account: str, left: Left | None) -> AccountHealth:
        alive = left if left is not None and left.is_alive else None
        numbers = self._still_true(account, alive) if alive is not None else {}
        return AccountHealth(
            state=self._board.state(account).name.lower(),
            leads=self._leads(account),
            reaches=self._board.reaches(account),
            heartbeat_age_s=round(alive.age_s, 3) if alive is not None else None,
            epoch=_one(numbers, node.EPOCH),
            in_doubt=_one(numbers, trading.ORDERS_IN_DOUBT),
        )

    def _leads(self, account: str) -> bool:
        return self._board.state(account) is State.LEADING and self._board.may_lead(account)

    def _look(self) -> None:
        meter, board = self._meter, self._board
        meter.gauge(node.LEASE_LEFT).set(board.lease_left_s)
        for account, slate in self._slates.items():
            own = (account,)
            is_warm = board.state(account) is State.FOLLOWING and board.reaches(account)
            meter.gauge(node.LEADER).set(self._leads(account), own)
            meter.gauge(node.STANDBY_READY).set(is_warm, own)
            self._tell_reach(account)
            left = slate.read()
            if left is not None and left.is_alive:
                meter.gauge(node.HEARTBEAT).set(time.time() - left.age_s, own)
                meter.gauge(node.LOOP_AGE).set(left.age_s, own)


    def _tell_reach(self, account: str) -> None:
        """Told from here: an account's process ends, and begins in vain, where nothing answers."""
        reachable = self._meter.gauge(node.REACHABLE)
        labels = (account, self._exchanges[account])
        answered = self._board.exchange_answered(account)
        if answered is None or self._board.state(account) is State.UNFIT:  # nobody asks it
            reachable.values.pop(labels, None)
        else:
            reachable.set(answered, labels)


def _one(numbers: Numbers, metric: Metric) -> int | None:
    found = numbers.get(metric.name, {}).get(())
    return None if found is None else int(found)


class Teller:
    """The process as its supervisor sees it: begun, begun again, ended.

    Args:
        alive: end of a pipe that is closed when the supervisor is gone; `held_open` the other one,
            which a child must not keep.
    """

    def __init__(self, config: Config, told: Sources, alive: int, held_open: int) -> None:
        self._config = config
        self._told = told
        self._alive = alive
        self._held_open = held_open
        self._pid = 0
        self._due_s = 0.0

    @property
    def pid(self) -> int:
        """Of its process; 0 while there is none."""
        return self._pid

    def look(self) -> None:
        """Begin it when there is none, not too often."""
        if self._pid:
            ended, _ = os.waitpid(self._pid, os.WNOHANG)
            if not ended:
                return
            self._pid = 0
        if time.monotonic() >= self._due_s:
            self._due_s = time.monotonic() + AGAIN_S
            self._begin()

    def end(self) -> None:
        """The node is over."""
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # it keeps nothing
            os.waitpid(self._pid, 0)
            self._pid = 0

    def _begin(self) -> None:
        try:
            self._pid = forked("teller", self._process)
        except OSError as error:  # it is tried again; what tells numbers ends no node
            log.warning("no process to tell them", action="telling_failed", why=str(error))

    def _process(self) -> None:
        os.close(self._held_open)
        run_child("teller", self._serve(), self._alive, lambda _: CRASHED, CRASHED)

    async def _serve(self) -> None:
        from holdfast.app.metrics_port import Pages, serving  # noqa: PLC0415  # as above

        told = self._told
        pages = Pages(told.metrics, told.is_ready, told.health)
        # Its end is the process's: nothing is answered once the node is gone.
        settings = self._config.api
        with serving(settings.metrics_port, pages, settings.host) as port:
            log.info("metrics", action="metrics_listening", at=f"http://{settings.host}:{port}")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                os._exit(0)
