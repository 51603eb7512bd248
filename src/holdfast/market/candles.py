"""Candles built from trades: exact ones, trade by trade, and whole columns of them.

Spans without a trade have no candle. Not here: longer candles from shorter ones (`BarTable`).
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from holdfast.domain.market import Bar, Trade
from holdfast.domain.timeframe import span_start
from holdfast.market import exact
from holdfast.market.bar_table import SCHEMA, starts_of

_SECOND_NS = 1_000_000_000


class CandleBuilder:
    """Builds the candles of one symbol from its trades, oldest first.

    A candle is handed out when it is known to be over: by a trade of a later one, or by `close`.
    """

    def __init__(self, symbol: str, bar_s: int) -> None:
        self.symbol = symbol
        self.bar_s = bar_s
        self._span_ns = bar_s * _SECOND_NS
        self._open_ns = 0
        self._prices: tuple[Decimal, Decimal, Decimal, Decimal] | None = None
        self._volume = Decimal(0)

    def add(self, trade: Trade) -> Bar | None:
        """Count a trade; returns the candle before it when the trade is the first of another.

        Raises:
            ValueError: the trade is of another symbol, or of a candle that was handed out.
        """
        if trade.symbol != self.symbol or trade.at_ns < self._open_ns:
            raise ValueError(
                f"seen a trade of {trade.symbol} at {trade.at_ns} ns; expected one of "
                f"{self.symbol}, not before {self._open_ns} ns"
            )
        closed = self.close(trade.at_ns)
        price = trade.price
        if self._prices is None:
            self._open_ns = span_start(trade.at_ns, self.bar_s)
            self._prices = (price, price, price, price)
        else:
            opened, high, low, _ = self._prices
            self._prices = (opened, max(high, price), min(low, price), price)
        self._volume += trade.quantity
        return closed

    def close(self, now_ns: int) -> Bar | None:
        """The candle that is over at `now_ns`, once; None when there is none.

        Args:
            now_ns: the exchange's time; no trade before it will come any more.
        """
        end_ns = self._open_ns + self._span_ns
        if self._prices is None or now_ns < end_ns:
            return None
        bar = Bar(self.symbol, self._open_ns, end_ns, *self._prices, self._volume)
        self._open_ns, self._prices, self._volume = end_ns, None, Decimal(0)
        return bar


def candles_of(trades: pl.DataFrame, bar_s: int) -> pl.DataFrame:
    """The candles of a column of trades, in the form of a `BarTable`.

    The first and the last one hold the trades that are there, and may be parts of theirs.

    Args:
        trades: `time_ns` (int64, rising or equal), `price` and `quantity` (float64).
    """
    if not len(trades):
        return pl.DataFrame(schema=SCHEMA)
    spans = trades.with_columns(starts_of(pl.col("time_ns"), bar_s).alias("open_ns"))
    price = pl.col("price")
    built = spans.group_by("open_ns", maintain_order=True).agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"),
        price.last().alias("close"),
    )  # fmt: skip
    volume = exact.sums(spans, "open_ns", "quantity").alias("volume")
    return built.with_columns(volume).select(SCHEMA.names())
