"""What counting costs: of one order, and of telling all numbers once a second.

An order is the facts and the requests of one that is bought at market: five facts in two commits,
one decision, one request. Rounds with and without it alternate. Not here: serving the numbers.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from decimal import Decimal

from benchmarks.row import Row
from holdfast.app.live.counting import Counts
from holdfast.app.live.observers import Observer, Observers
from holdfast.app.live.slate import Slate
from holdfast.domain.event import Committed
from holdfast.domain.fact import AnyFact, Armed, AttemptMoved, Decided, Filled, OrderMoved
from holdfast.domain.fill import Fill
from holdfast.domain.order import AttemptState, OrderSpec, OrderState, OrderType, Side
from holdfast.execution.passage import Passage
from holdfast.journal.port import Group
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.strategy import FLAT
from holdfast.strategy.api import Strategy, View
from holdfast.strategy.wish import Returned

SYMBOL = "BTC/USDT"
ORDERS = 5_000
ROUNDS = 15
CPU_OF_ORDER_MS = 0.62
"""Of the node, whole path, with the fewest that were measured (`live`)."""


class Nobody:
    """Watches, and makes nothing of it."""

    def committed(self, event: Committed) -> None:
        """Nothing."""

    def leaving(self, passage: Passage) -> None:
        """Nothing."""

    def passed(self, passage: Passage) -> None:
        """Nothing."""


def run() -> list[Row]:
    """Processor time of both, and the first as a part of an order's."""
    counts = Counts("binance", (SYMBOL,))
    state = AccountState(account="main")
    counts.took_over(state, "stop", 0.0)
    with_it, without = list[float](), list[float]()
    gc.disable()
    for _ in range(ROUNDS):
        without.append(_per_order_us(state, Observers(Nobody()), None))
        with_it.append(_per_order_us(state, Observers(counts), counts))
    gc.enable()
    cost_us = statistics.median(with_it) - statistics.median(without)
    return [
        Row(what="counting one order, processor time", unit="µs", measured=cost_us),
        Row(
            what="the same as a part of the node's processor time per order", unit="%",
            measured=cost_us / (CPU_OF_ORDER_MS * 10), at_most=2,
        ),
        Row(
            what="leaving an account's counters, each second", unit="ms",
            measured=_telling_ms(counts),
        ),
    ]  # fmt: skip


def _per_order_us(state: AccountState, observers: Observers, counts: Counts | None) -> float:
    armed = _armed()
    state.live = {armed.cid: LiveOrder(armed)}
    first, second = _facts(armed)
    groups = [Group(first)], [Group(second)]
    events = [Committed(1, 1, fact) for fact in (*first, *second)]
    passage = Passage((armed,), 1, 2, 3, 4, 5, 6)
    ask = _asked if counts is None else counts.timed("flip", _asked)
    began_s = time.process_time()
    for _ in range(ORDERS):
        _order(observers, counts, events, passage, groups, ask)
    return (time.process_time() - began_s) / ORDERS * 1e6


def _order(
    observers: Observers,
    counts: Counts | None,
    events: list[Committed],
    passage: Passage,
    groups: tuple[list[Group], list[Group]],
    ask: Callable[[Strategy, View], Returned],
) -> None:
    ask(None, None)  # type: ignore[arg-type]
    for event in events:
        observers.committed(event)
    observers.leaving(passage)
    observers.passed(passage)
    if counts is not None:
        counts.wrote(groups[0], 0.0004)
        counts.wrote(groups[1], 0.0004)
        counts.answered("order", "", 0.02)


def _asked(_strategy: Strategy, _view: View) -> Returned:
    return FLAT


def _armed() -> Armed:
    return Armed(
        cid="hf-1", intent_id="i", n=1, bot="flip", leg=SYMBOL, seq=0, decision=1,
        spec=OrderSpec(
            symbol=SYMBOL, side=Side.BUY, type=OrderType.MARKET, quantity=Decimal("0.5")
        ),
        boot_id="b", timestamp_ms=1, window_ms=500, reserve_asset="USDT", reserve=Decimal(30_000),
    )  # fmt: skip


def _facts(armed: Armed) -> tuple[tuple[AnyFact, ...], tuple[AnyFact, ...]]:
    decided = Decided(
        bot="flip", number=1, key="1", config_version=1, wish="{}", legs=(), seen_ns=1
    )
    fill = Fill(
        symbol=SYMBOL, side=Side.BUY, trade_id="1", venue_order_id="1", cid=armed.cid,
        quantity=Decimal("0.5"), price=Decimal(60_000), fee=Decimal("0.0005"), fee_asset="BTC",
        at_ns=1,
    )  # fmt: skip
    quantity = armed.spec.quantity
    acked = AttemptMoved(cid=armed.cid, state=AttemptState.ACKED, order_id="1")
    moved = OrderMoved(cid=armed.cid, state=OrderState.FILLED, executed=quantity)
    return (decided, armed), (acked, moved, Filled(fill=fill, bot="flip"))


def _telling_ms(counts: Counts) -> float:
    slate = Slate()
    took = []
    for _ in range(50):
        began_s = time.process_time()
        slate.write(counts.meter.collected())
        took.append((time.process_time() - began_s) * 1000)
    return statistics.median(took)


_: type[Observer] = Nobody  # it has what an observer must have
