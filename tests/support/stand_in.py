"""Binance's public side as it was recorded: streams and REST of some minutes, on loopback.

Depth and trade messages are the recorder's bytes; only their times are moved to now. Books and
candles for REST are counted here from those messages, independently of the platform. Not here:
accounts, orders, or any judgement.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import queue
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiohttp import WSMsgType, web

from tests.support.recordings import recording

FOLDER = "ticks/binance-raw-ws"
INTERVALS_MS = {"1s": 1_000, "1m": 60_000, "5m": 300_000, "1h": 3_600_000}
PING_EVERY_S = 1.0
_TIMES = re.compile(rb'"([ET])":(\d+)')


# A candle as REST shows it: open time, open, high, low, close, volume, close time, and so on.
Row = list[Any]


class Message(NamedTuple):
    """One recorded message.

    Attributes:
        at_ms: the exchange's time of it.
        kind: `depthUpdate` or `trade`.
        raw: its `data`, as recorded.
        data: the same, decoded.
    """

    at_ms: int
    symbol: str
    kind: str
    raw: bytes
    data: dict[str, Any]


class Market(NamedTuple):
    """What was recorded of one symbol.

    Attributes:
        snapshot: the recorded reply to `/api/v3/depth`.
    """

    messages: list[Message]
    snapshot: dict[str, Any]


@functools.cache
def recorded(symbol: str) -> Market:
    """The recording of BTCUSDT or ETHUSDT; skips the test where it is not there."""
    path = recording(f"{FOLDER}/spot_{symbol.lower()}_20240808.gz")
    messages, snapshot = [], {}
    for line in gzip.decompress(Path(path).read_bytes()).splitlines():
        body = line.partition(b" ")[2]
        if body.startswith(b'{"lastUpdateId"'):
            snapshot = msgspec.json.decode(body)
        elif b"bookTicker" not in body[:60]:
            raw = body[body.index(b'"data":') + 7 : -1]
            data = msgspec.json.decode(raw)
            messages.append(Message(data["E"], symbol, data["e"], raw, data))
    return Market(messages, snapshot)


class Ladder:
    """A book kept in the plainest way: two dictionaries."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id: int = snapshot["lastUpdateId"]
        self.bids = {Decimal(price): Decimal(size) for price, size in snapshot["bids"]}
        self.asks = {Decimal(price): Decimal(size) for price, size in snapshot["asks"]}

    def apply(self, data: dict[str, Any]) -> None:
        """Take a change in; older ones change nothing."""
        if data["u"] <= self.last_id:
            return
        self.last_id = data["u"]
        for side, rows in ((self.bids, data["b"]), (self.asks, data["a"])):
            for price, size in rows:
                side[Decimal(price)] = Decimal(size)
                if not Decimal(size):
                    del side[Decimal(price)]

    def rows(self, limit: int) -> dict[str, Any]:
        """As REST shows it."""
        bids = sorted(self.bids.items(), reverse=True)[:limit]
        asks = sorted(self.asks.items())[:limit]
        return {
            "lastUpdateId": self.last_id,
            "bids": [[str(price), str(size)] for price, size in bids],
            "asks": [[str(price), str(size)] for price, size in asks],
        }


