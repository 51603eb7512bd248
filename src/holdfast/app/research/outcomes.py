"""What a simulated venue says of an order, as the facts that a journal would hold of it.

Not here: when it says so (lab.bar_venue), keeping the facts (backtest).
"""

from __future__ import annotations

from holdfast.domain.fact import AnyFact, AttemptMoved, Filled, OrderMoved
from holdfast.domain.order import AttemptState, OrderState
from holdfast.lab.settlement import Outcome
from holdfast.ledger.state import LiveOrder


def facts_of(outcome: Outcome, live: LiveOrder) -> list[AnyFact]:
    """One group: how the attempt or the order moved, and its fills."""
    cid, state = outcome.cid, outcome.state
    if state is OrderState.REJECTED:
        rejected = AttemptState.REJECTED
        return [AttemptMoved(cid=cid, state=rejected, final=True, evidence=outcome.reason)]
    executed = sum([fill.quantity for fill in outcome.fills], live.executed)
    moved: AnyFact = OrderMoved(cid=cid, state=state, executed=executed)
    if live.state is AttemptState.ARMED:
        moved = AttemptMoved(
            cid=cid,
            state=AttemptState.ACKED,
            order_id=str(outcome.order_id),
            order_state=state,
            executed=executed,
        )
    return [moved, *[Filled(fill=fill, bot=live.armed.bot) for fill in outcome.fills]]
