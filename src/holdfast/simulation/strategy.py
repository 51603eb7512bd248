"""Strategies that never sit still, so that something is always under way.

`Restless` wishes something else at every bar, drawn from the bar's own time: the same after a
restart, on any node. `Eager` is in and out several times a second, so that a gap is never its own
patience. Not here: anything that looks for profit.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Annotated

from holdfast.app.chaos.steady import SLOT_NS, Flip
from holdfast.simulation.clock import WORLD
from holdfast.strategy import (
    FLAT,
    KEEP,
    Level,
    Percent,
    Quotes,
    Range,
    Strategy,
    Target,
    View,
    Wish,
)

_STEPS = 5


class Restless(Strategy):
    """A position, a resting order, a pair of quotes or a guarded position: another each bar."""

    seed: Annotated[int, Range(0, 2**62)] = 0
    unit: Decimal = Decimal("0.01")
    is_near: bool = False
    """Quotes rest at the touch, where another bot of the account may meet them."""
    patience_s: Annotated[int, Range(0, 3600)] = 0
    """Wishes stand for so long: whatever became of an order, what is missing is asked for again."""

    def decide(self, now: View) -> Wish:
        """Draw a wish; at the end of a run the one that stands stays, or one with a stop."""
        if now.time_ns > WORLD.quiet_from_ns:
            return self._last()
        if self.patience_s:
            return self._standing(now.time_ns // (self.patience_s * 1_000_000_000))
        source = random.Random(f"{self.seed} {now.time_ns}")
        price, kind = now.bar.close, source.random()
        held = int(now.position.quantity / self.unit)
        quantity = self.unit * source.choice([n for n in range(_STEPS) if n != held])
        if kind < 0.5:
            return Target(quantity=quantity)
        if kind < 0.62:
            return Target(quantity=quantity, cap=Percent(0.5))
        if kind < 0.74:
            side = 1 if quantity < now.position.quantity else -1
            off = side * Decimal(source.randint(-3, 6)) / 10_000
            return Target(quantity=quantity, limit=price * (1 + off))
        if kind < 0.84:
            near = Decimal(source.randint(*((0, 2) if self.is_near else (2, 12)))) / 10_000
            asks = [Level(price * (1 + near), self.unit)] if held else []
            return Quotes(bids=[Level(price * (1 - near), self.unit)], asks=asks)
        if kind < 0.92:
            return Target(
                quantity=quantity, stop=Percent(0.4), take_profit=Percent(0.6),
                episode=str(now.time_ns),
            )
        return FLAT if kind < 0.96 else KEEP

    def _standing(self, turn: int) -> Wish:
        """The same at each bar of a turn: nothing in it depends on the price or the position."""
        source = random.Random(f"{self.seed} turn {turn}")
        quantity, kind = self.unit * source.randrange(_STEPS), source.random()
        if kind < 0.6:
            return Target(quantity=quantity)
        if kind < 0.75:
            return Target(quantity=quantity, cap=Percent(0.5))
        return Target(
            quantity=quantity, stop=Percent(0.8), take_profit=Percent(1.2), episode=str(turn)
        )

    def _last(self) -> Wish:
        """Far from the price, so that it is there when everything has come to rest."""
        if random.Random(f"{self.seed} last").random() < 0.5:
            return KEEP
        return Target(
            quantity=2 * self.unit, stop=Percent(5), take_profit=Percent(5), episode="last"
        )


class Eager(Flip):
    """As `Flip`, until the run is to come to rest; but a turn that was missed, as no decision fell
    into it, is taken by the next decision: what is measured is the platform, not the wishes."""

    def decide(self, now: View) -> Wish:
        """Be in after every other of its turns, and out after the rest."""
        if now.time_ns > WORLD.quiet_from_ns:
            return KEEP
        turn = (now.time_ns // SLOT_NS - self.turn) // self.turns
        is_in = now.position.quantity > self.quantity / 2
        if is_in == (turn % 2 == 0):
            return KEEP
        return FLAT if is_in else Target(quantity=self.quantity)
