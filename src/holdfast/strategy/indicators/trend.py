"""Whether the market goes anywhere, and where to: ADX and Supertrend.

Not here: how fast (momentum).
"""

from __future__ import annotations

from typing import ClassVar

from holdfast.domain.market import Bar
from holdfast.strategy.indicators.base import (
    NAN,
    Columns,
    Outputs,
    Shipped,
    checked_bars,
    checked_multiplier,
)
from holdfast.strategy.indicators.volatility import Atr

UP, DOWN = 1.0, -1.0


class Adx(Shipped):
    """Average directional index by Wilder, 0 to 100. Equals TA-Lib's ADX, PLUS_DI and MINUS_DI.

    Directional moves and true ranges are summed by Wilder over `period`, seeded as TA-Lib does with
    the first `period` - 1 of them; the index is Wilder's average of the distance of both
    directions, seeded with the mean of the first `period` distances. A bar on which there is no
    direction at all leaves it where it was. TA-Lib's unstable period: what is left of the seeds
    after `bars` is about `bars` / period × (1 - 1 / period) ** bars of them.

    Attributes:
        index: also `value`.
        plus_di, minus_di: the directions, 0 to 100.
    """

    outputs: ClassVar[tuple[str, ...]] = ("index", "plus_di", "minus_di")
    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = (
        "_bars", "_distances", "_high", "_last", "_low", "_minus", "_plus", "_reach", *outputs,
    )  # fmt: skip

    __slots__ = (
        "_bars", "_distances", "_high", "_last", "_low", "_minus", "_plus", "_reach", "index",
        "minus_di", "period", "plus_di",
    )  # fmt: skip

    def __init__(self, period: int = 14) -> None:
        self.period = checked_bars("Adx", "period", period, least=2)
        self.warmup = 2 * period
        self.ready = False
        self.index = self.plus_di = self.minus_di = NAN
        self._bars = 0  # until ready
        self._high = self._low = self._last = NAN
        self._plus = self._minus = self._reach = 0.0
        self._distances = 0.0  # their sum, until ready

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        self._take(float(bar.high), float(bar.low), float(bar.close))

    def _take(self, high: float, low: float, close: float) -> None:
        before, self._last = self._last, close
        rise, fall = high - self._high, self._low - low
        self._high, self._low = high, low
        period, bars = self.period, self._bars
        if not self.ready:
            self._bars = bars + 1
            if bars == 0:
                return
            if bars >= period:
                self._decay()
        else:
            self._decay()
        self._reach += max(high, before) - min(low, before)
        if fall > 0.0 and rise < fall:
            self._minus += fall
        elif rise > 0.0 and rise > fall:
            self._plus += rise
        if not self.ready and bars < period:
            return
        self._conclude(bars)

    def _decay(self) -> None:
        """Wilder's: what is summed up loses its `period`-th part before the next is added."""
        self._plus -= self._plus / self.period
        self._minus -= self._minus / self.period
        self._reach -= self._reach / self.period

    def _conclude(self, bars: int) -> None:
        """The outputs from the sums; `bars` were seen before this one."""
        period, plus, minus = self.period, 0.0, 0.0
        if self._reach:
            plus, minus = 100.0 * (self._plus / self._reach), 100.0 * (self._minus / self._reach)
        both = plus + minus
        if self.ready:
            if both:
                distance = 100.0 * (abs(minus - plus) / both)
                self.index = (self.index * (period - 1) + distance) / period
        else:
            if both:
                self._distances += 100.0 * (abs(minus - plus) / both)
            if bars < 2 * period - 1:
                return
            self.index = self._distances / period
            self.ready = True
        self.plus_di, self.minus_di = plus, minus

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        period, keep, warmup = self.period, self.period - 1, self.warmup
        start = self._seeded(columns)
        outs: Outputs = ([NAN] * start._bars, [NAN] * start._bars, [NAN] * start._bars)
        if not start.ready:
            return outs
        for out, first in zip(outs, (start.index, start.plus_di, start.minus_di), strict=True):
            out[-1] = first
        index, ups, downs, reach = start.index, start._plus, start._minus, start._reach
        last_high, last_low, last = start._high, start._low, start._last
        add, add_plus, add_minus = (out.append for out in outs)
        news = slice(warmup, None)
        for high, low, close in zip(
            columns.high[news], columns.low[news], columns.close[news], strict=True
        ):
            # Spelled out, because calls of max, min and abs would cost more than all the rest.
            top = high if high > last else last  # noqa: FURB136
            bottom = low if low < last else last  # noqa: FURB136
            reach = reach - reach / period + (top - bottom)
            ups -= ups / period
            downs -= downs / period
            rise, fall = high - last_high, last_low - low
            if fall > 0.0 and rise < fall:
                downs += fall
            elif rise > 0.0 and rise > fall:
                ups += rise
            last_high, last_low, last = high, low, close
            if reach:
                plus, minus = 100.0 * (ups / reach), 100.0 * (downs / reach)
                both = plus + minus
                if both:
                    apart = plus - minus if plus > minus else minus - plus
                    index = (index * keep + 100.0 * (apart / both)) / period
            else:
                plus = minus = 0.0
            add(index)
            add_plus(plus)
            add_minus(minus)
        return outs

    def _seeded(self, columns: Columns) -> Adx:
        """Another one, fed with the first bars up to its warm-up."""
        fresh, first = Adx(self.period), slice(self.warmup)
        for bar in zip(columns.high[first], columns.low[first], columns.close[first], strict=True):
            fresh._take(*bar)
        return fresh


