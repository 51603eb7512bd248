"""Strategies that always want something else, so that there is always a next order to wait for.

Each takes its turn in tenths of a second: an order of one is under way while the others decide. A
leader that has just begun decides at once. Not here: running them (site).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from holdfast.strategy import FLAT, KEEP, Level, Quotes, Range, Setup, Strategy, Target, View, Wish

SLOT_NS = 100_000_000
"""A turn lasts so long."""


class Flip(Strategy):
    """In and out at market, once in each of its turns."""

    turn: Annotated[int, Range(0, 9)] = 0
    turns: Annotated[int, Range(1, 10)] = 3
    quantity: Decimal = Decimal("0.01")

    def setup(self, on: Setup) -> None:
        on.every("100ms")

    def decide(self, now: View) -> Wish:
        if now.time_ns // SLOT_NS % self.turns != self.turn:
            return KEEP
        # Fees are taken from what is bought: a crumb is always left.
        is_in = now.position.quantity > self.quantity / 2
        return FLAT if is_in else Target(quantity=self.quantity)


class Quote(Strategy):
    """Rests near the price and far below it, at other prices in each of its turns.

    The near order is filled now and then; the far one never, so that it has to be taken back.
    """

    turn: Annotated[int, Range(0, 9)] = 2
    turns: Annotated[int, Range(1, 10)] = 3
    quantity: Decimal = Decimal(1)

    def setup(self, on: Setup) -> None:
        on.every("100ms")

    def decide(self, now: View) -> Wish:
        slot = now.time_ns // SLOT_NS
        if slot % self.turns != self.turn:
            return KEEP
        price = now.bar.close
        shift = Decimal(slot // self.turns % 7) / 10_000
        far = Level(price * (Decimal("0.95") + shift), self.quantity)
        if now.position.quantity > self.quantity / 2:
            return Quotes(asks=[Level(price * (1 + shift), self.quantity)], bids=[far])
        return Quotes(bids=[Level(price * (1 - shift), self.quantity), far])
