"""The market streams: subscriptions by name, trades at once, books and candles by the tick.

Not here: the user's own events (`user_stream`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from holdfast.domain.money import ZERO
from holdfast.exchange import payloads
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.faults import FaultKind
from holdfast.exchange.flow import Relay
from holdfast.exchange.gateway import Gateway
from holdfast.exchange.limits import Window
from holdfast.exchange.listing import Listing
from holdfast.exchange.orders import Trade
from holdfast.exchange.payloads import Json, amount, ms
from holdfast.exchange.sockets import Socket
from holdfast.exchange.stream_faults import StreamDoor, fate_of
from holdfast.exchange.tape import INTERVAL_NS, SECOND_NS, Candle, bucket_start
from holdfast.exchange.traffic import encode_error

TICK_S = 0.1
_TICKS_PER_SECOND = 10
_PARTIAL_LEVELS = ("5", "10", "20")


class StreamRequest(msgspec.Struct, frozen=True):
    """A frame of the client."""

    method: str
    params: list[str | bool] = []
    id: int | str | None = None


class MarketStreams:
    """Serves `/stream`, `/stream/ws/…` and `/ws/…`."""

    def __init__(self, gateway: Gateway) -> None:
        exchange = gateway.exchange
        self._exchange = exchange
        self._gateway = gateway
        self._sessions: set[_Session] = set()
        self._depths = {
            symbol: _DepthFeed(item) for symbol, item in exchange.engine.listings.items()
        }
        self._names = {item.symbol: item.venue_symbol.lower() for item in exchange.instruments}
        self._ticks = 0
        self._subscribed = 0  # rises with every change of who wants what
        self._wants: tuple[int, frozenset[str]] = (0, frozenset())  # as of which change, what
        self._told: dict[str, tuple[int, int]] = {}  # by symbol: as of when candles are told
        exchange.trade_watchers.append(self._on_trade)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one connection until it ends."""
        gateway = self._gateway
        try:
            gateway.incidents.check_open()
            gateway.gatekeeper.admit_connection(request.remote or "", self._exchange.now_ns())
        except RefusedError as refusal:
            return web.Response(
                status=refusal.http_status, body=encode_error(refusal.number, refusal.reason)
            )
        connection = web.WebSocketResponse(max_msg_size=1 << 16, autoping=False)
        await connection.prepare(request)
        socket = Socket(request, connection, self._is_silent)
        session = _Session(socket, is_combined=_is_combined(request))
        session.names.update(_named_in(request))
        self._sessions.add(session)
        self._subscribed += 1
        try:
            await self._serve(session)
        finally:
            self._sessions.discard(session)
            self._subscribed += 1
            await session.socket.close()
        return connection

    async def run(self) -> None:
        """Publish books and candles every 100 ms until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        """Publish what changed since the last tick."""
        self._ticks += 1
        now_ns = self._exchange.now_ns()
        wanted = self._wanted()
        each_second = self._ticks % _TICKS_PER_SECOND == 0
        for listing in self._exchange.engine.listings.values():
            name = self._names[listing.symbol]
            self._publish_depth(listing, name, wanted, now_ns, each_second=each_second)
            if listing.is_mirror:
                continue  # its candles and tickers are relayed as the other exchange counts them
            self._publish_candles(listing, name, wanted, now_ns)
            if each_second:
                self._publish_tickers(listing, name, wanted, now_ns)

    def relay(self, event: Relay) -> None:
        """Pass on what the mirrored exchange sent, to those who want it."""
        if event.stream in self._wanted():
            self._publish(event.stream, msgspec.json.decode(event.body))

    def part_all(self) -> None:
        """Say that the server goes away, and close every connection."""
        for session in self._sessions:
            session.socket.part({"e": "serverShutdown", "E": ms(self._exchange.now_ns())})

    # --- One connection ------------------------------------------------------------------------

    async def _serve(self, session: _Session) -> None:
        messages = Window(1)
        limits = self._gateway.gatekeeper.limits
        async for text in session.socket.texts():
            messages.turn(self._exchange.now_ns())
            messages.used += 1
            if messages.used > limits.stream_messages_per_s:
                session.socket.cut()
                return
            try:
                request = msgspec.json.decode(text, type=StreamRequest)
            except msgspec.DecodeError as error:
                session.socket.send({"code": 2, "msg": f"Invalid request: {error}"})
                continue
            session.socket.send(self._obey(session, request))

    def _obey(self, session: _Session, request: StreamRequest) -> Json:
        names = [item for item in request.params if isinstance(item, str)]
        match request.method:
            case "SUBSCRIBE":
                limits = self._gateway.gatekeeper.limits
                if len(session.names) + len(names) > limits.streams_per_connection:
                    return {"code": 2, "msg": "Too many streams.", "id": request.id}
                session.names.update(names)
                self._subscribed += 1
            case "UNSUBSCRIBE":
                session.names.difference_update(names)
                self._subscribed += 1
            case "LIST_SUBSCRIPTIONS":
                return {"result": sorted(session.names), "id": request.id}
            case "SET_PROPERTY":
                session.is_combined = bool(request.params[-1:] == [True])
            case "GET_PROPERTY":
                return {"result": session.is_combined, "id": request.id}
            case _:
                return {"code": 2, "msg": f"Invalid method {request.method!r}.", "id": request.id}
        return {"result": None, "id": request.id}

    # --- Publishing ----------------------------------------------------------------------------

    def _wanted(self) -> frozenset[str]:
        """Every stream that somebody wants."""
        if self._wants[0] != self._subscribed:
            names = frozenset(name for session in self._sessions for name in session.names)
            self._wants = self._subscribed, names
        return self._wants[1]

    def _is_silent(self) -> bool:
        return self._gateway.faults.is_in_force(FaultKind.STREAM_SILENCE, StreamDoor.MARKET)

    def _publish(self, stream: str, body: Json) -> None:
        frame = _Frame(stream, body)
        for session in self._sessions:
            if stream in session.names:
                self._send(session, frame)

    def _send(self, session: _Session, frame: _Frame) -> None:
        event = str(frame.body.get("e", "depth"))
        fate = fate_of(self._gateway.faults, StreamDoor.MARKET, event, stream=frame.stream)
        if fate.is_cut:
            session.socket.cut()
        for _copy in range(fate.copies):
            if fate.late_ms:
                loop = asyncio.get_running_loop()
                loop.call_later(fate.late_ms / 1000, session.send, frame)
            else:
                session.send(frame)

    def _on_trade(self, trade: Trade) -> None:
        if not self._sessions:
            return
        name = self._names[trade.symbol]
        at_ms, wanted = ms(trade.at_ns), self._wanted()
        common: Json = {"E": at_ms, "s": name.upper()}
        if f"{name}@trade" in wanted:
            self._publish(f"{name}@trade", {
                "e": "trade", **common, "t": trade.trade_id, "p": amount(trade.price),
                "q": amount(trade.quantity), "T": at_ms, "m": trade.buyer_is_maker, "M": True,
            })
        if f"{name}@aggTrade" in wanted:
            self._publish(
                f"{name}@aggTrade", {"e": "aggTrade", **common, **payloads.aggregate_row(trade)}
            )

    def _publish_depth(
        self, listing: Listing, name: str, wanted: frozenset[str], now_ns: int, *, each_second: bool
    ) -> None:
        feed = self._depths[listing.symbol]
        has_moved = feed.collect()
        if has_moved or each_second:
            for stream, is_due in ((f"{name}@depth@100ms", True), (f"{name}@depth", each_second)):
                if is_due and stream not in wanted:
                    feed.skip(stream)
                elif is_due and (body := feed.take(stream, now_ns)) is not None:
                    self._publish(stream, body)
        for stream, levels, is_due in feed.partial:
            if stream in wanted and (is_due or each_second):
                self._publish(stream, payloads.depth_body(listing, levels))
        stream = f"{name}@bookTicker"
        if has_moved and feed.best_changed() and stream in wanted:
            self._publish(stream, _book_ticker(listing))

    def _publish_candles(
        self, listing: Listing, name: str, wanted: frozenset[str], now_ns: int
    ) -> None:
        """Once a second, as Binance does, and to who has just come; what closed is told at once,
        because a second has begun when a candle ends."""
        tape = self._exchange.tapes[listing.symbol]
        moment = (now_ns // SECOND_NS, self._subscribed)
        if self._told.get(listing.symbol) == moment:
            return
        self._told[listing.symbol] = moment
        prefix = f"{name}@kline_"
        for stream in wanted:
            interval = stream.removeprefix(prefix)
            if interval == stream or interval not in INTERVAL_NS:
                continue
            start_ns = bucket_start(now_ns, interval) - INTERVAL_NS[interval]
            for candle in tape.candles(interval, now_ns, start_ns):
                is_closed = candle.open_ns == start_ns
                frame = None
                for session in self._sessions:
                    if stream in session.names and session.is_news(stream, candle, is_closed):
                        frame = frame or _Frame(
                            stream,
                            _kline(name.upper(), interval, candle, now_ns, is_closed=is_closed),
                        )
                        self._send(session, frame)

    def _publish_tickers(
        self, listing: Listing, name: str, wanted: frozenset[str], now_ns: int
    ) -> None:
        full, mini = f"{name}@ticker", f"{name}@miniTicker"
        if full not in wanted and mini not in wanted:
            return
        day = self._exchange.tapes[listing.symbol].last_day(now_ns)
        if day is None:
            return
        row = payloads.day_ticker(listing, day, now_ns)
        short = {
            "E": ms(now_ns), "s": name.upper(), "c": row["lastPrice"], "o": row["openPrice"],
            "h": row["highPrice"], "l": row["lowPrice"], "v": row["volume"],
            "q": row["quoteVolume"],
        }
        self._publish(mini, {"e": "24hrMiniTicker", **short})
        self._publish(full, {
            "e": "24hrTicker", **short, "p": row["priceChange"], "P": row["priceChangePercent"],
            "w": row["weightedAvgPrice"], "x": row["prevClosePrice"], "Q": row["lastQty"],
            "b": row["bidPrice"], "B": row["bidQty"], "a": row["askPrice"], "A": row["askQty"],
            "O": row["openTime"], "C": row["closeTime"], "F": row["firstId"], "L": row["lastId"],
            "n": row["count"],
        })


class _Frame:
    """What a stream tells, written once for all connections that it goes to."""

    def __init__(self, stream: str, body: Json) -> None:
        self.stream = stream
        self.body = body
        self._texts: dict[bool, str] = {}

    def text(self, *, is_combined: bool) -> str:
        """As a connection gets it that asked for its streams so."""
        found = self._texts.get(is_combined)
        if found is None:
            whole = {"stream": self.stream, "data": self.body} if is_combined else self.body
            found = self._texts[is_combined] = msgspec.json.encode(whole).decode()
        return found


class _Session:
    """One connection's subscriptions."""

    def __init__(self, socket: Socket, *, is_combined: bool) -> None:
        self.socket = socket
        self.names: set[str] = set()
        self.is_combined = is_combined
        self._last_candle: dict[str, tuple[int, int, bool]] = {}

    def send(self, frame: _Frame) -> None:
        self.socket.send_text(frame.text(is_combined=self.is_combined))

    def is_news(self, stream: str, candle: Candle, is_closed: bool) -> bool:
        """Whether this state of a candle is to be sent: one that is open when something traded in
        it since, one that closes once, unless it did before anybody asked."""
        state = (candle.open_ns, candle.last_id, is_closed)
        last = self._last_candle.get(stream)
        if last is not None and (last == state or last[0] > candle.open_ns):
            return False
        self._last_candle[stream] = state
        return last is not None if is_closed else candle.trades > 0


