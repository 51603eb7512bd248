"""`rsi_reversion`: buy what fell too fast, leave when it has recovered."""

from __future__ import annotations

from typing import Annotated

from holdfast.strategy import FLAT, KEEP, Percent, Range, Setup, Strategy, Target, View, Wish


class RsiReversion(Strategy):
    """Buy an oversold dip; leave at the mean, at the stop or at the target.

    Between `buy_below` and `leave_above` what was wished last stands, so that no state is needed
    and dust of a fee in base is no position. A stop is followed by a pause of `pause_bars`; a
    take-profit by waiting until the index has been above `leave_above`.

    With a `trend`, the timeframe of longer bars such as `4h`, it buys only above the average of
    the last `trend_period` of them. Empty, every dip is bought.
    """

    period: Annotated[int, Range(2, 200)] = 14
    buy_below: Annotated[float, Range(5, 45)] = 30.0
    leave_above: Annotated[float, Range(30, 95)] = 55.0
    weight: Annotated[float, Range(0.01, 1)] = 0.25
    stop_pct: Annotated[float, Range(0.1, 50)] = 2.0
    take_profit_pct: Annotated[float, Range(0.1, 50)] = 4.0
    pause_bars: Annotated[int, Range(0, 1000)] = 12
    trend: str = ""
    trend_period: int = 50  # without bounds: a search would vary it where there is no trend

    def __post_init__(self) -> None:
        if self.buy_below >= self.leave_above:
            raise ValueError(
                f"seen: buy_below={self.buy_below}, leave_above={self.leave_above}; expected: "
                "buy_below below leave_above"
            )
        if not 2 <= self.trend_period <= 500:
            raise ValueError(f"seen: trend_period={self.trend_period}; expected: 2 to 500")

    def setup(self, on: Setup) -> None:
        self.rsi = on.bars().rsi(self.period)
        self.mean = on.bars(self.trend).sma(self.trend_period) if self.trend else None

    def decide(self, now: View) -> Wish:
        if self.rsi.value > self.leave_above:
            return FLAT
        last = now.last_exit
        if last is not None and last.reason == "stop" and last.bars_ago < self.pause_bars:
            return FLAT
        rises = self.mean is None or float(now.bar.close) > self.mean.value
        if rises and self.rsi.value < self.buy_below:
            return Target(
                weight=self.weight,
                stop=Percent(self.stop_pct),
                take_profit=Percent(self.take_profit_pct),
            )
        return KEEP
