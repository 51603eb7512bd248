"""What happens to an account, counted: facts as its leader journals them, requests, streams.

Nothing on the path of an order counts by itself: it is told of here what became durable, and how
long that took. Not here: what is now (gauges), handing the numbers on (telling).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from holdfast.domain import fact as facts
from holdfast.domain.event import Committed
from holdfast.domain.fact import Armed
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderState
from holdfast.execution.passage import Passage
from holdfast.journal.port import Group
from holdfast.ledger.state import AccountState
from holdfast.strategy.api import Strategy, View
from holdfast.strategy.wish import Returned
from holdfast.telemetry.catalogue import labels, node, trading
from holdfast.telemetry.meter import Labels, Meter

NS: Final = 1e9
STATUSES: Final = (
    "placed", "acknowledged", "filled", "cancelled", "rejected", "not_sent", "in_doubt",
    "never_executed",
)  # fmt: skip
FAILURES: Final = (
    "timeout", "connection", "throttled", "maintenance", "unauthorized", "unusable",
)  # fmt: skip
RULES: Final = (
    "symbols", "instrument", "price", "filters", "price_band", "holding", "draining", "halted",
    "maintenance", "circuit_breaker", "quarantine", "doubt", "max_order_notional",
    "max_position_notional", "max_open_orders", "max_orders_per_minute", "max_daily_loss",
    "max_drawdown_pct", "balance",
)  # fmt: skip
_OF_ATTEMPT: Final = {
    AttemptState.ACKED: "acknowledged",
    AttemptState.REJECTED: "rejected",
    AttemptState.NOT_SENT: "not_sent",
    AttemptState.IN_DOUBT: "in_doubt",
    AttemptState.NEVER_EXECUTED: "never_executed",
}
_OF_ORDER: Final = {
    OrderState.FILLED: "filled",
    OrderState.CANCELLED: "cancelled",
    OrderState.EXPIRED: "cancelled",
    OrderState.REJECTED: "rejected",
}
# No byte of these, or no execution, will ever take the exposure off.
_FAILED: Final = frozenset(
    {AttemptState.REJECTED, AttemptState.NOT_SENT, AttemptState.NEVER_EXECUTED}
)
_OURS: Final = ("ours",)
_FOREIGN: Final = ("foreign",)
_ARMING: Final = ("arming",)
_OTHER: Final = ("other",)

Ask = Callable[[Strategy, View], Returned]


class Counts:
    """The counters and histograms of one account's process.

    Args:
        exchange: its kind.
        symbols: that bots trade; their series are there from the start, so that rates see the
            first order.
        meter: where they are kept, without the label `account`.
    """

    def __init__(
        self, exchange: str, symbols: Iterable[str] = (), meter: Meter | None = None
    ) -> None:
        self.meter = meter = meter or Meter(without=(labels.ACCOUNT.name,))
        self._exchange = exchange
        self._account = AccountState()
        self._orders = meter.counter(trading.ORDERS)
        self._trades = meter.counter(trading.TRADES)
        self._volume = meter.counter(trading.VOLUME)
        self._fees = meter.counter(trading.FEES)
        self._decisions = meter.counter(trading.DECISIONS)
        self._refusals = meter.counter(trading.REFUSALS)
        self._close_failures = meter.counter(trading.CLOSE_FAILURES)
        self._ghosts = meter.counter(trading.GHOSTS)
        self._foreign = meter.counter(trading.FOREIGN_ORDERS)
        self._reconciliations = meter.counter(trading.RECONCILIATIONS)
        self._latency = meter.histogram(trading.ORDER_LATENCY)
        self._first_byte = meter.histogram(trading.FIRST_BYTE)
        self._decision_time = meter.histogram(trading.DECISION_TIME)
        self._takeovers = meter.counter(node.TAKEOVERS)
        self._gap = meter.histogram(node.FAILOVER_GAP)
        self._requests = meter.counter(node.API_REQUESTS)
        self._errors = meter.counter(node.API_ERRORS)
        self._answers = meter.histogram(node.API_LATENCY)
        self._disconnects = meter.counter(node.DISCONNECTS)
        self._appends = meter.histogram(node.APPEND)
        self._facts = meter.counter(node.FACTS)
        self._fenced = meter.counter(node.FENCED)
        # Exact until they are told: to make a float of a Decimal takes longer than to add it.
        self._traded: dict[Labels, Decimal] = {}
        self._paid: dict[Labels, Decimal] = {}
        meter.on_collect(self._tell_money)
        self.asked_s: dict[str, float] = {}
        self._fault_s = 0.0  # the last sign of the leader before; 0 when nothing waits for it
        self._begin(symbols)

    def _begin(self, symbols: Iterable[str]) -> None:
        """Make series known before anything happens: a rate needs a zero to rise from."""
        for counter in (self._close_failures, self._ghosts, self._facts, self._fenced):
            counter.add((), 0)
        for symbol in symbols:
            for side in ("buy", "sell"):
                for status in STATUSES:
                    self._orders.add((self._exchange, symbol, side, status), 0)
        for failure in FAILURES:
            self._errors.add((self._exchange, failure), 0)
        for stream in ("account", "market", "book"):
            self._disconnects.add((self._exchange, stream), 0)
        for status in ("ours", "foreign"):
            self._trades.add((status,), 0)
        for rule in RULES:
            self._refusals.add((rule,), 0)
        for phase in ("ready", "first_order"):
            self._gap.begin((phase,))
        for origin in ("ours", "other"):
            self._foreign.add((origin,), 0)
        for outcome in ("agreed", "differed"):
            self._reconciliations.add((outcome,), 0)
        for kind in (_ARMING, _OTHER):
            self._appends.begin(kind)
        self._latency.begin((self._exchange,))
        self._first_byte.begin()

    # -- leadership ------------------------------------------------------------------------------

    def took_over(self, account: AccountState, cause: str, silent_s: float) -> None:
        """This process leads from now on.

        Args:
            account: the fold that facts are told after.
            cause: why nobody led: how the leader before came to rest, or `failure`.
            silent_s: since that one's last sign; 0 when there was none.
        """
        self._account = account
        self._takeovers.add((cause,))
        self._fault_s = time.monotonic() - silent_s if silent_s else 0.0

    def is_ready(self) -> None:
        """It may trade again."""
        if self._fault_s:
            self._gap.observe(time.monotonic() - self._fault_s, ("ready",))

    # -- facts -----------------------------------------------------------------------------------

    def committed(self, event: Committed) -> None:
        """See `Observer`."""
        self._facts.add()
        count = _OF_FACT.get(type(event.fact))
        if count is not None:
            count(self, event.fact)

    def _armed(self, fact: Armed) -> None:
        spec = fact.spec
        self._orders.add((self._exchange, spec.symbol, _side(spec.side), "placed"))
        if self._fault_s:
            self._gap.observe(time.monotonic() - self._fault_s, ("first_order",))
            self._fault_s = 0.0

    def _attempt_moved(self, fact: facts.AttemptMoved) -> None:
        self._reached(fact.cid, _OF_ATTEMPT.get(fact.state))
        if fact.order_state is not None:
            self._reached(fact.cid, _OF_ORDER.get(fact.order_state))
        if fact.state in _FAILED:
            order = self._account.order(fact.cid)
            if order is not None and order.armed.reduces:
                self._close_failures.add()

    def _order_moved(self, fact: facts.OrderMoved) -> None:
        self._reached(fact.cid, _OF_ORDER.get(fact.state))

    def _reached(self, cid: str, status: str | None) -> None:
        order = self._account.order(cid) if status else None
        if status and order is not None:
            spec = order.armed.spec
            self._orders.add((self._exchange, spec.symbol, _side(spec.side), status))

    def _filled(self, fact: facts.Filled) -> None:
        fill = fact.fill
        quote = fill.symbol.rpartition("/")[2]
        self._trades.add(_OURS if fact.bot else _FOREIGN)
        where = (self._exchange, fill.symbol, _side(fill.side), quote)
        self._traded[where] = self._traded.get(where, ZERO) + fill.quantity * fill.price
        if fill.fee:
            asset = (fill.fee_asset,)
            self._paid[asset] = self._paid.get(asset, ZERO) + fill.fee

    def _tell_money(self) -> None:
        for counter, sums in ((self._volume, self._traded), (self._fees, self._paid)):
            for of, amount in sums.items():
                counter.add(of, float(amount))
            sums.clear()

    def _decided(self, fact: facts.Decided) -> None:
        self._decisions.add((fact.bot,))

    def _refused(self, fact: facts.Refusal) -> None:
        self._refusals.add((fact.rule,))

    def _ghost(self, _fact: facts.Ghost) -> None:
        self._ghosts.add()

    def _foreign_order(self, fact: facts.ForeignOrder) -> None:
        self._foreign.add(("ours" if fact.ours else "other",))

    def _reconciled(self, fact: facts.Reconciled) -> None:
        self._reconciliations.add(("agreed" if fact.agreed else "differed",))

    # -- how long it took ------------------------------------------------------------------------

    def leaving(self, _passage: Passage) -> None:
        """See `Observer`: it is measured when it has come to its end."""

    def passed(self, passage: Passage) -> None:
        """See `Observer`."""
        since_ns = passage.taken_ns or passage.handed_ns
        if passage.left_ns:
            self._first_byte.observe((passage.left_ns - since_ns) / NS)
        if passage.booked_ns:
            # The trace of an intent has its id; a slow bucket leads to an order that was slow.
            trace_id = passage.request[0].intent_id.replace("-", "")
            took_s = (passage.booked_ns - since_ns) / NS
            self._latency.observe(took_s, (self._exchange,), trace_id)

    def wrote(self, groups: Sequence[Group], took_s: float) -> None:
        """The journal has them."""
        self._appends.observe(took_s, _ARMING if _arms(groups) else _OTHER)

    def fenced(self) -> None:
        """The journal refused a commit: it is another's."""
        self._fenced.add()

    def answered(self, endpoint: str, failure: str, took_s: float) -> None:
        """A request to the exchange ended; `failure` is empty where it has a usable answer."""
        outcome = "failed" if failure else "answered"
        self._requests.add((self._exchange, endpoint, outcome))
        self._answers.observe(took_s, (self._exchange, endpoint))
        if failure:
            self._errors.add((self._exchange, failure))

    def went_down(self, stream: str) -> None:
        """A stream of the exchange is silent or gone."""
        self._disconnects.add((self._exchange, stream))

    def timed(self, bot: str, ask: Ask) -> Ask:
        """`ask`, with how long the strategy takes counted."""
        name, observe, asked_s = (bot,), self._decision_time.observe, self.asked_s

        def timed(strategy: Strategy, view: View) -> Returned:
            began_s = asked_s[bot] = time.monotonic()
            try:
                return ask(strategy, view)
            finally:
                observe(time.monotonic() - began_s, name)

        return timed


def _arms(groups: Sequence[Group]) -> bool:
    for group in groups:
        for fact in group.facts:  # a generator would take longer than to look
            if type(fact) is Armed:
                return True
    return False


def _side(side: Any) -> str:
    return "buy" if side == "BUY" else "sell"




_OF_FACT: Final[dict[type, Callable[[Counts, Any], None]]] = {
    facts.Armed: Counts._armed,
    facts.AttemptMoved: Counts._attempt_moved,
    facts.OrderMoved: Counts._order_moved,
    facts.Filled: Counts._filled,
    facts.Decided: Counts._decided,
    facts.Refusal: Counts._refused,
    facts.Ghost: Counts._ghost,
    facts.ForeignOrder: Counts._foreign_order,
    facts.Reconciled: Counts._reconciled,
}
