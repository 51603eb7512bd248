"""What the synthetic markets are worth: correlated prices with trends and changing volatility.

Lives here: a seeded model of value in floats. Not here: orders or money; `synthetic` puts values on
an instrument's grid through whole ticks.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence

import msgspec


class Regime(msgspec.Struct, frozen=True):
    """A mood of the whole market.

    Attributes:
        volatility: standard deviation of the common log price after one second.
        activity: how much busier than on average everybody is.
        mean_s: how long it lasts on average.
    """

    volatility: float
    activity: float
    mean_s: float


# 0.00011 is what 60 % a year come to per square root of a second, a usual figure for bitcoin.
REGIMES = (
    Regime(volatility=0.00007, activity=0.7, mean_s=90),
    Regime(volatility=0.00015, activity=1.2, mean_s=60),
    Regime(volatility=0.0004, activity=2.2, mean_s=12),
)
# A trend lasts about this long and moves the price about as far as chance does meanwhile: averages
# over 5 and 20 bars of a second or so then cross every half minute, and sometimes rightly.
TREND_S = 40.0
# Prices are drawn back to where they began over a day, so that an endless market stays on its grid.
PULL_S = 86_400.0
_OWN_SHARE = 0.5


class _Factor:
    """One component of a log price: chance, a trend of its own, and the pull back to zero."""

    def __init__(self) -> None:
        self.value = 0.0
        self.trend = 0.0

    def advance(self, span_s: float, volatility: float, source: random.Random) -> None:
        kept, turn, step = _steps(span_s, volatility)
        self.trend *= kept
        self.trend += turn * source.gauss(0, 1)
        self.value += (self.trend - self.value / PULL_S) * span_s
        self.value += step * source.gauss(0, 1)


@functools.cache
def _steps(span_s: float, volatility: float) -> tuple[float, float, float]:
    """What is left of a trend after `span_s`, and how far chance moves it and the value."""
    usual_trend = volatility / math.sqrt(TREND_S)
    return (
        math.exp(-span_s / TREND_S),
        usual_trend * math.sqrt(2 * span_s / TREND_S),
        volatility * math.sqrt(span_s),
    )


class FairPrices:
    """The worth of several markets; equal seeds and equal calls give equal values.

    Args:
        starts: the first price of each market, quote units.
        betas: how strongly each follows the common factor.
        source: of all chance here.
    """

    def __init__(
        self, starts: Sequence[float], betas: Sequence[float], source: random.Random
    ) -> None:
        self.prices = list(starts)
        self.regime = REGIMES[1]
        self._starts = tuple(starts)
        self._betas = tuple(betas)
        self._source = source
        self._common = _Factor()
        self._own = [_Factor() for _ in starts]

    def advance(self, span_s: float) -> None:
        """Let `span_s` seconds pass; `prices` and `regime` are then those of the new moment."""
        source = self._source
        if source.random() < span_s / self.regime.mean_s:
            self.regime = source.choice([other for other in REGIMES if other is not self.regime])
        volatility = self.regime.volatility
        self._common.advance(span_s, volatility, source)
        for index, (own, beta) in enumerate(zip(self._own, self._betas, strict=True)):
            own.advance(span_s, volatility * _OWN_SHARE * beta, source)
            change = beta * self._common.value + own.value
            self.prices[index] = self._starts[index] * math.exp(change)

    def lean(self, index: int) -> float:
        """Which way market `index` is trending, from -1 (down) to 1 (up)."""
        trend = self._betas[index] * self._common.trend + self._own[index].trend
        return math.tanh(trend * math.sqrt(TREND_S) / self.regime.volatility)
