"""Settling: an order that ended is settled once balances agree with every fill."""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.fact import AnyFact, AttemptMoved, Reconciled
from holdfast.domain.order import AttemptState, OrderState
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from tests.support.journal_facts import armed, filled


def _after_a_fill(agreed: bool) -> AccountState:
    state = AccountState()
    done = AttemptMoved(
        cid=armed(1).cid,
        state=AttemptState.ACKED,
        order_id="1",
        order_state=OrderState.FILLED,
        executed=Decimal("0.010"),
    )
    resting = AttemptMoved(
        cid=armed(2).cid, state=AttemptState.ACKED, order_id="2", order_state=OrderState.NEW
    )
    facts: tuple[AnyFact, ...] = (
        *(armed(1), armed(2)),
        *(done, filled("1"), resting),
        Reconciled(agreed=agreed),
    )
    for seq, fact in enumerate(facts, 1):
        apply(state, seq, 1, seq, fact)
    return state


def test_what_ended_is_settled_when_the_balances_agree_and_what_rests_is_not() -> None:
    state = _after_a_fill(agreed=True)
    assert state.recent[armed(1).cid].order_state is OrderState.SETTLED
    assert state.live[armed(2).cid].order_state is OrderState.NEW
    assert not state.unsettled()


def test_a_comparison_that_found_something_settles_nothing() -> None:
    state = _after_a_fill(agreed=False)
    assert state.recent[armed(1).cid].order_state is OrderState.FILLED
    assert state.unsettled()
