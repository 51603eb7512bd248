"""What is counted of an account, from its facts and from requests on their way."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.app.live.counting import Counts
from holdfast.domain.event import Committed
from holdfast.domain.fact import AnyFact, Ghost, OrderMoved, Reconciled, Refusal
from holdfast.domain.order import AttemptState, OrderState
from holdfast.execution.passage import Passage
from holdfast.journal.port import Group
from holdfast.ledger.state import AccountState, LiveOrder
from tests.support.journal_facts import acked, armed, decided, filled

SYMBOL = "BTC/USDT"
OF_ORDERS = {"exchange": "binance", "symbol": SYMBOL, "side": "buy"}


class Told:
    """Counts of an account that is led, and what they come to."""

    def __init__(self, cause: str = "stop", silent_s: float = 0.0) -> None:
        self.state = AccountState(account="main")
        self.counts = Counts("binance", (SYMBOL,))
        self.counts.took_over(self.state, cause, silent_s)

    def take(self, *facts: AnyFact) -> None:
        for fact in facts:
            self.counts.committed(Committed(1, 1, fact))

    def of(self, name: str, **labels: str) -> float | None:
        found = self.counts.meter.collected().get(name, {})
        value = found.get(tuple(labels.values()))
        return value[0] if isinstance(value, list) else value

    def orders(self, status: str) -> float | None:
        return self.of("trading_orders_total", **OF_ORDERS, status=status)

    def live(self, n: int, *, reduces: bool = False) -> None:
        attempt = msgspec.structs.replace(armed(n), reduces=reduces)
        self.state.live[attempt.cid] = LiveOrder(attempt)
        self.take(attempt)


def test_an_order_is_counted_in_each_status_that_it_reaches() -> None:
    told = Told()
    assert told.orders("placed") == 0  # there before the first, or its rate would be missed
    told.live(1)
    told.take(decided(1), acked(1))
    told.take(OrderMoved(cid=armed(1).cid, state=OrderState.FILLED, executed=Decimal("0.010")))
    told.take(OrderMoved(cid=armed(1).cid, state=OrderState.SETTLED, executed=Decimal("0.010")))
    found = {status: told.orders(status) for status in ("placed", "acknowledged", "filled")}
    assert found == {"placed": 1, "acknowledged": 1, "filled": 1}
    assert told.of("trading_decisions_total", bot="sma") == 1
    assert told.of("journal_facts_total") == 5


def test_an_execution_counts_with_its_value_and_its_fee() -> None:
    told = Told()
    told.take(filled("1"), msgspec.structs.replace(filled("2"), bot="sma"))
    assert told.of("trades_total", status="foreign") == 1
    assert told.of("trades_total", status="ours") == 1
    volume = told.of("trading_volume_total", **OF_ORDERS, currency="USDT")
    assert volume is not None
    assert abs(volume - 2 * 0.01 * 50000.01) < 1e-6
    assert told.of("trading_fees_total", asset="BTC") == 2 * 0.00001


def test_only_an_order_that_takes_exposure_off_fails_to_close_a_position() -> None:
    told = Told()
    told.live(1)
    told.live(2, reduces=True)
    for n in (1, 2):
        told.take(msgspec.structs.replace(acked(n), state=AttemptState.REJECTED))
    assert told.orders("rejected") == 2
    assert told.of("position_close_failures_total") == 1


def test_what_should_never_be_is_counted() -> None:
    told = Told()
    told.take(
        Ghost(cid="x", evidence="it executed"),
        Reconciled(agreed=False),
        Refusal(bot="sma", leg=SYMBOL, rule="max_daily_loss", seen="2", limit="1"),
    )
    told.counts.fenced()
    told.counts.went_down("market")
    told.counts.answered("query", "timeout", 5.0)
    assert told.of("trading_ghosts_total") == 1
    assert told.of("trading_reconciliations_total", outcome="differed") == 1
    assert told.of("trading_refusals_total", rule="max_daily_loss") == 1
    assert told.of("journal_fence_refusals_total") == 1
    assert told.of("exchange_websocket_disconnects_total", exchange="binance", stream="market") == 1
    assert told.of("exchange_api_errors_total", exchange="binance", error_type="timeout") == 1


def test_a_takeover_after_a_failure_is_measured_from_the_last_sign() -> None:
    told = Told("failure", silent_s=2.5)
    told.counts.is_ready()
    told.live(1)
    told.live(2)
    ready = told.of("cluster_failover_gap_seconds", phase="ready")
    assert ready is not None
    assert 2.5 <= ready < 60
    found = told.counts.meter.collected()["cluster_failover_gap_seconds"]
    assert sum(found["first_order",][1:]) == 1  # the second one is no first
    assert told.of("trading_takeovers_total", cause="failure") == 1


def test_a_start_with_nobody_before_measures_no_gap() -> None:
    told = Told()
    told.counts.is_ready()
    told.live(1)
    found = told.counts.meter.collected()["cluster_failover_gap_seconds"]
    assert {sum(row) for row in found.values()} == {0}


def test_an_order_is_as_slow_as_from_its_event_to_its_answer_in_the_journal() -> None:
    told = Told()
    ms = 1_000_000
    passage = Passage((armed(1),), 1 * ms, 2 * ms, 3 * ms, 4 * ms, 30 * ms, 41 * ms)
    told.counts.passed(passage)
    told.counts.passed(msgspec.structs.replace(passage, left_ns=0, booked_ns=0))  # never sent
    assert told.of("trading_order_latency_seconds", exchange="binance") == 0.040
    assert told.of("trading_order_first_byte_seconds") == 0.003


def test_a_commit_that_arms_is_told_from_others() -> None:
    told = Told()
    told.counts.wrote([Group((decided(1), armed(1)))], 0.002)
    told.counts.wrote([Group((acked(1),))], 0.004)
    assert told.of("journal_append_seconds", kind="arming") == 0.002
    assert told.of("journal_append_seconds", kind="other") == 0.004