class Supertrend(Shipped):
    """A stop that follows the price at `multiplier` average true ranges, and the side it is on.

    TA-Lib has none. As in Pine Script's ta.supertrend: bands lie at (high + low) / 2 ± multiplier ×
    ATR; the lower only rises and the upper only falls, until the close before was beyond it; the
    trend turns when a close is beyond the band on the other side, and begins down. The range is
    `Atr`, seeded as TA-Lib does, where Pine counts the first bar's too.

    Attributes:
        line: the band in force, quote units: the lower in a rising trend, else the upper; also
            `value`.
        direction: 1.0 rising, -1.0 falling.
    """

    outputs: ClassVar[tuple[str, ...]] = ("line", "direction")
    _parameters: ClassVar[tuple[str, ...]] = ("period", "multiplier")
    _memory: ClassVar[tuple[str, ...]] = ("_atr", "_last", "_lower", "_upper", *outputs)

    __slots__ = (
        "_atr", "_last", "_lower", "_upper", "direction", "line", "multiplier", "period",
    )  # fmt: skip

    def __init__(self, period: int = 10, multiplier: float = 3.0) -> None:
        self.period = checked_bars("Supertrend", "period", period)
        self.multiplier = checked_multiplier("Supertrend", multiplier)
        self.warmup = period + 1
        self.ready = False
        self.line = self.direction = NAN
        self._atr = Atr(period)
        self._last = self._lower = self._upper = NAN

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        self._take(float(bar.high), float(bar.low), float(bar.close))

    def _take(self, high: float, low: float, close: float) -> None:
        self._atr.take(high, low, close)
        last, self._last = self._last, close
        if not self._atr.ready:
            return
        centre, reach = (high + low) / 2.0, self.multiplier * self._atr.value
        lower, upper = centre - reach, centre + reach
        if self.ready:
            if lower <= self._lower and last >= self._lower:
                lower = self._lower
            if upper >= self._upper and last <= self._upper:
                upper = self._upper
            if self.direction == DOWN:
                self.direction = UP if close > upper else DOWN
            else:
                self.direction = DOWN if close < lower else UP
        else:
            self.ready = True
            self.direction = DOWN
        self._lower, self._upper = lower, upper
        self.line = lower if self.direction == UP else upper

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        period, keep, multiplier = self.period, self.period - 1, self.multiplier
        fresh, first = Supertrend(period, multiplier), slice(self.warmup)
        for bar in zip(columns.high[first], columns.low[first], columns.close[first], strict=True):
            fresh._take(*bar)
        lines = [NAN] * min(period, len(columns.close))
        directions = lines.copy()
        if not fresh.ready:
            return lines, directions
        lines.append(fresh.line)
        directions.append(fresh.direction)
        add, add_direction = lines.append, directions.append
        average, floor, ceiling, last = fresh._atr.value, fresh._lower, fresh._upper, fresh._last
        is_up, news = fresh.direction == UP, slice(self.warmup, None)
        for high, low, close in zip(
            columns.high[news], columns.low[news], columns.close[news], strict=True
        ):
            # Spelled out, because calls of max and min would cost more than all the rest.
            top = high if high > last else last  # noqa: FURB136
            bottom = low if low < last else last  # noqa: FURB136
            average = (average * keep + (top - bottom)) / period
            centre, reach = (high + low) / 2.0, multiplier * average
            lower, upper = centre - reach, centre + reach
            # A band moves when it comes nearer, or when the close before was beyond it.
            if lower > floor or last < floor:
                floor = lower
            if upper < ceiling or last > ceiling:
                ceiling = upper
            last = close
            is_up = close >= floor if is_up else close > ceiling
            if is_up:
                add(floor)
                add_direction(UP)
            else:
                add(ceiling)
                add_direction(DOWN)
        return lines, directions
