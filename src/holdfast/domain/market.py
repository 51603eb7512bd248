"""What a market shows: trades, bars, the best levels of the book.

Not here: reading or building them (market), orders of ours (domain.order).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
Level = tuple[Decimal, Decimal]
"""A price, quote units per base unit, and how many base units are offered at it."""


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One print.

    Attributes:
        at_ns: exchange time, UTC nanoseconds.
        price: quote units per base unit.
        quantity: base units, > 0.
        buyer_is_maker: True when the taker sold.
    """

    at_ns: int
    symbol: str
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    trade_id: int = 0


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One closed candle.

    Attributes:
        open_ns: its first nanosecond, UTC.
        close_ns: the first nanosecond after it; a strategy sees the bar at this time.
        volume: base units.
    """

    symbol: str
    open_ns: int
    close_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class BarColumns(msgspec.Struct, frozen=True):
    """Many bars of one symbol, as columns of equal length, oldest first.

    Prices are floats here, for indicators and charts. Up to 15 digits a float's shortest text is
    the number that was recorded, so that `bar` gives exact money all the same.

    Attributes:
        bar_s: seconds of one bar.
        open_ns: first nanosecond of each, UTC.
        volume: base units.
    """

    symbol: str
    bar_s: int
    open_ns: Sequence[int]
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[float]

    def __len__(self) -> int:
        return len(self.open_ns)

    def bar(self, at: int) -> Bar:
        """The bar number `at`, exact."""
        open_ns = self.open_ns[at]
        return Bar(
            self.symbol,
            open_ns,
            open_ns + self.bar_s * NS_PER_S,
            exact(self.open[at]),
            exact(self.high[at]),
            exact(self.low[at]),
            exact(self.close[at]),
            exact(self.volume[at]),
        )


@lru_cache(maxsize=256)  # a bar opens where the last one closed, and is looked at more than once
def exact(recorded: float) -> Decimal:
    """The decimal number that a recorded float of at most 15 digits stands for."""
    return Decimal(repr(recorded))


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and ask at a moment; a missing side is None."""

    at_ns: int
    symbol: str
    bid: Decimal | None
    ask: Decimal | None


class BookLevels(msgspec.Struct, frozen=True, gc=False):
    """The best levels of a book at a moment.

    Attributes:
        at_ns: exchange time of the last change in it, UTC nanoseconds.
        bids, asks: best first; both empty while the book is not known.
    """

    at_ns: int
    symbol: str
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()

    def cut(self, levels: int) -> BookLevels:
        """The same with so many levels of each side at most."""
        return BookLevels(self.at_ns, self.symbol, self.bids[:levels], self.asks[:levels])
