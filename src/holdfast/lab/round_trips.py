"""From flat to flat: what each round trip of a run earned, by average cost.

Lives here: the only reading of fills as trades that begin and end. Not here: figures over them
(figures). `docs/metrics.md` has the definitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from holdfast.domain.fill import Fill
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A position from the fill that opened it to the fill that closed it.

    Attributes:
        first, last: indices into the run's fills; `last` is the one that closed it.
        quantity: base units sold during the trip.
        cost: quote units paid for what was sold, fees included.
        proceeds: quote units received for it, after fees.
    """

    symbol: str
    first: int
    last: int
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal

    @property
    def profit(self) -> Decimal:
        """Quote units earned; negative when lost."""
        return self.proceeds - self.cost


class _Position:
    """One symbol's holding at average cost, and the trip that is under way."""

    __slots__ = ("base", "cost", "first", "held", "proceeds", "quantity", "quote", "released")

    def __init__(self, symbol: str) -> None:
        self.base, _, self.quote = symbol.partition("/")
        self.held = ZERO
        self.cost = ZERO
        self.first: int | None = None
        self._begin_again()

    def _begin_again(self) -> None:
        self.first = None
        self.quantity = self.released = self.proceeds = ZERO

    def book(self, index: int, fill: Fill, dust: Decimal) -> RoundTrip | None:
        """Book one fill; the trip when this fill ended it."""
        base_fee = fill.fee if fill.fee_asset == self.base else ZERO
        quote_fee = fill.fee if fill.fee_asset == self.quote else ZERO
        if fill.side is Side.BUY:
            self.held += fill.quantity - base_fee
            self.cost += fill.quantity * fill.price + quote_fee
            if self.first is None and self.held * fill.price > dust:
                self.first = index
            return None
        gone = fill.quantity + base_fee
        if gone > self.held:
            raise ValueError(f"fill {index} sells {gone} {self.base}, only {self.held} is held")
        share = self.cost if gone == self.held else self.cost * gone / self.held
        self.held -= gone
        self.cost -= share
        if self.first is None:  # dust sold outside any trip
            return None
        self.quantity += fill.quantity
        self.released += share
        self.proceeds += fill.quantity * fill.price - quote_fee
        if self.held * fill.price > dust:
            return None
        trip = RoundTrip(
            symbol=fill.symbol,
            first=self.first,
            last=index,
            quantity=self.quantity,
            cost=self.released,
            proceeds=self.proceeds,
        )
        self._begin_again()
        return trip


def round_trips(fills: Sequence[Fill], dust: Decimal = ZERO) -> list[RoundTrip]:
    """The finished round trips, in the order in which they ended; one still open is left out.

    Args:
        fills: in the order of execution, of one or several symbols, from a flat start.
        dust: quote units; a holding worth no more than this counts as flat, because no order could
            sell it. Its cost stays with it and goes into the next trip.

    Raises:
        ValueError: more is sold than held.
    """
    positions: dict[str, _Position] = {}
    trips = []
    for index, fill in enumerate(fills):
        position = positions.get(fill.symbol)
        if position is None:
            position = positions[fill.symbol] = _Position(fill.symbol)
        trip = position.book(index, fill, dust)
        if trip is not None:
            trips.append(trip)
    return trips


def is_convertible(fill: Fill) -> bool:
    """Whether the fee can be told in the quote asset: it was taken in base or quote."""
    return not fill.fee or fill.fee_asset in fill.symbol.split("/")


def fee_in_quote(fill: Fill) -> Decimal:
    """What the fee of a convertible fill was worth, at the fill's own price."""
    base, _, _ = fill.symbol.partition("/")
    return fill.fee * fill.price if fill.fee_asset == base else fill.fee
