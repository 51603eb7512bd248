"""`bollinger_reversion`: buy far below the mean, leave at the mean."""

from __future__ import annotations

from typing import Annotated

from holdfast.strategy import FLAT, KEEP, Percent, Range, Setup, Strategy, Target, View, Wish


class BollingerReversion(Strategy):
    """Buy a close below the lower band; leave at the middle, or at the stop.

    After the stop it stays out until the close has been at the middle again.
    """

    period: Annotated[int, Range(2, 500)] = 20
    deviations: Annotated[float, Range(0.5, 5)] = 2.0
    weight: Annotated[float, Range(0.01, 1)] = 0.25
    stop_pct: Annotated[float, Range(0.1, 50)] = 4.0

    def setup(self, on: Setup) -> None:
        self.bands = on.bars().bollinger(self.period, self.deviations)

    def decide(self, now: View) -> Wish:
        close = float(now.bar.close)
        if close >= self.bands.middle:
            return FLAT
        if close < self.bands.lower:
            return Target(weight=self.weight, stop=Percent(self.stop_pct))
        return KEEP
