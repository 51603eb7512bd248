"""How far bars reach and closes scatter: ATR and Bollinger bands.

Not here: channels of extremes (channel).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import ClassVar

from holdfast.domain.market import Bar
from holdfast.strategy.indicators.base import (
    NAN,
    Columns,
    Outputs,
    Shipped,
    checked_bars,
    checked_multiplier,
    padded,
    tails,
)


class Atr(Shipped):
    """Average true range by Wilder, quote units. Equals TA-Lib's ATR.

    A true range reaches from the bar to the close before it, so the first bar has none; the first
    value is the mean of the first `period`. TA-Lib's unstable period: what is left of the seed
    after `bars` is (1 - 1 / period) ** bars of it.
    """

    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = ("_bars", "_last", "_sum", "value")

    __slots__ = ("_bars", "_last", "_sum", "period", "value")

    value: float

    def __init__(self, period: int = 14) -> None:
        self.period = checked_bars("Atr", "period", period)
        self.warmup = period + 1
        self.ready = False
        self.value = NAN
        self._bars = 0  # until ready
        self._last = NAN
        self._sum = 0.0  # until ready

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        self.take(float(bar.high), float(bar.low), float(bar.close))

    def take(self, high: float, low: float, close: float) -> None:
        """Take one closed bar in, as floats."""
        last, self._last = self._last, close
        reach = max(high, last) - min(low, last)
        period = self.period
        if self.ready:
            self.value = (self.value * (period - 1) + reach) / period
            return
        if self._bars:
            self._sum += reach
        self._bars += 1
        if self._bars > period:
            self.value = self._sum / period
            self.ready = True

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        period, keep = self.period, self.period - 1
        ranges = _true_ranges(columns)
        if len(ranges) < period:
            return (padded([], len(columns.close)),)
        total = 0.0
        for reach in ranges[:period]:
            total += reach
        value = total / period
        found = [value]
        found += [value := (value * keep + reach) / period for reach in ranges[period:]]
        return (padded(found, len(columns.close)),)


def _true_ranges(columns: Columns) -> list[float]:
    """How far each bar but the first reaches, the close before it included."""
    # Spelled out, because calls of max and min would cost more than all the rest.
    return [
        (high if high > last else last) - (low if low < last else last)  # noqa: FURB136
        for high, low, last in zip(columns.high[1:], columns.low[1:], columns.close, strict=False)
    ]


class Bollinger(Shipped):
    """Mean of the close and bands of `multiplier` standard deviations. Equals TA-Lib's BBANDS.

    The deviation is the population's. Sums run from block to block of `period` bars and nothing is
    ever subtracted from them: a window is the tail of one block and the head of the next, and
    deviations are taken from a close within the window. So nothing drifts, an outlier leaves no
    trace behind, and of equal closes the width is exactly 0.

    Attributes:
        middle: the mean, also `value`.
        upper, lower: the bands.
    """

    outputs: ClassVar[tuple[str, ...]] = ("middle", "upper", "lower")
    _parameters: ClassVar[tuple[str, ...]] = ("period", "multiplier")
    _memory: ClassVar[tuple[str, ...]] = (
        "_block", "_origin", "_square_tails", "_squares", "_sum", "_sum_tails", *outputs,
    )  # fmt: skip

    __slots__ = (
        "_block", "_origin", "_square_tails", "_squares", "_sum", "_sum_tails", "lower", "middle",
        "multiplier", "period", "upper",
    )  # fmt: skip

    def __init__(self, period: int = 20, multiplier: float = 2.0) -> None:
        self.period = self.warmup = checked_bars("Bollinger", "period", period, least=2)
        self.multiplier = checked_multiplier("Bollinger", multiplier)
        self.ready = False
        self.middle = self.upper = self.lower = NAN
        self._block: list[float] = []  # the closes since the last block was full
        self._origin = NAN  # the last close of that block
        self._sum_tails: list[float] = []  # its tails that future windows will need, longest last
        self._square_tails: list[float] = []
        self._sum = self._squares = 0.0  # of the new block, from the origin

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        close = float(bar.close)
        self._block.append(close)
        if self._sum_tails:
            move = close - self._origin
            self._sum += move
            self._squares += move * move
        elif len(self._block) == self.period:
            self._origin, self._sum_tails, self._square_tails = _tails(self._block)
            self._block = []
            self._sum = self._squares = 0.0
            self.ready = True
        else:
            return
        period = self.period
        shift = (self._sum_tails.pop() + self._sum) / period
        variance = (self._square_tails.pop() + self._squares) / period - shift * shift
        reach = self.multiplier * sqrt(variance) if variance > 0.0 else 0.0
        self.middle = self._origin + shift
        self.upper = self.middle + reach
        self.lower = self.middle - reach

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        closes, period, multiplier = columns.close, self.period, self.multiplier
        length = len(closes)
        nothing = [NAN] * min(period - 1, length)
        middles, uppers, lowers = nothing.copy(), nothing.copy(), nothing
        for start in range(period, length + 1, period):
            origin, sums, squares = _tails(closes[start - period : start])
            # The full block itself is the window whose new part is empty: a move of 0.
            total = square = 0.0
            for close, sum_tail, square_tail in zip(
                (origin, *closes[start : start + period - 1]),
                reversed(sums),
                reversed(squares),
                strict=False,
            ):
                move = close - origin
                total += move
                square += move * move
                shift = (sum_tail + total) / period
                variance = (square_tail + square) / period - shift * shift
                reach = multiplier * sqrt(variance) if variance > 0.0 else 0.0
                middle = origin + shift
                middles.append(middle)
                uppers.append(middle + reach)
                lowers.append(middle - reach)
        return middles, uppers, lowers


def _tails(block: Sequence[float]) -> tuple[float, list[float], list[float]]:
    """The origin of a full block, and the sums and squares of its tails."""
    origin = block[-1]
    moves = [close - origin for close in block]
    return origin, tails(moves), tails([move * move for move in moves])
