"""The highest high and the lowest low: Donchian.

Not here: bands around a mean (volatility).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from operator import neg
from typing import ClassVar

from holdfast.domain.market import Bar
from holdfast.strategy.indicators.base import NAN, Columns, Outputs, Shipped, checked_bars


class Donchian(Shipped):
    """Highest high and lowest low of the last `period` bars, the newest included.

    Equals TA-Lib's MAX of the highs and MIN of the lows. The newest bar is inside, so a close is
    never above `upper`; a breakout is a high that is `upper`.

    Attributes:
        middle: halfway between both, also `value`.
        upper, lower: the extremes.
    """

    outputs: ClassVar[tuple[str, ...]] = ("middle", "upper", "lower")
    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = (
        "_bars", "_high_bars", "_highs", "_low_bars", "_lows", *outputs,
    )  # fmt: skip

    __slots__ = (
        "_bars", "_high_bars", "_highs", "_low_bars", "_lows", "lower", "middle", "period", "upper",
    )  # fmt: skip

    def __init__(self, period: int = 20) -> None:
        self.period = self.warmup = checked_bars("Donchian", "period", period)
        self.ready = False
        self.middle = self.upper = self.lower = NAN
        self._bars = 0
        # Those that may still be an extreme: highs fall and lows rise from the oldest on.
        self._highs: deque[float] = deque()
        self._high_bars: deque[int] = deque()
        self._lows: deque[float] = deque()
        self._low_bars: deque[int] = deque()

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        high, low = float(bar.high), float(bar.low)
        highs, lows = self._highs, self._lows
        while highs and highs[-1] <= high:
            highs.pop()
            self._high_bars.pop()
        while lows and lows[-1] >= low:
            lows.pop()
            self._low_bars.pop()
        highs.append(high)
        lows.append(low)
        self._high_bars.append(self._bars)
        self._low_bars.append(self._bars)
        gone = self._bars - self.period
        if self._high_bars[0] == gone:
            highs.popleft()
            self._high_bars.popleft()
        if self._low_bars[0] == gone:
            lows.popleft()
            self._low_bars.popleft()
        self._bars += 1
        if self._bars >= self.period:
            self.ready = True
            self.upper, self.lower = highs[0], lows[0]
            self.middle = (self.upper + self.lower) / 2.0

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        uppers = _highest(columns.high, self.period)
        lowers = list(map(neg, _highest(list(map(neg, columns.low)), self.period)))
        middles = [(upper + lower) / 2.0 for upper, lower in zip(uppers, lowers, strict=True)]
        return middles, uppers, lowers


def _highest(values: Sequence[float], period: int) -> list[float]:
    """The highest of the last `period` values: of the tail of a block and the head of the next."""
    # Spelled out, because calls of max would cost more than all the rest.
    out = [NAN] * min(period - 1, len(values))
    for start in range(period, len(values) + 1, period):
        most = values[start - 1]
        tops = [
            most := value if value > most else most  # noqa: FURB136
            for value in reversed(values[start - period : start])
        ]
        most = tops.pop()
        out.append(most)
        head = values[start : start + period - 1]
        most = head[0] if head else most
        out += [
            top if top > (most := value if value > most else most) else most  # noqa: FURB136
            for value, top in zip(head, reversed(tops), strict=False)
        ]
    return out
