"""The best levels of a symbol's order book and its last trade, as a strategy sees them when asked.

Not here: where they come from (venues, recordings), what is journaled of them (engine).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from holdfast.domain.market import BookLevels, Level, Trade

USUAL_LEVELS = 10
MOST_LEVELS = 100


class Book:
    """The newest book of a symbol; a new process begins without.

    Attributes:
        symbol: unified.
        levels: how many of each side are shown at most.
        bids, asks: price and quantity of each level, best first; empty while nothing is known.
        at_ns: when it was so, UTC nanoseconds; 0 before the first.
    """

    __slots__ = ("asks", "at_ns", "bids", "levels", "symbol")

    def __init__(self, symbol: str, levels: int = USUAL_LEVELS) -> None:
        self.symbol = symbol
        self.levels = levels
        self.bids: tuple[Level, ...] = ()
        self.asks: tuple[Level, ...] = ()
        self.at_ns = 0

    @property
    def bid(self) -> Decimal | None:
        """The highest bid, quote units; None while there is none, or nothing was seen."""
        return self.bids[0][0] if self.bids else None

    @property
    def ask(self) -> Decimal | None:
        """The lowest ask, quote units; None while there is none, or nothing was seen."""
        return self.asks[0][0] if self.asks else None

    @property
    def ready(self) -> bool:
        """Whether both sides are known; `decide` is asked before that, too."""
        return bool(self.bids and self.asks)

    @property
    def middle(self) -> Decimal | None:
        """Between bid and ask; None while one of them is."""
        return (self.bids[0][0] + self.asks[0][0]) / 2 if self.bids and self.asks else None

    def age_s(self, now_ns: int) -> float:
        """Seconds from then to `now_ns`, which is `now.time_ns`, below zero for what came after
        the close; without end before the first."""
        return (now_ns - self.at_ns) / 1e9 if self.at_ns else float("inf")

    def show(self, book: BookLevels | None) -> BookLevels | None:
        """Show as much of `book` as was asked for from now on, or that there is none.

        Returns:
            What is shown.
        """
        shown = None if book is None else book.cut(self.levels)
        self.bids, self.asks = ((), ()) if shown is None else (shown.bids, shown.asks)
        self.at_ns = 0 if shown is None else shown.at_ns
        return shown


class LastTrade:
    """The newest trade of a symbol; a new process begins without.

    Attributes:
        symbol: unified.
        price: quote units; None before the first.
        quantity: base units; None before the first.
        buyer_is_maker: whether the taker sold; None before the first.
        at_ns: when it happened, UTC nanoseconds; 0 before the first.
    """

    __slots__ = ("at_ns", "buyer_is_maker", "price", "quantity", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.price: Decimal | None = None
        self.quantity: Decimal | None = None
        self.buyer_is_maker: bool | None = None
        self.at_ns = 0

    @property
    def ready(self) -> bool:
        """Whether there was one; `decide` is asked before that, too."""
        return self.price is not None

    def age_s(self, now_ns: int) -> float:
        """Seconds from then to `now_ns`, which is `now.time_ns`; without end before the first."""
        return (now_ns - self.at_ns) / 1e9 if self.at_ns else float("inf")

    def show(self, trade: Trade | None) -> None:
        """Show `trade` from now on, or that there was none."""
        self.price = trade.price if trade is not None else None
        self.quantity = trade.quantity if trade is not None else None
        self.buyer_is_maker = trade.buyer_is_maker if trade is not None else None
        self.at_ns = trade.at_ns if trade is not None else 0


def show_all(
    books: Mapping[str, Book],
    last_trades: Mapping[str, LastTrade],
    seen_books: Mapping[str, BookLevels],
    seen_trades: Mapping[str, Trade],
) -> list[BookLevels | Trade]:
    """Show a strategy the newest of what it has declared, all by symbol; what there was of it."""
    found: list[BookLevels | Trade] = []
    for symbol, book in books.items():
        shown = book.show(seen_books.get(symbol))
        if shown is not None:
            found.append(shown)
    for symbol, last in last_trades.items():
        last.show(seen_trades.get(symbol))
        if symbol in seen_trades:
            found.append(seen_trades[symbol])
    return found