class _DepthFeed:
    """Collects changed prices of a book for streams of different pace.

    Attributes:
        partial: streams of the first levels: name, how many, and whether every tick has one.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._changed: dict[str, tuple[set[Any], set[Any]]] = {}
        self._sent_until: dict[str, int] = {}
        self._best: tuple[Any, ...] | None = None
        self._collected = -1  # as of which update of the book
        name = listing.instrument.venue_symbol.lower()
        for stream in (f"{name}@depth@100ms", f"{name}@depth"):
            self._changed[stream] = (set(), set())
            self._sent_until[stream] = 0
        self.partial = tuple(
            (f"{name}@depth{levels}{pace}", int(levels), bool(pace))
            for levels in _PARTIAL_LEVELS
            for pace in ("@100ms", "")
        )

    def collect(self) -> bool:
        """Take in what changed since the last call; whether anything did."""
        if self._listing.book.update_id == self._collected:
            return False
        self._collected = self._listing.book.update_id
        bids, asks = self._listing.book.drain_touched()
        for all_bids, all_asks in self._changed.values():
            all_bids.update(bids)
            all_asks.update(asks)
        return True

    def take(self, stream: str, now_ns: int) -> Json | None:
        """The update since the stream's last one, None when the book stood still."""
        book, (bids, asks) = self._listing.book, self._changed[stream]
        first, last = self._sent_until[stream] + 1, book.update_id
        if last < first:
            return None
        body = {
            "e": "depthUpdate",
            "E": ms(now_ns),
            "s": self._listing.instrument.venue_symbol,
            "U": first,
            "u": last,
            "b": _quantities(book.bids.at, sorted(bids, reverse=True)),
            "a": _quantities(book.asks.at, sorted(asks)),
        }
        self.skip(stream)
        return body

    def skip(self, stream: str) -> None:
        """Leave out what changed until now: nobody wants it, or it was told."""
        for prices in self._changed[stream]:
            prices.clear()
        self._sent_until[stream] = self._listing.book.update_id

    def best_changed(self) -> bool:
        """Whether the best level is another than at the last call."""
        bid, ask = self._listing.book.bids.best, self._listing.book.asks.best
        now = (
            bid and (bid.price, bid.quantity),
            ask and (ask.price, ask.quantity),
        )
        changed = now != self._best
        self._best = now
        return changed


