"""`grid`: one resting order per cell between two prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from holdfast.strategy import Level, Quotes, Range, Strategy, View, Wish


class Grid(Strategy):
    """One bid or one ask per cell between two prices: a function of the position alone."""

    low: Decimal
    high: Decimal
    cells: Annotated[int, Range(2, 100)] = 20
    unit: Decimal = Decimal("0.001")

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"seen: low={self.low}, high={self.high}; expected: 0 < low < high")
        if self.unit <= 0:
            raise ValueError(f"seen: unit={self.unit}; expected: more than zero")

    def decide(self, now: View) -> Wish:
        edge = [self.low + (self.high - self.low) * i / self.cells for i in range(self.cells + 1)]
        empty = max(0, self.cells - round(now.position.quantity / self.unit))
        return Quotes(
            bids=[Level(price, self.unit) for price in edge[:empty]],
            asks=[Level(price, self.unit) for price in edge[empty + 1 :]],
        )