class StandIn:
    """The recorded exchange; it stands until it is told to `step` or to `play`.

    Attributes:
        url: its REST root; streams are at `/stream` of it.
        asked: every REST path asked for, in order.
        is_down: answers nothing but 503 while set, and takes no connection.
        is_mute: sends nothing at all while set, not even pongs.
        drop: so many of the next changes of the depth are never sent.
        garble: so many of the next messages are sent cut in half.
    """

    def __init__(self, symbols: tuple[str, ...], ahead_s: float) -> None:
        self.markets = {symbol: recorded(symbol) for symbol in symbols}
        self.url = ""
        self.asked: list[str] = []
        self.is_down = self.is_mute = False
        self.drop = self.garble = 0
        merged = [each for market in self.markets.values() for each in market.messages]
        self.messages = sorted(merged, key=lambda each: each.at_ms)
        self.sent = 0
        self._ladders = {
            symbol: Ladder(market.snapshot) for symbol, market in self.markets.items()
        }
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        # Whole seconds, so that bars begin where they did.
        self.shift_ms = (int(time.time()) - self.messages[0].at_ms // 1000) * 1000
        self._ahead_ms = int(ahead_s * 1000)
        self._candles: dict[tuple[str, str], list[Row]] = {
            (symbol, interval): [] for symbol in symbols for interval in INTERVALS_MS
        }

    # --- For tests -------------------------------------------------------------------------------

    @property
    def is_followed(self) -> bool:
        """Whether somebody listens to every symbol."""
        names = set().union(*self._sockets.values()) if self._sockets else set()
        return all(f"{symbol.lower()}@depth@100ms" in names for symbol in self.markets)

    @property
    def now_ms(self) -> int:
        """Its clock: that of the machine."""
        return int(time.time() * 1000)

    def ladder(self, symbol: str) -> Ladder:
        """The book after all that was sent, or was lost on the way."""
        return self._ladders[symbol]

    def past(self, symbol: str, kind: str) -> list[Message]:
        """What was sent of one kind."""
        return [
            each
            for each in self.messages[: self.sent]
            if (each.symbol, each.kind) == (symbol, kind)
        ]

    async def step(self, count: int = 1) -> None:
        """Send the next messages, all at once."""
        for message in self.messages[self.sent : self.sent + count]:
            self.sent += 1
            await self._send(message)

    async def play(self) -> None:
        """Send all that is left when it is due, at the pace at which it was recorded."""
        begin = self.messages[self.sent].at_ms
        began_s = time.monotonic()
        self.shift_ms = (self.now_ms // 1000 - begin // 1000) * 1000
        while self.sent < len(self.messages):
            due_s = began_s + (self.messages[self.sent].at_ms - begin) / 1000
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self.step()

    async def hang_up(self) -> None:
        """End all connections."""
        for socket in list(self._sockets):
            await socket.close()

    # --- Streams ---------------------------------------------------------------------------------

    async def _send(self, message: Message) -> None:
        name = message.symbol.lower()
        if message.kind == "trade":
            await self._publish(f"{name}@trade", self._moved(message.raw))
            await self._publish_candles(message)
            return
        self._ladders[message.symbol].apply(message.data)
        if self.drop:
            self.drop -= 1
            return
        await self._publish(f"{name}@depth@100ms", self._moved(message.raw))

    async def _publish(self, stream: str, data: bytes) -> None:
        text = f'{{"stream":"{stream}","data":{data.decode()}}}'
        if self.garble and any(stream in names for names in self._sockets.values()):
            self.garble -= 1
            text = text[: len(text) // 2]
        for socket, names in list(self._sockets.items()):
            if stream in names and not self.is_mute:
                with suppress(ConnectionError):
                    await socket.send_str(text)

    def _moved(self, raw: bytes) -> bytes:
        shift = self.shift_ms + self._ahead_ms
        return _TIMES.sub(lambda m: b'"%s":%d' % (m[1], int(m[2]) + shift), raw)

    async def _publish_candles(self, message: Message) -> None:
        """The candles that the trade closed, and the one that it is in."""
        at_ms = message.data["T"] + self.shift_ms + self._ahead_ms
        for interval, span_ms in INTERVALS_MS.items():
            stream = f"{message.symbol.lower()}@kline_{interval}"
            rows = self._candles[message.symbol, interval]
            known = len(rows)
            _count(rows, span_ms, at_ms, message.data)
            for number in range(max(0, known - 1), len(rows)):
                is_closed = number < len(rows) - 1
                event = _kline(message.symbol, interval, rows[number], is_closed=is_closed)
                await self._publish(stream, event)

    async def _serve_streams(self, request: web.Request) -> web.StreamResponse:
        if self.is_down:
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self._sockets[socket] = set()
        pinging = asyncio.create_task(self._ping(socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.PING and not self.is_mute:
                    await socket.pong(message.data)
                if message.type is WSMsgType.TEXT:
                    wanted = message.json()
                    self._sockets[socket].update(wanted["params"])
                    await socket.send_json({"result": None, "id": wanted["id"]})
        finally:
            pinging.cancel()
            del self._sockets[socket]
        return socket

    async def _ping(self, socket: web.WebSocketResponse) -> None:
        with suppress(ConnectionError):
            while not socket.closed:
                await asyncio.sleep(PING_EVERY_S)
                if not self.is_mute:
                    await socket.ping()

    # --- REST ------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if self.is_down:
            return web.Response(status=503)
        query = request.query
        symbol = query.get("symbol", "")
        match request.path:
            case "/api/v3/time":
                return web.json_response({"serverTime": self.now_ms})
            case "/api/v3/exchangeInfo":
                names = msgspec.json.decode(query["symbols"])
                if not set(names) <= set(self.markets):
                    body = {"code": -1121, "msg": "Invalid symbol."}
                    return web.json_response(body, status=400)
                rows = [_listed(name) for name in names]
                return web.json_response({"rateLimits": [], "symbols": rows})
            case "/api/v3/depth":
                return web.json_response(self._ladders[symbol].rows(int(query["limit"])))
            case "/api/v3/trades":
                return web.json_response(list(self._trade_rows(symbol))[-int(query["limit"]) :])
            case "/api/v3/klines":
                start = int(query.get("startTime", 0))
                candles = self._candles[symbol, query["interval"]]
                found = [row for row in candles if row[0] >= start]
                return web.json_response(found[: int(query.get("limit", 500))])
            case _:
                return web.json_response({"code": -1, "msg": "not recorded"}, status=404)

    def _trade_rows(self, symbol: str) -> Iterator[dict[str, Any]]:
        for each in self.past(symbol, "trade"):
            data = each.data
            yield {
                "id": data["t"], "price": data["p"], "qty": data["q"], "isBuyerMaker": data["m"],
                "time": data["T"] + self.shift_ms + self._ahead_ms, "isBestMatch": True,
            }


def _count(rows: list[Row], span_ms: int, at_ms: int, trade: dict[str, Any]) -> None:
    """Add a trade to candles as REST shows them: without holes, the last one still open."""
    price, size = trade["p"], trade["q"]
    while not rows or rows[-1][0] + span_ms <= at_ms:
        open_ms = rows[-1][0] + span_ms if rows else at_ms // span_ms * span_ms
        flat = rows[-1][4] if rows else price
        zeros = ["0", 0, "0", "0", "0"]
        rows.append([open_ms, flat, flat, flat, flat, "0", open_ms + span_ms - 1, *zeros])
    row = rows[-1]
    if not row[8]:
        row[1] = row[2] = row[3] = price
    row[2] = max(row[2], price, key=Decimal)
    row[3] = min(row[3], price, key=Decimal)
    row[4] = price
    row[5] = str(Decimal(row[5]) + Decimal(size))
    row[8] += 1


def _kline(symbol: str, interval: str, row: Row, *, is_closed: bool) -> bytes:
    return msgspec.json.encode({
        "e": "kline", "E": row[6], "s": symbol,
        "k": {
            "t": row[0], "T": row[6], "s": symbol, "i": interval, "o": row[1], "h": row[2],
            "l": row[3], "c": row[4], "v": row[5], "n": row[8], "x": is_closed,
        },
    })  # fmt: skip


def _listed(name: str) -> dict[str, Any]:
    """A row of exchangeInfo: the recorded one of BTCUSDT, with the step of this symbol."""
    path = recording("payloads/basana/binance_btc_usdt_exchange_info.json")
    row: dict[str, Any] = msgspec.json.decode(path.read_bytes())["symbols"][0]
    row["symbol"], row["baseAsset"] = name, name.removesuffix("USDT")
    if name != "BTCUSDT":
        for each in row["filters"]:
            if each["filterType"] == "LOT_SIZE":
                each["minQty"] = each["stepSize"] = "0.00010000"
    return row


@asynccontextmanager
async def stand_in(
    *symbols: str, ahead_s: float = 600.0, port: int = 0
) -> AsyncIterator[StandIn]:
    """A recorded exchange on a free port.

    Args:
        symbols: BTCUSDT unless told otherwise.
        ahead_s: how far the messages' times are ahead of its clock, so that nothing that a test
            sends by hand counts as late, however slow the machine is.
    """
    made = StandIn(symbols or ("BTCUSDT",), ahead_s)
    app = web.Application()
    app.router.add_get("/stream", made._serve_streams)
    app.router.add_get("/{path:.*}", made._answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await made.hang_up()
        await runner.cleanup()


@contextmanager
def playing(*symbols: str) -> Iterator[str]:
    """A recorded exchange that plays at its own pace, in a thread; yields its REST root.

    It begins when somebody follows it, and stands still before and after.
    """
    begun: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]]
    begun = queue.SimpleQueue()

    async def run() -> None:
        async with stand_in(*symbols, ahead_s=0.0) as source:
            over = asyncio.Event()
            begun.put((asyncio.get_running_loop(), over, source.url))
            playing = asyncio.create_task(_play_once_followed(source))
            await over.wait()
            playing.cancel()

    for symbol in symbols:
        recorded(symbol)  # here, where a missing recording skips the test
    thread = threading.Thread(target=lambda: asyncio.run(run()), name="recorded exchange")
    thread.start()
    loop, over, url = begun.get()
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


async def _play_once_followed(source: StandIn) -> None:
    while not source.is_followed:
        await asyncio.sleep(0.05)
    await source.play()
