"""`sma_cross`: long while a fast average is above a slow one."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from holdfast.strategy import FLAT, Range, Setup, Strategy, Target, View, Wish


class SmaCross(Strategy):
    """Long `quantity` while the fast average is above the slow one, else flat."""

    fast: Annotated[int, Range(2, 200)] = 10
    slow: Annotated[int, Range(3, 500)] = 30
    quantity: Decimal = Decimal("0.01")

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"seen: fast={self.fast}, slow={self.slow}; expected: fast below slow")
        if self.quantity <= 0:
            raise ValueError(f"seen: quantity={self.quantity}; expected: more than zero")

    def setup(self, on: Setup) -> None:
        self.fast_ma = on.bars().sma(self.fast)
        self.slow_ma = on.bars().sma(self.slow)

    def decide(self, now: View) -> Wish:
        return Target(quantity=self.quantity) if self.fast_ma.value > self.slow_ma.value else FLAT
