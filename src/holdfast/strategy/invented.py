"""Invented markets, the same each time: for trying a strategy where no recording is at hand.

Not here: what is tried on them (strategy.check), invented exchanges (exchange.synthetic).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.market import Bar, BookLevels, Level, Trade
from holdfast.strategy.play import Closes, bars_of

HOLES: Final = 0.01
"""The part of a symbol's bars that never come, where there are several and it is not the first."""


def invented_market(count: int, symbols: Sequence[str], bar_s: int = 60) -> Closes:
    """Markets of their own for several symbols; all but the first leave a bar out now and then."""
    bars: list[Bar] = []
    for place, symbol in enumerate(symbols):
        source = random.Random(place)
        series = invented(count, 7 + place, symbol=symbol, bar_s=bar_s)
        bars += (bar for bar in series if not place or source.random() > HOLES)
    return Closes(bars, symbols)


def invented_around(bar: Bar, levels: int) -> tuple[BookLevels, Trade]:
    """A book of so many levels around a bar's close, and its last trade: the same each time.

    Mostly narrow, now and then wide; levels are a basis point apart.
    """
    source = random.Random(bar.open_ns)
    basis, at_ns = bar.close / 10_000, bar.close_ns - 1
    near = Decimal(source.choice((1, 1, 1, 2, 5, 20))) / 2

    def side(sign: int) -> tuple[Level, ...]:
        return tuple([
            (bar.close + sign * basis * (near + n), Decimal(source.randrange(1, 5000)) / 1000)
            for n in range(levels)
        ])

    quantity, sold = Decimal(source.randrange(1, 2000)) / 1000, source.random() < 0.5
    last = Trade(at_ns, bar.symbol, bar.close, quantity, buyer_is_maker=sold)
    return BookLevels(at_ns, bar.symbol, side(-1), side(1)), last


def invented(
    count: int, seed: int = 7, *, symbol: str = "BTC/USDT", bar_s: int = 60
) -> tuple[Bar, ...]:
    """Bars of a market with calm and wild hours, trends and wicks."""
    source = random.Random(seed)
    log_price, drift, width, closes = math.log(30_000), 0.0, 0.002, []
    for at in range(count):
        if at % 60 == 0:
            drift, width = source.gauss(0, 0.0004), source.choice((0.0008, 0.002, 0.005))
        log_price += source.gauss(drift, width)
        closes.append(round(math.exp(log_price), 2))
    return tuple(
        msgspec.structs.replace(
            bar,
            high=bar.high + Decimal(source.randrange(3000)) / 100,
            low=bar.low - Decimal(source.randrange(3000)) / 100,
            volume=Decimal(source.randrange(1, 5000)) / 1000,
        )
        for bar in bars_of(closes, symbol=symbol, bar_s=bar_s)
    )
