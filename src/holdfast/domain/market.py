"""What a market shows: trades, bars, the top of the book.

Not here: reading or building them (market), orders of ours (domain.order).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


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


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and ask at a moment; a missing side is None."""

    at_ns: int
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
