"""An order in one word.

Not here: a bot's (activity).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

from holdfast.domain.order import AttemptState, OrderState
from holdfast.ledger.state import LiveOrder


class OrderCondition(StrEnum):
    """Where an order stands."""

    UNDER_WAY = "under_way"  # armed; the answer is on its way
    IN_DOUBT = "in_doubt"  # nobody knows yet
    OPEN = "open"  # the exchange has it
    FILLED = "filled"
    CANCELLED = "cancelled"  # also expired
    REFUSED = "refused"  # by the exchange, or never sent
    ABSENT = "absent"  # proved never to have executed


_OF_ATTEMPTS: Final = {
    AttemptState.ARMED: OrderCondition.UNDER_WAY,
    AttemptState.IN_DOUBT: OrderCondition.IN_DOUBT,
    AttemptState.REJECTED: OrderCondition.REFUSED,
    AttemptState.NOT_SENT: OrderCondition.REFUSED,
    AttemptState.NEVER_EXECUTED: OrderCondition.ABSENT,
}


def condition_of(order: LiveOrder) -> OrderCondition:
    """As the fold has it."""
    return condition_in(order.state, order.order_state, order.armed.spec.quantity, order.executed)


def condition_in(
    attempt: AttemptState, state: OrderState | None, quantity: Decimal, executed: Decimal
) -> OrderCondition:
    """As its states and quantities say it."""
    if attempt is not AttemptState.ACKED:
        return _OF_ATTEMPTS[attempt]
    if state is None or state.is_open:
        return OrderCondition.OPEN
    filled = state is OrderState.FILLED or executed >= quantity
    return OrderCondition.FILLED if filled else OrderCondition.CANCELLED
