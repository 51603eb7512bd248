"""`macd_trend`: long while a trend is up and still gaining."""

from __future__ import annotations

from typing import Annotated

from holdfast.strategy import FLAT, Range, Setup, Strategy, Target, View, Wish


class MacdTrend(Strategy):
    """Long while MACD's line is above zero and above its signal, else flat."""

    fast: Annotated[int, Range(2, 200)] = 12
    slow: Annotated[int, Range(3, 500)] = 26
    signal: Annotated[int, Range(2, 200)] = 9
    weight: Annotated[float, Range(0.01, 1)] = 0.5

    def __post_init__(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"seen: fast={self.fast}, slow={self.slow}; expected: fast below slow")

    def setup(self, on: Setup) -> None:
        self.macd = on.bars().macd(self.fast, self.slow, self.signal)

    def decide(self, now: View) -> Wish:
        rising = self.macd.line > 0 and self.macd.histogram > 0
        return Target(weight=self.weight) if rising else FLAT
