"""Bars and quotes: pages joined, only closed bars, nothing but the newest quote kept waiting."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from aiohttp import web

from holdfast.domain.market import Bar, Quote, Trade
from holdfast.errors import ConfigError, RejectedError
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.feed import Watch
from holdfast.venues.binance.market import BinanceMarket
from holdfast.venues.port import StreamDown, StreamUp
from tests.support.exchange import local_exchange
from tests.support.raw_server import Conversation, raw_server
from tests.support.scripted_socket import scripted_socket, until_closed
from tests.support.waiting import PATIENCE_S

MS = 1_000_000
HOUR_MS = 3_600_000
NOW_MS = 1_000 * HOUR_MS * 5 + 1_234  # somewhere inside an hour


def klines(start_ms: int, limit: int) -> bytes:
    """Hourly klines as the exchange gives them: up to and including the open one."""
    first = -(-start_ms // HOUR_MS) * HOUR_MS
    rows = [
        [at, "1", "3", "0.5", "2", "10", at + HOUR_MS - 1, "20", 5, "4", "8", "0"]
        for at in range(first, NOW_MS, HOUR_MS)
    ]
    return msgspec.json.encode(rows[:limit])


async def history(conversation: Conversation) -> None:
    """An exchange with nothing but a clock and klines."""
    while line := await conversation.request():
        path, _, query = line.split()[1].partition("?")
        params = dict(part.split("=") for part in query.split("&")) if query else {}
        if path == "/api/v3/time":
            await conversation.reply(b'{"serverTime":%d}' % NOW_MS)
        else:
            await conversation.reply(klines(int(params["startTime"]), int(params["limit"])))


def test_bars_joins_pages_and_leaves_the_open_bar_out() -> None:
    async def scenario() -> None:
        async with raw_server(history) as heard:
            market = BinanceMarket(Endpoints(rest_url=heard.url))
            since_ms = NOW_MS - 2_500 * HOUR_MS
            bars = await market.bars("BTC/USDT", 3_600, since_ms * MS)
            await market.close()
            assert len(bars) == 2_499
            assert all(
                earlier.close_ns == later.open_ns
                for earlier, later in pairwise(bars)
            )
            assert bars[0].open_ns >= since_ms * MS
            assert bars[-1].close_ns <= NOW_MS * MS
            assert len([line for line in heard.requests if "klines" in line]) == 3

    asyncio.run(scenario())


def test_bars_of_a_full_last_page_end_without_repeating_a_bar() -> None:
    async def scenario() -> None:
        async with raw_server(history) as heard:
            market = BinanceMarket(Endpoints(rest_url=heard.url))
            open_bar_ms = NOW_MS // HOUR_MS * HOUR_MS
            bars = await market.bars("BTC/USDT", 3_600, (open_bar_ms - 999 * HOUR_MS) * MS)
            await market.close()
            assert len(bars) == len({bar.open_ns for bar in bars}) == 999

    asyncio.run(scenario())


def test_a_bar_length_that_the_exchange_lacks_is_a_configuration_error() -> None:
    async def scenario() -> None:
        with pytest.raises(ConfigError, match="bars of 61 s"):
            await BinanceMarket().bars("BTC/USDT", 61, 0)

    asyncio.run(scenario())


def test_an_unknown_symbol_is_a_refusal() -> None:
    async def scenario() -> None:
        async with local_exchange() as (running, _):
            market = BinanceMarket(Endpoints(rest_url=running.url))
            with pytest.raises(RejectedError, match="-1121"):
                await market.bars("NO/SUCH", 60, 0)
            await market.close()

    asyncio.run(scenario())


CANDLE = {
    "t": 60_000, "T": 119_999, "s": "BTCUSDT", "i": "1m", "o": "1", "c": "2", "h": "3", "l": "0.5",
    "v": "10", "x": True,
}  # fmt: skip


async def accept(socket: web.WebSocketResponse) -> list[str]:
    """Take the subscription; the streams asked for."""
    request = msgspec.json.decode(await socket.receive_str())
    assert request["method"] == "SUBSCRIBE"
    await socket.send_json({"result": None, "id": request["id"]})
    streams: list[str] = request["params"]
    return streams


async def show(socket: web.WebSocketResponse, stream: str, data: object, *, wrapped: bool) -> None:
    """Send one event, as the combined or the raw endpoint does."""
    await socket.send_json({"stream": stream, "data": data} if wrapped else data)


def quote(bid: str) -> dict[str, object]:
    return {"u": 1, "s": "BTCUSDT", "b": bid, "B": "1", "a": "0.00", "A": "0"}


@pytest.mark.parametrize("wrapped", [True, False], ids=["combined", "raw"])
def test_the_stream_gives_closed_bars_and_quotes_in_unified_names(wrapped: bool) -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        assert await accept(socket) == ["btcusdt@kline_1m", "btcusdt@bookTicker"]
        kline = {"e": "kline", "E": 1, "s": "BTCUSDT", "k": {**CANDLE, "x": False}}
        await show(socket, "btcusdt@kline_1m", kline, wrapped=wrapped)
        kline["k"] = CANDLE
        await show(socket, "btcusdt@kline_1m", kline, wrapped=wrapped)
        await show(socket, "btcusdt@aggTrade", {"e": "aggTrade", "s": "X"}, wrapped=wrapped)
        await show(socket, "btcusdt@bookTicker", quote("5.5"), wrapped=wrapped)
        await until_closed(socket)

    async def scenario() -> None:
        async with scripted_socket(talk) as server:
            market = BinanceMarket(Endpoints(stream_url=server.url), wall_ns=lambda: 77)
            events = market.stream(("BTC/USDT",), 60)
            async with asyncio.timeout(PATIENCE_S):
                found = [await anext(events) for _ in range(3)]
            await market.close()
            assert found == [
                StreamUp(),
                Bar(
                    "BTC/USDT",
                    60_000 * MS,
                    120_000 * MS,
                    open=Decimal(1),
                    high=Decimal(3),
                    low=Decimal("0.5"),
                    close=Decimal(2),
                    volume=Decimal(10),
                ),
                Quote(77, "BTC/USDT", Decimal("5.5"), None),
            ]

    asyncio.run(scenario())


def test_trades_are_told_of_the_symbols_that_were_asked_for() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        assert await accept(socket) == [
            "btcusdt@kline_1m", "btcusdt@bookTicker", "ethusdt@kline_1m", "ethusdt@bookTicker",
            "ethusdt@trade",
        ]  # fmt: skip
        for number in ("1.5", "2.5"):
            print_ = {
                "e": "trade", "E": 9, "s": "ETHUSDT", "t": 7, "p": number, "q": "0.25", "T": 8,
                "m": True, "M": True,
            }  # fmt: skip
            await show(socket, "ethusdt@trade", print_, wrapped=True)
        await until_closed(socket)

    async def scenario() -> None:
        async with scripted_socket(talk) as server:
            market = BinanceMarket(Endpoints(stream_url=server.url))
            events = market.stream(("BTC/USDT", "ETH/USDT"), 60, ("ETH/USDT",))
            last = Trade(8 * MS, "ETH/USDT", Decimal("2.5"), Decimal("0.25"), True, 7)
            async with asyncio.timeout(PATIENCE_S):
                assert await anext(events) == StreamUp()
                while await anext(events) != last:
                    pass
            await market.close()

    asyncio.run(scenario())


def test_a_busy_reader_finds_the_newest_quote_and_every_bar() -> None:
    all_sent = asyncio.Event()

    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        for number in range(1, 1_001):
            await show(socket, "btcusdt@bookTicker", quote(str(number)), wrapped=True)
            if number % 250 == 0:
                kline = {"e": "kline", "s": "BTCUSDT", "k": {**CANDLE, "o": str(number)}}
                await show(socket, "btcusdt@kline_1m", kline, wrapped=True)
        await socket.send_json({"stream": "btcusdt@kline_1m", "data": {"e": "kline", "s": "BTCUSDT",
                                "k": {**CANDLE, "o": "9"}}})
        all_sent.set()
        await until_closed(socket)

    async def scenario() -> None:
        async with scripted_socket(talk) as server:
            market = BinanceMarket(Endpoints(stream_url=server.url))
            events = market.stream(("BTC/USDT",), 60)
            found: list[object] = [await anext(events)]
            await all_sent.wait()  # the reader is busy while all of it arrives
            while not (isinstance(found[-1], Bar) and found[-1].open == 9):
                found.append(await asyncio.wait_for(anext(events), PATIENCE_S))
            await market.close()
            bars = [event.open for event in found if isinstance(event, Bar)]
            quotes = [event.bid for event in found if isinstance(event, Quote)]
            assert bars == [250, 500, 750, 1_000, 9]
            assert len(quotes) < 1_000
            assert quotes[-1] == 1_000

    asyncio.run(scenario())


def test_a_refused_subscription_is_down_and_the_next_one_up() -> None:
    async def talk(socket: web.WebSocketResponse, number: int) -> None:
        if number == 1:
            await socket.send_json({"code": 2, "msg": "Invalid request", "id": 1})
        else:
            await accept(socket)
        await until_closed(socket)

    async def scenario() -> None:
        async with scripted_socket(talk) as server:
            market = BinanceMarket(Endpoints(stream_url=server.url), pause_s=lambda _: 0.01)
            events = market.stream(("BTC/USDT",), 60)
            async with asyncio.timeout(PATIENCE_S):
                refused, up = [await anext(events) for _ in range(2)]
            await market.close()
            assert isinstance(refused, StreamDown)
            assert "Invalid request" in refused.reason
            assert isinstance(up, StreamUp)

    asyncio.run(scenario())


def test_silence_after_a_subscription_is_down() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        await until_closed(socket)

    async def scenario() -> None:
        async with scripted_socket(talk) as server:
            market = BinanceMarket(
                Endpoints(stream_url=server.url),
                watch=Watch(silence_s=0.2),
                pause_s=lambda _: 0.01,
            )
            events = market.stream(("BTC/USDT",), 60)
            found: list[object] = []
            async with asyncio.timeout(PATIENCE_S):
                while not (StreamUp() in found and isinstance(found[-1], StreamDown)):
                    found.append(await anext(events))
            await market.close()
            assert isinstance(found[-1], StreamDown)
            assert "no data" in found[-1].reason

    asyncio.run(scenario())


def test_the_local_exchange_speaks_it_too() -> None:
    async def scenario() -> None:
        async with local_exchange() as (running, client):
            market = BinanceMarket(
                Endpoints(rest_url=running.url, stream_url=running.stream_url)
            )
            events = market.stream(("BTC/USDT",), 1)
            seen: set[type] = set()
            async with asyncio.timeout(PATIENCE_S):
                async for event in events:
                    seen.add(type(event))
                    if isinstance(event, StreamUp):
                        await client.order(quantity="1.5")  # takes the best ask away
                    if {StreamUp, Bar, Quote} <= seen:
                        break
            await market.close()

    asyncio.run(scenario())
