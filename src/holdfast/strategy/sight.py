"""What a strategy looks at, for people and forms, from what it has declared.

Not here: declaring it (api), or showing it what it looks at (feed, book, signals).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from holdfast.domain.timeframe import timeframe_text
from holdfast.strategy.api import Setup
from holdfast.strategy.feed import Feed


class Sight(msgspec.Struct, frozen=True):
    """What a strategy has declared, for the symbols and bars that it was set up with.

    Attributes:
        symbols: what its bot trades, its own first.
        timeframe: of the bars that it decides on.
        indicators: by symbol and timeframe (`BTC/USDT 1h`).
        books: levels of each side, by symbol.
        every: how often it is asked between closes, `5s` or `200ms`; None at closes only.
        warmup_bars: of its own timeframe, before it is asked for the first time.
    """

    symbols: Sequence[str]
    timeframe: str
    indicators: Mapping[str, Sequence[str]]
    signals: Sequence[str]
    books: Mapping[str, int]
    trades: Sequence[str]
    every: str | None
    warmup_bars: int

    def lines(self) -> list[tuple[str, str]]:
        """The same as labels and words, without what it does not look at."""
        told = [("bars", f"{', '.join(self.symbols)} {self.timeframe}")]
        told += [(f"on {bars}", ", ".join(each)) for bars, each in self.indicators.items()]
        told.append(("signals", ", ".join(self.signals)))
        books = (f"{symbol}, {levels} levels" for symbol, levels in self.books.items())
        told.append(("books", "; ".join(books)))
        told.append(("trades", ", ".join(self.trades)))
        between = f", and every {self.every}" if self.every else ""
        told.append(("asked", f"at each close{between}"))
        plural = "" if self.warmup_bars == 1 else "s"
        told.append(("warm-up", f"{self.warmup_bars:,} bar{plural}"))
        return [(label, words) for label, words in told if words]


def sight_of(on: Setup) -> Sight:
    """What was declared."""
    every: str | None = None
    if on.every_ms:
        is_whole = on.every_ms % 1000 == 0
        every = timeframe_text(on.every_ms // 1000) if is_whole else f"{on.every_ms}ms"
    return Sight(
        symbols=on.symbols,
        timeframe=timeframe_text(on.bar_s),
        indicators={
            f"{symbol} {timeframe_text(bar_s)}": [repr(one) for one in series]
            for (symbol, bar_s), series in on.series.items()
            if series
        },
        signals=list(on.signals),
        books={symbol: book.levels for symbol, book in on.books.items()},
        trades=list(on.last_trades),
        every=every,
        warmup_bars=Feed(on).warmup_bars,
    )
