"""What the engine asks the world to do: the only things that cross from `step` to the edge.

Not here: doing them (execution), or deciding them (engine).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.fact import AnyFact, Decided
from holdfast.domain.order import OrderSpec


class Proposed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order that derivation wants; it has not passed the risk gate.

    Attributes:
        intent_id, n: the intent, and the number of the attempt at it, from 1.
        leg, seq, decision: where it comes from (see `fact.Armed`).
        reduces: it takes exposure off the bot's position.
        price: what one unit is expected to cost or bring at most, for notional and reservation.
        mate: the second order of a list, which shares the quantity of the first: where one
            executes, the venue ends the other. Both are armed or neither. None without a list.
    """

    bot: str
    intent_id: str
    n: int
    leg: str
    seq: int
    decision: int
    spec: OrderSpec
    reduces: bool
    price: Decimal
    mate: OrderSpec | None = None

    @property
    def specs(self) -> tuple[OrderSpec, ...]:
        """Of every order that it is made of: one, or the parts of a list in their order."""
        return (self.spec,) if self.mate is None else (self.spec, self.mate)


class Approved(msgspec.Struct, frozen=True, gc=False):
    """An order that passed the risk gate, with what it sets aside. Only this type can be armed."""

    order: Proposed
    reserve_asset: str
    reserve: Decimal


class RiskRefused(msgspec.Struct, frozen=True, gc=False):
    """An order that did not pass, with the reason.

    Attributes:
        rule: name of the limit or check.
        seen, limit: what was found, and what was allowed.
    """

    order: Proposed
    rule: str
    seen: str
    limit: str


class Arm(msgspec.Struct, frozen=True, gc=False):
    """Journal the decision (when it is new) and the orders in one transaction; then send them."""

    decided: Decided | None
    orders: tuple[Approved, ...]


class CancelOrder(msgspec.Struct, frozen=True, gc=False):
    """Journal a cancel of the attempt `cid`, then send it."""

    cid: str


class Note(msgspec.Struct, frozen=True, gc=False):
    """Journal these facts together; nothing is sent."""

    facts: tuple[AnyFact, ...]


Action = Arm | CancelOrder | Note
