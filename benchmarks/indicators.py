"""How fast indicators are computed over columns, as a backtest does.

Not here: feeding them bar by bar, which is part of every other measured path.
"""

from __future__ import annotations

import random
import time
from array import array
from statistics import median

from benchmarks.row import Row
from holdfast.domain.market import NS_PER_S, BarColumns
from holdfast.strategy.indicators import (
    Adx,
    Atr,
    Bollinger,
    Donchian,
    Ema,
    Macd,
    Rsi,
    Shipped,
    Sma,
    Supertrend,
    Vwap,
)

BARS = 500_000
ROUNDS = 5

# What is asked of each, bars per second; None is only reported.
SUBJECTS: tuple[tuple[Shipped, float | None], ...] = (
    (Sma(20), 10e6),
    (Ema(20), 3e6),
    (Rsi(14), 3e6),
    (Atr(14), 3e6),
    (Macd(12, 26, 9), 3e6),
    (Adx(14), 3e6),
    (Supertrend(10, 3.0), 3e6),
    (Bollinger(20, 2.0), None),
    (Vwap(20), None),
    (Donchian(20), None),
)


def run() -> list[Row]:
    """Bars per second of processor time, the median of some rounds."""
    columns = walk(BARS)
    return [
        Row(
            what=f"indicators: {one!r} over columns",
            unit="bars/s",
            measured=BARS / median(_spent_s(one, columns) for _ in range(ROUNDS)),
            at_least=target,
        )
        for one, target in SUBJECTS
    ]


def walk(bars: int) -> BarColumns:
    """A seeded random walk, each column in one piece of memory as a table hands it out."""
    chance = random.Random(1)
    opens, highs, lows, closes, volumes = (array("d", bytes(8 * bars)) for _ in range(5))
    price = 60_000.0
    for at in range(bars):
        opens[at], price = price, price * (0.999 + 0.002 * chance.random())
        closes[at], volumes[at] = price, chance.random()
        highs[at] = max(opens[at], price) * (1 + 0.001 * chance.random())
        lows[at] = min(opens[at], price) * (1 - 0.001 * chance.random())
    times_ns = range(0, bars * 60 * NS_PER_S, 60 * NS_PER_S)
    columns = (column.tolist() for column in (opens, highs, lows, closes, volumes))
    return BarColumns("BTC/USDT", 60, times_ns, *columns)


def _spent_s(indicator: Shipped, columns: BarColumns) -> float:
    started_s = time.process_time()
    outputs = indicator.over(columns)
    spent_s = time.process_time() - started_s
    del outputs  # giving the lists back is the caller's, when it is done with them
    return spent_s
