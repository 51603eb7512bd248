"""A market that swings: it stands still for a while, then leaves to one side and comes back.

So what rests a little above or below it is reached, sometimes by a part only. Lives here: the flow,
and strategies whose exits meet it. Not here: the nodes that run them (`tests.support.node`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from holdfast.domain.order import Side
from holdfast.exchange.flow import FlowEvent, Place, Remove
from tests.support.pulse import DEEP, PULSE_NS, SPREAD, PulseFlow

LISTED = '''
from decimal import Decimal

from holdfast.strategy import Percent, Strategy, Target, View, Wish


class Listed(Strategy):
    """Buys whenever it is flat, with a stop and a take-profit that the swings reach."""

    def decide(self, now: View) -> Wish:
        episode = str(now.time_ns // 2_000_000_000)
        return Target(
            quantity=Decimal("0.5"),
            stop=Percent(0.25),
            take_profit=Percent(0.25),
            band=Decimal("0.01"),
            episode=episode,
        )


class Restless(Strategy):
    """Changes its mind about how much it wants, so that lists are taken back and placed again."""

    def decide(self, now: View) -> Wish:
        second = now.time_ns // 1_000_000_000
        return Target(
            quantity=Decimal("0.5") if second % 3 else Decimal("0.3"),
            stop=Percent(2),
            take_profit=Percent(2),
        )


class Patient(Strategy):
    """Buys once, with exits that are never reached."""

    def decide(self, now: View) -> Wish:
        return Target(
            quantity=Decimal("0.5"),
            stop=Percent(10),
            take_profit=Percent(10),
            band=Decimal("0.01"),
        )
'''
SYMBOL = "BTC/USDT"
MIDDLE = Decimal(60_000)
SWING = Decimal(300)
NIBBLE = Decimal("0.2")
CALM_PULSES, AWAY_PULSES = 15, 8
_ASK, _BID = 1, 2


class SwingFlow(PulseFlow):
    """One symbol around 60,000: up by 300, back, down by 300, back.

    Each time before it rises, somebody buys `NIBBLE` of what rests up to two thirds of the way.
    """

    def __init__(self) -> None:
        super().__init__((SYMBOL,))
        self._at_ns = 0
        self._side = Side.BUY

    def events(self) -> Iterator[FlowEvent]:
        """Endless."""
        yield from self._ask_at(MIDDLE)
        yield from self._bid_at(MIDDLE)
        while True:
            yield from self._pulses(CALM_PULSES)
            yield from self._ask_at(MIDDLE + SWING)
            reached = MIDDLE + SWING * 2 / 3
            yield Place(self._at_ns, SYMBOL, Side.BUY, reached, NIBBLE)
            yield from self._pulses(AWAY_PULSES, only=Side.SELL)
            yield from self._bid_at(MIDDLE + SWING)
            yield from self._pulses(AWAY_PULSES)
            yield from self._bid_at(MIDDLE)
            yield from self._ask_at(MIDDLE)
            yield from self._pulses(CALM_PULSES)
            yield from self._bid_at(MIDDLE - SWING)
            yield from self._ask_at(MIDDLE - SWING)
            yield from self._pulses(AWAY_PULSES)
            yield from self._ask_at(MIDDLE)
            yield from self._bid_at(MIDDLE)

    def _ask_at(self, price: Decimal) -> Iterator[FlowEvent]:
        yield Remove(self._at_ns, SYMBOL, _ASK)
        yield Place(self._at_ns, SYMBOL, Side.SELL, price, DEEP, _ASK)

    def _bid_at(self, price: Decimal) -> Iterator[FlowEvent]:
        yield Remove(self._at_ns, SYMBOL, _BID)
        yield Place(self._at_ns, SYMBOL, Side.BUY, price - SPREAD, DEEP, _BID)

    def _pulses(self, count: int, *, only: Side | None = None) -> Iterator[FlowEvent]:
        """A small trade each; none while it `is_still`, and then it goes nowhere either."""
        for _ in range(count):
            self._at_ns += PULSE_NS
            self._side = only or self._side.opposite
            while self.is_still:
                yield Remove(self._at_ns, SYMBOL, -1)  # time passes, nothing happens
                self._at_ns += PULSE_NS
            yield Place(self._at_ns, SYMBOL, self._side, None, Decimal("0.01"))
