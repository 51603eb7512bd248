"""Public market data of Binance: closed bars from REST, closed bars and quotes as they happen.

Not here: connections and watchdogs (feed), filling gaps after a reconnect (the caller, by `bars`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Final, NoReturn

import aiohttp
import msgspec
from aiohttp import ClientSession

from holdfast.domain.market import Bar, Quote, Trade
from holdfast.errors import ConfigError, RetryableError
from holdfast.telemetry.log import get_logger
from holdfast.venues.binance import decode, gate
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.decode import MS, number
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.feed import Feed, Watch, jittered_pause_s
from holdfast.venues.binance.gate import Gate
from holdfast.venues.binance.line import Line
from holdfast.venues.binance.query import ask
from holdfast.venues.binance.request import venue_symbol
from holdfast.venues.binance.subscription import Subscription
from holdfast.venues.budget import Cost
from holdfast.venues.port import Purpose, StreamDown, StreamUp

_log = get_logger(__name__)

INTERVALS: Final[dict[int, str]] = {
    1: "1s",
    60: "1m",
    180: "3m",
    300: "5m",
    900: "15m",
    1_800: "30m",
    3_600: "1h",
    7_200: "2h",
    14_400: "4h",
    21_600: "6h",
    28_800: "8h",
    43_200: "12h",
    86_400: "1d",
    259_200: "3d",
    604_800: "1w",
}

_PAGE: Final = 1_000
_READ_S: Final = 10.0
_QUIET: Final = Watch(silence_s=60.0)

MarketEvent = Bar | Quote | Trade


class _Candle(msgspec.Struct):
    t: int
    T: int
    o: str
    h: str
    l: str  # noqa: E741
    c: str
    v: str
    x: bool


class _KlineEvent(msgspec.Struct):
    s: str
    k: _Candle


class _BookTicker(msgspec.Struct):
    s: str
    b: str
    a: str
    E: int = 0


class _TradeEvent(msgspec.Struct):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


# Open time, open, high, low, close, volume, close time; what follows is not needed.
_Row = tuple[int, str, str, str, str, str, int, str, int, str, str, str]

_kline = msgspec.json.Decoder(_KlineEvent)
_book_ticker = msgspec.json.Decoder(_BookTicker)
_trade = msgspec.json.Decoder(_TradeEvent)
_rows = msgspec.json.Decoder(list[_Row])


def interval_name(timeframe_s: int) -> str:
    """The exchange's name for a bar length.

    Raises:
        ConfigError: it has none.
    """
    name = INTERVALS.get(timeframe_s)
    if name is None:
        known = ", ".join(f"{seconds} ({text})" for seconds, text in INTERVALS.items())
        raise ConfigError(
            f"seen: bars of {timeframe_s} s; expected: one of {known}; do: choose one of them"
        )
    return name


class BinanceMarket:
    """Market data of one exchange. See `venues.port.MarketData` for what each verb promises."""

    def __init__(
        self,
        endpoints: Endpoints | None = None,
        *,
        gate: Gate | None = None,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        mono_ns: Callable[[], int] = time.monotonic_ns,
        watch: Watch = _QUIET,
        pause_s: Callable[[int], float] = jittered_pause_s,
    ) -> None:
        """Open nothing yet.

        Args:
            gate: the address's rate limits; pass the one of the venue where there is one.
            wall_ns: stamps quotes, which the exchange sends without a time.
            pause_s: before the n-th connection attempt in a row.
        """
        self._endpoints = endpoints or Endpoints()
        self._gate = gate or Gate(ServerClock(mono_ns, wall_ns))
        self._connector = connector
        self._wall_ns = wall_ns
        self._watch = watch
        self._pause_s = pause_s
        self._line = Line(self._endpoints.rest_url)
        self._feeds: list[Feed[MarketEvent]] = []

    async def bars(self, symbol: str, timeframe_s: int, since_ns: int) -> list[Bar]:
        """Closed bars from `since_ns` on, oldest first, all of them (pages are joined).

        Raises:
            RetryableError, RejectedError: no usable answer; the question was refused.
        """
        interval = interval_name(timeframe_s)
        server_ms = decode.server_time_ms(await self._ask("/api/v3/time", gate.TIME))
        found: list[Bar] = []
        start_ms = -(-since_ns // MS)
        while True:
            body = await self._ask(
                f"/api/v3/klines?symbol={venue_symbol(symbol)}&interval={interval}"
                f"&startTime={start_ms}&limit={_PAGE}",
                gate.KLINES,
            )
            rows = decode.read(_rows, body)
            found.extend(_bar_of_row(symbol, row) for row in rows if row[6] < server_ms)
            if len(rows) < _PAGE:
                return found
            if rows[-1][0] < start_ms:
                raise RetryableError(
                    f"seen: bars before the start asked for, {start_ms}; do: ask again"
                )
            start_ms = rows[-1][0] + 1

    async def candles(
        self, symbol: str, timeframe_s: int, since_ns: int, limit: int
    ) -> tuple[list[Bar], Bar | None]:
        """At most `limit` bars from `since_ns` on (up to 1000), oldest first, in one question.

        Returns:
            The closed ones, and the one that is still forming where it is among them.

        Raises:
            RetryableError, RejectedError: no usable answer; the question was refused.
        """
        interval = interval_name(timeframe_s)
        server_ms = decode.server_time_ms(await self._ask("/api/v3/time", gate.TIME))
        body = await self._ask(
            f"/api/v3/klines?symbol={venue_symbol(symbol)}&interval={interval}"
            f"&startTime={-(-since_ns // MS)}&limit={min(limit, _PAGE)}",
            gate.KLINES,
        )
        rows = decode.read(_rows, body)
        closed = [_bar_of_row(symbol, row) for row in rows if row[6] < server_ms]
        forming = [_bar_of_row(symbol, row) for row in rows if row[6] >= server_ms]
        return closed, forming[0] if forming else None

    def stream(
        self, symbols: tuple[str, ...], timeframe_s: int, traded: tuple[str, ...] = ()
    ) -> AsyncIterator[MarketEvent | StreamUp | StreamDown]:
        """Closed bars and quotes as they happen, reconnecting for ever; gaps are not filled.

        Of quotes and trades not yet read only the newest of each symbol is kept; no bar is left
        out.
        """
        names = {venue_symbol(symbol): symbol for symbol in symbols}
        interval = interval_name(timeframe_s)
        streams = [
            f"{name.lower()}@{kind}"
            for name in names
            for kind in (f"kline_{interval}", "bookTicker")
        ]
        streams += [f"{venue_symbol(symbol).lower()}@trade" for symbol in traded]
        subscription = Subscription(streams)
        reader = _Reader(names, subscription, self._wall_ns)

        async def connect(feed: Feed[MarketEvent], session: ClientSession) -> NoReturn:
            self._gate.admit_connection()
            reader.begin(feed)
            await feed.follow(
                session,
                self._endpoints.stream_url,
                subscription.subscribe,
                reader.digest,
                self._watch,
            )

        feed: Feed[MarketEvent] = Feed(
            "market", connect, connector=self._connector, pause_s=self._pause_s,
            on_refused=self._gate.connection_refused,
        )  # fmt: skip
        self._feeds.append(feed)
        return feed.events()

    async def close(self) -> None:
        """Close connections; may be called twice."""
        for feed in self._feeds:
            await feed.close()
        await self._line.close()

    async def _ask(self, path_and_query: str, cost: Cost) -> bytes:
        return await ask(
            self._line, self._gate, path_and_query, cost, Purpose.READ, timeout_s=_READ_S
        )


class _Reader:
    """Makes bars and quotes of frames for one feed after another."""

    def __init__(
        self, names: dict[str, str], subscription: Subscription, wall_ns: Callable[[], int]
    ) -> None:
        self._names = names
        self._subscription = subscription
        self._wall_ns = wall_ns
        self._feed: Feed[MarketEvent] | None = None

    def begin(self, feed: Feed[MarketEvent]) -> None:
        """A new connection."""
        self._feed = feed
        self._subscription.begin(feed)

    def digest(self, body: bytes) -> None:
        """Turn one frame into an event."""
        frame = self._subscription.unwrap(body)
        if frame is None:
            return
        if frame.name == "kline":
            self._put_bar(frame.payload)
        elif frame.name == "trade":
            self._put_trade(frame.payload)
        elif frame.name == "bookTicker" or (
            not frame.name and (not frame.stream or frame.stream.endswith("@bookTicker"))
        ):
            self._put_quote(frame.payload)  # a quote by itself carries no name
        else:
            _log.info("unknown market event skipped", action="market_skip", frame=body[:200])

    def _put_bar(self, payload: bytes) -> None:
        event = decode.read(_kline, payload)
        symbol = self._names.get(event.s)
        if event.k.x and symbol is not None and self._feed is not None:
            candle = event.k
            self._feed.put(
                Bar(
                    symbol=symbol,
                    open_ns=candle.t * MS,
                    close_ns=(candle.T + 1) * MS,
                    open=number(candle.o),
                    high=number(candle.h),
                    low=number(candle.l),
                    close=number(candle.c),
                    volume=number(candle.v),
                )
            )

    def _put_trade(self, payload: bytes) -> None:
        event = decode.read(_trade, payload)
        symbol = self._names.get(event.s)
        if symbol is not None and self._feed is not None:
            price, quantity = number(event.p), number(event.q)
            trade = Trade(event.T * MS, symbol, price, quantity, event.m, event.t)
            self._feed.put(trade, instead_of=("trade", symbol))

    def _put_quote(self, payload: bytes) -> None:
        event = decode.read(_book_ticker, payload)
        symbol = self._names.get(event.s)
        if symbol is not None and self._feed is not None:
            at_ns = event.E * MS or self._wall_ns()
            quote = Quote(at_ns, symbol, _side(event.b), _side(event.a))
            self._feed.put(quote, instead_of=symbol)


def _side(text: str) -> Decimal | None:
    """A price; an empty side of the book is shown as zero."""
    return number(text) or None


def _bar_of_row(symbol: str, row: _Row) -> Bar:
    return Bar(
        symbol=symbol,
        open_ns=row[0] * MS,
        close_ns=(row[6] + 1) * MS,
        open=number(row[1]),
        high=number(row[2]),
        low=number(row[3]),
        close=number(row[4]),
        volume=number(row[5]),
    )
