"""Prices and candles.

Not here: where they come from (app.view).
"""

from __future__ import annotations

from datetime import datetime

from holdfast.api.shapes.base import Amount, Out


class Price(Out, frozen=True, kw_only=True):
    """The last price of a symbol.

    Attributes:
        at: the exchange's time of it.
        age_s: how long ago this process heard it.
    """

    symbol: str
    price: Amount
    at: datetime
    age_s: float


class Prices(Out, frozen=True, kw_only=True):
    """By symbol."""

    items: tuple[Price, ...]


class Candle(Out, frozen=True, kw_only=True):
    """One bar.

    Attributes:
        at: when it opens.
        volume: base units.
    """

    at: datetime
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount


class Candles(Out, frozen=True, kw_only=True):
    """Closed bars, oldest first; `forming` is the one that is not closed yet."""

    symbol: str
    timeframe: str
    items: tuple[Candle, ...]
    forming: Candle | None = None
