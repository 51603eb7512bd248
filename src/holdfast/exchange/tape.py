"""The public history of one market: recent trades, candles, the last 24 hours; all of it bounded.

Not here: the book (`book`), or how a candle looks on the wire (`payloads`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import takewhile

import msgspec

from holdfast.domain.money import ZERO
from holdfast.exchange.orders import Trade

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 1440 * MINUTE_NS

INTERVAL_NS: dict[str, int] = {
    "1s": SECOND_NS,
    "1m": MINUTE_NS,
    "3m": 3 * MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "2h": 120 * MINUTE_NS,
    "4h": 240 * MINUTE_NS,
    "6h": 360 * MINUTE_NS,
    "8h": 480 * MINUTE_NS,
    "12h": 720 * MINUTE_NS,
    "1d": DAY_NS,
    "3d": 3 * DAY_NS,
    "1w": 7 * DAY_NS,
}
TRADES_KEPT = 1000
SECONDS_KEPT = 2 * 3600
MINUTES_KEPT = 14 * 1440


class Candle(msgspec.Struct):
    """Trades of one span; prices are the previous close when there were none.

    Attributes:
        open_ns: the span's first nanosecond; it is as long as the interval.
        volume, taker_volume: base units, all and bought by takers; `cost`s in quote units.
        first_id, last_id: trade ids; -1 without trades.
    """

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    cost: Decimal = ZERO
    trades: int = 0
    taker_volume: Decimal = ZERO
    taker_cost: Decimal = ZERO
    first_id: int = -1
    last_id: int = -1

    def count(self, trade: Trade) -> None:
        """Add one trade."""
        price = trade.price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += trade.quantity
        self.cost += trade.cost
        self.trades += 1
        if not trade.buyer_is_maker:
            self.taker_volume += trade.quantity
            self.taker_cost += trade.cost
        if self.first_id < 0:
            self.first_id = trade.trade_id
        self.last_id = trade.trade_id


class _Series:
    """Candles of one interval, without holes; the last one is still open."""

    def __init__(self, interval_ns: int, kept: int) -> None:
        self._interval_ns = interval_ns
        self._kept = kept
        self.candles: deque[Candle] = deque(maxlen=kept)

    def count(self, trade: Trade) -> None:
        self.fill_until(trade.at_ns)
        if not self.candles:
            price = trade.price
            open_ns = trade.at_ns - trade.at_ns % self._interval_ns
            self.candles.append(Candle(open_ns, price, price, price, price))
        last = self.candles[-1]
        if not last.trades:
            last.open = last.high = last.low = trade.price
        last.count(trade)

    def fill_until(self, now_ns: int) -> None:
        """Open the candle of `now_ns`; spans in which nothing traded are flat."""
        if not self.candles:
            return
        last = self.candles[-1]
        missing = (now_ns - last.open_ns) // self._interval_ns
        for step in range(max(1, missing - self._kept), missing + 1):
            open_ns = last.open_ns + step * self._interval_ns
            self.candles.append(Candle(open_ns, last.close, last.close, last.close, last.close))


class Tape:
    """Trades and candles of one symbol."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self._seconds = _Series(SECOND_NS, SECONDS_KEPT)
        self._minutes = _Series(MINUTE_NS, MINUTES_KEPT)

    def note(self, trade: Trade) -> None:
        """Add a trade; times never go back."""
        self.trades.append(trade)
        self._seconds.count(trade)
        self._minutes.count(trade)

    def candles(self, interval: str, now_ns: int, since_ns: int = 0) -> list[Candle]:
        """Candles that opened at or after `since_ns`, oldest first, the last one still open.

        Raises:
            KeyError: no such interval.
        """
        span_ns = INTERVAL_NS[interval]
        series = self._seconds if span_ns < MINUTE_NS else self._minutes
        series.fill_until(now_ns)
        recent = list(
            takewhile(lambda item: item.open_ns >= since_ns, reversed(series.candles))
        )
        recent.reverse()
        if span_ns in {SECOND_NS, MINUTE_NS}:
            return recent
        return list(_merged(recent, interval))

    def last_day(self, now_ns: int) -> Candle | None:
        """The last 24 hours as one candle, None before the first trade."""
        minutes = self.candles("1m", now_ns, now_ns - DAY_NS)
        return _merge(minutes[0].open_ns, minutes) if minutes else None

    def current(self, interval: str, now_ns: int) -> Candle | None:
        """The open candle, None before the first trade."""
        candles = self.candles(interval, now_ns, bucket_start(now_ns, interval))
        return candles[-1] if candles else None


def bucket_start(at_ns: int, interval: str) -> int:
    """When the candle that holds `at_ns` opened; weeks begin on Monday."""
    span_ns = INTERVAL_NS[interval]
    # The epoch was a Thursday: four days later begins the first whole week.
    shift = 4 * DAY_NS if interval == "1w" else 0
    return at_ns - (at_ns - shift) % span_ns


def _merged(minutes: Iterable[Candle], interval: str) -> Iterator[Candle]:
    bucket: list[Candle] = []
    start_ns = -1
    for candle in minutes:
        candle_start = bucket_start(candle.open_ns, interval)
        if candle_start != start_ns and bucket:
            yield _merge(start_ns, bucket)
            bucket = []
        start_ns = candle_start
        bucket.append(candle)
    if bucket:
        yield _merge(start_ns, bucket)


def _merge(open_ns: int, parts: list[Candle]) -> Candle:
    traded = [part for part in parts if part.trades] or parts[:1]
    return Candle(
        open_ns,
        traded[0].open,
        max(part.high for part in traded),
        min(part.low for part in traded),
        traded[-1].close,
        sum((part.volume for part in traded), ZERO),
        sum((part.cost for part in traded), ZERO),
        sum(part.trades for part in traded),
        sum((part.taker_volume for part in traded), ZERO),
        sum((part.taker_cost for part in traded), ZERO),
        traded[0].first_id,
        traded[-1].last_id,
    )
