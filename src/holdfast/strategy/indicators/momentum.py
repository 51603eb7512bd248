"""How fast the close moves: RSI and MACD.

Not here: how far bars reach (volatility), whether they go anywhere (trend).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from holdfast.domain.market import Bar
from holdfast.strategy.indicators.averages import ema, ema_weight
from holdfast.strategy.indicators.base import (
    NAN,
    Columns,
    Outputs,
    Shipped,
    checked_bars,
    mean,
)


class Rsi(Shipped):
    """Relative strength index by Wilder, 0 to 100. Equals TA-Lib's RSI.

    The share of the rises in all moves, both averaged by Wilder over `period`, seeded with the mean
    of the first `period` moves. 0 while the close has never moved, as in TA-Lib. TA-Lib's unstable
    period: what is left of the seed after `bars` is (1 - 1 / period) ** bars of it.
    """

    _parameters: ClassVar[tuple[str, ...]] = ("period",)
    _memory: ClassVar[tuple[str, ...]] = ("_bars", "_gain", "_last", "_loss", "value")

    __slots__ = ("_bars", "_gain", "_last", "_loss", "period", "value")

    value: float

    def __init__(self, period: int = 14) -> None:
        self.period = checked_bars("Rsi", "period", period, least=2)
        self.warmup = period + 1
        self.ready = False
        self.value = NAN
        self._bars = 0  # until ready
        self._last = NAN
        self._gain = self._loss = 0.0

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        close = float(bar.close)
        move, self._last = close - self._last, close
        rise, fall = max(0.0, move), max(0.0, -move)
        period = self.period
        if self.ready:
            self._gain = (self._gain * (period - 1) + rise) / period
            self._loss = (self._loss * (period - 1) + fall) / period
        else:
            self._bars += 1
            self._gain += rise
            self._loss += fall
            if self._bars <= period:
                return
            self.ready = True
            self._gain /= period
            self._loss /= period
        both = self._gain + self._loss
        self.value = 100.0 * (self._gain / both) if both else 0.0

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        closes, period, keep = columns.close, self.period, self.period - 1
        gain = loss = 0.0
        for before, close in pairwise(closes[: period + 1]):
            if close > before:
                gain += close - before
            else:
                loss += before - close
        gain /= period
        loss /= period
        out = [NAN] * min(period, len(closes))
        if len(closes) <= period:
            return (out,)
        both = gain + loss
        out.append(100.0 * (gain / both) if both else 0.0)
        add = out.append
        before = closes[period]
        for close in closes[period + 1 :]:
            move = close - before
            before = close
            if move > 0.0:
                gain = (gain * keep + move) / period
                loss = loss * keep / period
            else:
                gain = gain * keep / period
                loss = (loss * keep - move) / period
            both = gain + loss
            add(100.0 * (gain / both) if both else 0.0)
        return (out,)


class Macd(Shipped):
    """Fast minus slow exponential average of the close, and its signal. Equals TA-Lib's MACD.

    Both averages are seeded at bar `slow`, each with the mean of its own last closes; the signal
    with the mean of the first `signal` differences. TA-Lib's unstable period is that of `Ema`.

    Attributes:
        line: fast minus slow, quote units; also `value`.
        signal: the exponential average of the line over `signal_period`.
        histogram: line minus signal.
    """

    outputs: ClassVar[tuple[str, ...]] = ("line", "signal", "histogram")
    _parameters: ClassVar[tuple[str, ...]] = ("fast", "slow", "signal_period")
    _memory: ClassVar[tuple[str, ...]] = (
        "_closes", "_fast_average", "_lines", "_slow_average", *outputs,
    )  # fmt: skip

    __slots__ = (
        "_closes", "_fast_average", "_fast_weight", "_lines", "_signal_weight", "_slow_average",
        "_slow_weight", "fast", "histogram", "line", "signal", "signal_period", "slow",
    )  # fmt: skip

    def __init__(self, fast: int = 12, slow: int = 26, signal_period: int = 9) -> None:
        self.fast = checked_bars("Macd", "fast", fast)
        self.slow = checked_bars("Macd", "slow", slow, least=2)
        self.signal_period = checked_bars("Macd", "signal_period", signal_period)
        if fast >= slow:
            raise ValueError(f"seen: Macd(fast={fast}, slow={slow}); expected: fast below slow")
        self.warmup = slow + signal_period - 1
        self.ready = False
        self.line = self.signal = self.histogram = NAN
        self._fast_weight, self._slow_weight = ema_weight(fast), ema_weight(slow)
        self._signal_weight = ema_weight(signal_period)
        self._fast_average = self._slow_average = NAN
        self._closes: list[float] = []  # until the averages are seeded
        self._lines: list[float] = []  # then until the signal is

    def update(self, bar: Bar) -> None:
        """Take one closed bar in."""
        close = float(bar.close)
        if self._slow_average == self._slow_average:  # no longer nan
            self._fast_average += (close - self._fast_average) * self._fast_weight
            self._slow_average += (close - self._slow_average) * self._slow_weight
        else:
            self._closes.append(close)
            if len(self._closes) < self.slow:
                return
            self._fast_average = mean(self._closes[-self.fast :])
            self._slow_average = mean(self._closes)
            self._closes = []
        line = self._fast_average - self._slow_average
        if self.ready:
            self.signal += (line - self.signal) * self._signal_weight
        else:
            self._lines.append(line)
            if len(self._lines) < self.signal_period:
                return
            self.signal = mean(self._lines)
            self._lines = []
            self.ready = True
        self.line = line
        self.histogram = line - self.signal

    def over(self, columns: Columns) -> Outputs:
        """See `Shipped.over`."""
        closes = columns.close
        fast_weight, slow_weight = self._fast_weight, self._slow_weight
        weight = self._signal_weight
        fasts, slows = self._averages(closes[: self.warmup])
        seeds = [fast - slow for fast, slow in zip(fasts, slows, strict=True)]
        if len(seeds) < self.signal_period:
            nothing = [NAN] * len(closes)
            return nothing, nothing.copy(), nothing.copy()
        fast, slow, line, signal = fasts[-1], slows[-1], seeds[-1], mean(seeds)
        lines, signals, rests = (
            [*[NAN] * (self.warmup - 1), first] for first in (line, signal, line - signal)
        )
        for close in closes[self.warmup :]:
            fast += (close - fast) * fast_weight
            slow += (close - slow) * slow_weight
            line = fast - slow
            signal += (line - signal) * weight
            lines.append(line)
            signals.append(signal)
            rests.append(line - signal)
        return lines, signals, rests

    def _averages(self, closes: Sequence[float]) -> tuple[list[float], list[float]]:
        """The fast and the slow ones from bar `slow` on, where both begin."""
        return ema(closes[self.slow - self.fast :], self.fast), ema(closes, self.slow)
