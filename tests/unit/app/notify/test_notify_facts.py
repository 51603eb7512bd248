"""Which records are worth telling, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from holdfast.app.notify.facts import Teller
from holdfast.domain import fact as facts
from holdfast.domain.fact import AnyFact, BreakerState, HaltLevel
from holdfast.journal.record import FORMAT, Record
from holdfast.operations.notify.port import Kind, Notice
from tests.support.journal_facts import acked, armed, decided, filled

MS = 1_000_000


def told(*facts_: AnyFact, epoch: int = 2, step_ms: int = 1) -> list[Notice]:
    """What one fact after the other says, a step apart."""
    teller = Teller("main", slow_order_ms=500)
    found = (
        teller.take(Record(FORMAT, seq, epoch, seq * step_ms * MS, fact))
        for seq, fact in enumerate(facts_, 1)
    )
    return [notice for notice in found if notice is not None]


def breaker(state: BreakerState) -> facts.BreakerMoved:
    return facts.BreakerMoved(venue="binance", endpoint="order", state=state, evidence="503")


TOOK_OVER = facts.TookOver(node="node-2:7", boot_id="b", version="1")

ONE: Sequence[tuple[AnyFact, Kind, str]] = [
    (
        facts.Halted(level=HaltLevel.CANCEL, reason="tired", by="ana"),
        Kind.HALT, "The account was halted (cancel) by ana: tired.",
    ),
    (facts.Resumed(by="ana", bot="sma"), Kind.RESUME, "Bot sma was resumed by ana."),
    (TOOK_OVER, Kind.FAILOVER, "node-2:7 leads, the one before is gone; epoch 2."),
    (
        facts.Reconciled(agreed=False, findings=("BTC: 1 here, 2 there",)),
        Kind.MISMATCH, "The exchange differs: BTC: 1 here, 2 there.",
    ),
    (
        facts.Quarantined(what="BTC", by="sweep", evidence="2 there"),
        Kind.MISMATCH, "Nothing is added to BTC: 2 there.",
    ),
    (
        breaker(BreakerState.OPEN), Kind.BREAKER,
        "Trading halted: nothing is opened, exits go on. The exchange's order requests: breaker "
        "open: 503.",
    ),
    (
        breaker(BreakerState.CLOSED), Kind.BREAKER,
        "Trading goes on. The exchange's order requests: breaker closed: 503.",
    ),
    (
        facts.Ghost(cid="c1", evidence="a trade"), Kind.GHOST,
        "Order c1: It executed although it was proved absent: a trade.",
    ),
    (
        facts.BotStopped(bot="sma", reason="raised", failed=True),
        Kind.BOT_FAILED, "Bot sma failed: raised.",
    ),
    (facts.BotStopped(bot="sma", reason="asked"), Kind.BOT, "Bot sma stopped: asked."),
    (
        facts.Liquidated(bot="sma", symbol="BTC/USDT", quantity=Decimal(1), price=Decimal(2),
                         evidence="t"),
        Kind.EMERGENCY, "1 BTC/USDT of bot sma were sold, by no order of its own, at 2.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "kind", "text"), ONE, ids=lambda one: str(one)[:20])
def test_a_record_is_told_in_a_sentence(fact: AnyFact, kind: Kind, text: str) -> None:
    (notice,) = told(fact)
    assert (notice.kind, notice.told) == (kind, text)
    assert notice.bot == getattr(fact, "bot", "")


def test_a_fill_has_its_value() -> None:
    (notice,) = told(filled("1"))
    assert notice.kind is Kind.FILL
    assert notice.value == Decimal("500.0001")


def test_what_happens_all_the_time_is_not_told() -> None:
    quiet = (
        armed(1), acked(1), decided(1), facts.Reconciled(agreed=True),
        breaker(BreakerState.HALF_OPEN),
    )  # fmt: skip
    assert told(*quiet) == []


def test_an_order_that_is_answered_late_is_told() -> None:
    assert told(armed(1), acked(1), step_ms=500) == []
    (notice,) = told(armed(1), acked(1), step_ms=501)
    assert notice.kind is Kind.LATENCY
    assert notice.told == (
        f"Order {armed(1).cid} was answered after 501 ms, allowed are 500 ms."
    )


def test_a_hand_over_is_no_failover_and_a_beginning_is_neither() -> None:
    (notice,) = told(facts.Rested(boot_id="a", why="handover"), TOOK_OVER)
    assert notice.kind is Kind.HANDOVER
    assert notice.told == "node-2:7 leads, by plan (handover); epoch 2."
    assert told(TOOK_OVER, epoch=1) == []


def test_what_went_before_the_first_record_is_known() -> None:
    teller = Teller("main", slow_order_ms=500)
    teller.rested("stop")
    notice = teller.take(Record(FORMAT, 9, 5, 1, TOOK_OVER))
    assert notice is not None
    assert notice.kind is Kind.HANDOVER
