"""What is due for a doubt: ask until the horizon, a cancel after the deadline, then conclude."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.fact import Armed
from holdfast.domain.order import AttemptState, OrderSpec, OrderType, Side
from holdfast.execution.evidence import HORIZON_MS
from holdfast.execution.resolve import LAST_CALL_MS, Step, next_step
from holdfast.ledger.state import LiveOrder

TIMESTAMP_MS, WINDOW_MS = 10_000, 2000
DEADLINE_MS = TIMESTAMP_MS + WINDOW_MS
RESTING = tuple(kind for kind in OrderType if kind is not OrderType.MARKET)


def attempt(
    state: AttemptState = AttemptState.IN_DOUBT, kind: OrderType = OrderType.MARKET
) -> LiveOrder:
    return LiveOrder(
        Armed(
            cid="c",
            intent_id="i",
            n=1,
            bot="bot",
            leg="BTC/USDT",
            seq=0,
            decision=1,
            spec=OrderSpec(symbol="BTC/USDT", side=Side.BUY, type=kind, quantity=Decimal(1)),
            boot_id="boot",
            timestamp_ms=TIMESTAMP_MS,
            window_ms=WINDOW_MS,
            reserve_asset="USDT",
            reserve=Decimal(1),
        ),
        state,
    )


@pytest.mark.parametrize(
    ("earliest_ms", "step"),
    [
        (TIMESTAMP_MS, Step.ASK),
        (DEADLINE_MS, Step.ASK),
        (DEADLINE_MS + 1, Step.BARRIER),
        (DEADLINE_MS + HORIZON_MS, Step.BARRIER),
        (DEADLINE_MS + HORIZON_MS + 1, Step.CONCLUDE),
    ],
)
def test_a_market_order_in_doubt(earliest_ms: int, step: Step) -> None:
    assert next_step(attempt(), earliest_ms, barrier_done=False) is step


@pytest.mark.parametrize("kind", RESTING)
@pytest.mark.parametrize(
    ("earliest_ms", "step"),
    [
        (DEADLINE_MS + 1, Step.ASK),
        (DEADLINE_MS + HORIZON_MS - LAST_CALL_MS - 1, Step.ASK),
        (DEADLINE_MS + HORIZON_MS - LAST_CALL_MS, Step.BARRIER),
        (DEADLINE_MS + HORIZON_MS + 1, Step.CONCLUDE),
    ],
)
def test_an_order_meant_to_rest_is_cancelled_only_when_absence_is_near(
    kind: OrderType, earliest_ms: int, step: Step
) -> None:
    assert next_step(attempt(kind=kind), earliest_ms, barrier_done=False) is step


times = st.integers(0, DEADLINE_MS + 2 * HORIZON_MS)
kinds = st.sampled_from(list(OrderType))


@given(times, kinds, st.booleans(), st.sampled_from(list(AttemptState)))
def test_absence_is_never_concluded_before_deadline_and_horizon(
    earliest_ms: int, kind: OrderType, barrier_done: bool, state: AttemptState
) -> None:
    step = next_step(attempt(state, kind), earliest_ms, barrier_done=barrier_done)
    assert (step is Step.CONCLUDE) == (earliest_ms > DEADLINE_MS + HORIZON_MS)


@given(times, kinds)
def test_one_answered_cancel_is_enough(earliest_ms: int, kind: OrderType) -> None:
    assert next_step(attempt(kind=kind), earliest_ms, barrier_done=True) is not Step.BARRIER


@given(times, kinds)
def test_a_rejection_is_asked_after_and_never_cancelled(earliest_ms: int, kind: OrderType) -> None:
    rejected = attempt(AttemptState.REJECTED, kind)
    assert next_step(rejected, earliest_ms, barrier_done=False) is not Step.BARRIER


@given(times, times, kinds)
def test_steps_only_go_forward_in_time(one_ms: int, other_ms: int, kind: OrderType) -> None:
    order = [Step.ASK, Step.BARRIER, Step.CONCLUDE]
    earlier = next_step(attempt(kind=kind), min(one_ms, other_ms), barrier_done=False)
    later = next_step(attempt(kind=kind), max(one_ms, other_ms), barrier_done=False)
    assert order.index(earlier) <= order.index(later)
