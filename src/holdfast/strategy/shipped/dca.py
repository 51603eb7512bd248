"""`dca`: buy for the same amount again and again, whatever the price."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from holdfast.domain.market import NS_PER_S
from holdfast.strategy import Range, Strategy, Target, View, Wish

_HOUR_NS = 3600 * NS_PER_S


class Dca(Strategy):
    """Buy for `amount` once in every slot of `every_hours`, and never sell.

    Slots are counted from 1970-01-01 00:00 UTC. The slot is the wish's key: the first bar of a slot
    decides it, the decision is in the journal together with its order, and the same key later in
    the slot, or after a restart, changes nothing. A slot without any bar is left out, not made up
    for. What could not be bought in a slot ends with it: the next begins from what is held.
    """

    amount: Decimal = Decimal(10)
    every_hours: Annotated[int, Range(1, 8760)] = 24

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError(f"seen: amount={self.amount}; expected: more than zero")

    def decide(self, now: View) -> Wish:
        slot = now.time_ns // (self.every_hours * _HOUR_NS)
        share = self.amount / now.bar.close
        return Target(
            quantity=now.position.quantity + share, key=f"{self.every_hours}h slot {slot}"
        )
