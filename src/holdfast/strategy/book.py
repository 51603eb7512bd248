"""The top of a symbol's order book and its last trade, as a strategy sees them when it is asked.

Not here: where it comes from (venues), what is journaled of it (engine).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.market import Quote, Trade


class Book:
    """The newest quote of a symbol. Live only: no bar tells it, and a new process begins without.

    Attributes:
        symbol: unified.
        bid, ask: the best prices, quote units; None while a side is empty, or nothing was seen.
        at_ns: when it was so, UTC nanoseconds; 0 before the first.
    """

    __slots__ = ("ask", "at_ns", "bid", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bid: Decimal | None = None
        self.ask: Decimal | None = None
        self.at_ns = 0

    @property
    def ready(self) -> bool:
        """Whether both sides are known; `decide` is asked before that, too."""
        return self.bid is not None and self.ask is not None

    @property
    def middle(self) -> Decimal | None:
        """Between bid and ask; None while one of them is."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    def age_s(self, now_ns: int) -> float:
        """Seconds from then to `now_ns`, which is `now.time_ns`, below zero for what came after
        the close; without end before the first."""
        return (now_ns - self.at_ns) / 1e9 if self.at_ns else float("inf")

    def show(self, quote: Quote | None) -> None:
        """Show `quote` from now on, or that there is none."""
        self.bid, self.ask = (quote.bid, quote.ask) if quote is not None else (None, None)
        self.at_ns = quote.at_ns if quote is not None else 0


class LastTrade:
    """The newest trade of a symbol. Live only, as `Book` is.

    Attributes:
        symbol: unified.
        price: quote units; None before the first.
        quantity: base units; None before the first.
        at_ns: when it happened, UTC nanoseconds; 0 before the first.
    """

    __slots__ = ("at_ns", "price", "quantity", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.price: Decimal | None = None
        self.quantity: Decimal | None = None
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
        self.at_ns = trade.at_ns if trade is not None else 0