def _quantities(level_at: Callable[[Any], Any], prices: list[Any]) -> list[list[str]]:
    rows = []
    for price in prices:
        level = level_at(price)
        rows.append([amount(price), amount(level.quantity if level else ZERO)])
    return rows


def _book_ticker(listing: Listing) -> Json:
    row = payloads.book_ticker(listing)
    return {
        "u": listing.book.update_id, "s": row["symbol"], "b": row["bidPrice"],
        "B": row["bidQty"], "a": row["askPrice"], "A": row["askQty"],
    }


def _kline(symbol: str, interval: str, candle: Candle, now_ns: int, *, is_closed: bool) -> Json:
    return {
        "e": "kline",
        "E": ms(now_ns),
        "s": symbol,
        "k": {
            "t": ms(candle.open_ns),
            "T": ms(candle.open_ns + INTERVAL_NS[interval]) - 1,
            "s": symbol,
            "i": interval,
            "f": candle.first_id,
            "L": candle.last_id,
            "o": amount(candle.open),
            "c": amount(candle.close),
            "h": amount(candle.high),
            "l": amount(candle.low),
            "v": amount(candle.volume),
            "n": candle.trades,
            "x": is_closed,
            "q": amount(candle.cost),
            "V": amount(candle.taker_volume),
            "Q": amount(candle.taker_cost),
            "B": "0",
        },
    }


def is_stream(path: str) -> bool:
    """Whether market streams are served there: `/stream`, or names below one of the others."""
    return path == "/stream" or f"{path}/".startswith(("/ws/", "/stream/ws/"))


def _is_combined(request: web.BaseRequest) -> bool:
    return request.path.rstrip("/").endswith("/stream")


def _named_in(request: web.BaseRequest) -> set[str]:
    """Streams that the address itself asks for: `?streams=a/b`, or `/ws/a/b`."""
    if "streams" in request.query:
        return {name for name in request.query["streams"].split("/") if name}
    tail = request.path.partition("/ws/")[2]
    return {name for name in tail.split("/") if "@" in name}
