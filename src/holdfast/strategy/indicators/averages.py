"""Moving averages of the close: simple and exponential.

Not here: averages weighted by volume (volume), Wilder's (momentum, volatility).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import ClassVar

from holdfast.domain.market import Bar
from holdfast.strategy.indicators.base import (
    NAN,
    Columns,
    Outputs,
    Shipped,
    checked_bars,
    mean,
    padded,
)

_REBASE_BARS = 256


class Sma(Shipped):
    """Simple moving average of the close over `period` bars. Equals TA-Lib's SMA.

    The running sum is taken anew, rounded once, every 256 bars or so, and so never drifts. A
    window of equal closes has exactly that mean: two averages of a market that stands still are
    equal, and do not cross by a rounding.
    """

    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = ("_ring", "_bars", "_sum", "_equal", "value")

    __slots__ = ("_bars", "_equal", "_rebase", "_ring", "_sum", "period", "value")

    value: float

    def __init__(self, period: int) -> None:
        self.period = self.warmup = checked_bars("Sma", "period", period)
        self.ready = False
        self.value = NAN
        self._ring: list[float] = []
        self._bars = 0  # seen since the sum was taken anew; before ready, since the beginning
        self._sum = 0.0
        self._equal = 0  # closes in a row that are the same as the last
        self._rebase = _rebase_bars(period)

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        close = float(bar.close)
        ring, period, bars = self._ring, self.period, self._bars
        at = bars % period
        if self.ready:
            last, oldest = ring[at - 1], ring[at]
            ring[at] = close
        else:
            last, oldest = ring[-1] if ring else close, 0.0
            ring.append(close)
        self._equal = self._equal + 1 if close == last else 1
        bars += 1
        if not self.ready:
            self._bars = bars
            if bars < period:
                return
            self.ready = True
            bars = self._rebase
        if bars == self._rebase:
            self._sum = fsum(ring)
            bars = 0
        else:
            self._sum += close - oldest
        self._bars = bars
        self.value = close if self._equal >= period else self._sum / period

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        closes, period, rebase = columns.close, self.period, self._rebase
        length, divisor = len(closes), float(period)
        out = [NAN] * min(period - 1, length)
        for start in range(period, length + 1, rebase):
            total = fsum(closes[start - period : start])
            out.append(total / period)
            stop = start + rebase - 1
            moves = zip(closes[start:stop], closes[start - period : stop - period], strict=False)
            out += [(total := total + (new - old)) / divisor for new, old in moves]
        _level(out, closes, period)
        return (out,)


class Ema(Shipped):
    """Exponential moving average of the close, weight 2 / (period + 1). Equals TA-Lib's EMA.

    Its first value is the mean of the first `period` closes. TA-Lib's unstable period: a start
    `bars` later differs by what is left of the seed, (1 - 2 / (period + 1)) ** bars of it.
    """

    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = ("_seed", "value")

    __slots__ = ("_seed", "_weight", "period", "value")

    value: float

    def __init__(self, period: int) -> None:
        self.period = self.warmup = checked_bars("Ema", "period", period)
        self.ready = False
        self.value = NAN
        self._weight = ema_weight(period)
        self._seed: list[float] = []

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        close = float(bar.close)
        if self.ready:
            self.value += (close - self.value) * self._weight
            return
        self._seed.append(close)
        if len(self._seed) == self.period:
            self.value = mean(self._seed)
            self._seed = []
            self.ready = True

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        return (padded(ema(columns.close, self.period), len(columns.close)),)


def ema_weight(period: int) -> float:
    """How much the newest value counts."""
    return 2.0 / (period + 1)


def ema(values: Sequence[float], period: int) -> list[float]:
    """The exponential averages from the seed on: `period` - 1 fewer than values, or none."""
    if len(values) < period:
        return []
    weight, average = ema_weight(period), mean(values[:period])
    return [
        average,
        *[average := average + (value - average) * weight for value in values[period:]],
    ]


def _rebase_bars(period: int) -> int:
    """Whole rounds of the ring, so that its first place is the oldest again."""
    return period * -(-_REBASE_BARS // period)


def _level(out: list[float], closes: Sequence[float], period: int) -> None:
    """Where `period` closes in a row are equal, their mean is the close."""
    if period == 1:
        out[:] = closes
        return
    # A run of `period` closes has `period` - 1 pairs of neighbours, and so one that starts at a
    # multiple of that: only these are looked at.
    stride, length, done = period - 1, len(closes), 0
    pairs = zip(range(0, length, stride), closes[::stride], closes[1::stride], strict=False)
    for at in [at for at, one, other in pairs if one == other]:
        if at < done:
            continue
        close, first, done = closes[at], at, at + 1
        while first and closes[first - 1] == close:
            first -= 1
        while done < length and closes[done] == close:
            done += 1
        if done - first >= period:
            out[first + period - 1 : done] = [close] * (done - first - period + 1)
