"""The market streams: subscriptions, trades, candles, and books that can be rebuilt from deltas."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from holdfast.exchange.limits import Limits
from holdfast.exchange.server import Running
from tests.support.exchange import Client, Clock, local_exchange, on_loop
from tests.support.waiting import PATIENCE_S


async def open_streams(
    client: Client, running: Running, *names: str
) -> aiohttp.ClientWebSocketResponse:
    """A socket that is subscribed to `names`."""
    socket = await client.http.ws_connect(running.stream_url)
    await socket.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    assert await socket.receive_json(timeout=PATIENCE_S) == {"result": None, "id": 1}
    return socket


async def hear(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next event of a kind."""
    while True:
        event: dict[str, Any] = await socket.receive_json(timeout=PATIENCE_S)
        if event.get("e") == kind:
            return event


@on_loop
async def test_trades_come_at_once_and_say_who_took() -> None:
    async with local_exchange() as (running, client):
        socket = await open_streams(client, running, "btcusdt@trade", "btcusdt@aggTrade")
        await client.order(quantity="0.01")
        trade = await hear(socket, "trade")
        assert (trade["s"], trade["p"], trade["q"], trade["m"]) == (
            "BTCUSDT", "60000.00000000", "0.01000000", False,
        )
        aggregate = await hear(socket, "aggTrade")
        assert (aggregate["f"], aggregate["l"]) == (trade["t"], trade["t"])
        await client.order(side="SELL", quantity="0.01")
        assert (await hear(socket, "trade"))["m"] is True
        await socket.close()


@on_loop
async def test_a_book_kept_from_a_snapshot_and_deltas_is_the_book() -> None:
    async with local_exchange({"USDT": "1000000"}) as (running, client):
        socket = await open_streams(client, running, "btcusdt@depth@100ms")
        await client.order(quantity="1.5")
        first = await hear(socket, "depthUpdate")
        _, snapshot = await client.get("/api/v3/depth", symbol="BTCUSDT", limit="1000")
        book = {
            "bids": dict(snapshot["bids"]), "asks": dict(snapshot["asks"]),
        }
        last = snapshot["lastUpdateId"]
        assert first["u"] <= last
        for quantity in ("0.4", "0.7"):
            assert (await client.order(quantity=quantity))[0] == 200
            event = await hear(socket, "depthUpdate")
            while event["u"] <= last:
                event = await hear(socket, "depthUpdate")
            assert event["U"] <= last + 1 <= event["u"]
            last = event["u"]
            for side, rows in (("bids", event["b"]), ("asks", event["a"])):
                for price, amount in rows:
                    book[side].pop(price, None)
                    if Decimal(amount):
                        book[side][price] = amount
        _, truth = await client.get("/api/v3/depth", symbol="BTCUSDT", limit="1000")
        for side in ("bids", "asks"):
            assert book[side] == dict(truth[side])
        await socket.close()


@on_loop
async def test_update_ids_leave_no_gap() -> None:
    async with local_exchange() as (running, client):
        socket = await open_streams(client, running, "btcusdt@depth@100ms")
        last = None
        for _ in range(3):
            await client.order(quantity="0.3")
            event = await hear(socket, "depthUpdate")
            if last is not None:
                assert event["U"] == last + 1
            last = event["u"]
        await socket.close()


@on_loop
async def test_candles_are_told_while_open_and_once_when_closed() -> None:
    async with local_exchange() as (running, client):
        socket = await open_streams(client, running, "btcusdt@kline_1s", "ethusdt@kline_1m")
        await client.order(quantity="0.01")
        seen: list[dict[str, Any]] = []
        while not (seen and seen[-1]["x"]):
            event = await hear(socket, "kline")
            if event["s"] == "BTCUSDT":
                seen.append(event["k"])
        closed = seen[-1]
        assert closed["T"] - closed["t"] == 999
        assert [k["t"] for k in seen].count(closed["t"]) >= 1
        following = (await hear(socket, "kline"))["k"]
        assert not (following["x"] and following["t"] == closed["t"])
        await socket.close()


@on_loop
async def test_candles_come_once_a_second_however_much_trades_and_at_once_when_they_close() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (running, client):
        socket = await open_streams(client, running, "btcusdt@kline_1s", "btcusdt@kline_1m")
        first = (await hear(socket, "kline"))["k"]
        assert first["i"] == "1m", "nothing has traded in this second"
        for _ in range(3):
            await client.order(quantity="0.01")
            running.desk.market_streams.tick()
        clock.move(1)
        told = [(await hear(socket, "kline"))["k"] for _ in range(2)]
        expected = {("1s", True, 3), ("1m", False, first["n"] + 3)}
        assert {(k["i"], k["x"], k["n"]) for k in told} == expected
        clock.move(1)
        quiet = (await hear(socket, "kline"))["k"]
        assert (quiet["i"], quiet["x"], quiet["n"]) == ("1s", True, 0)
        await socket.close()


@on_loop
async def test_best_prices_and_tickers() -> None:
    async with local_exchange() as (running, client):
        socket = await open_streams(
            client, running, "btcusdt@bookTicker", "btcusdt@ticker", "btcusdt@depth5@100ms"
        )
        await client.order(quantity="1.5")
        seen: dict[str, dict[str, Any]] = {}
        while set(seen) != {"book", "ticker", "partial"}:
            event = await socket.receive_json(timeout=PATIENCE_S)
            if event.get("e") == "24hrTicker":
                seen["ticker"] = event
            elif "lastUpdateId" in event:
                seen["partial"] = event
            else:
                seen["book"] = event
        assert seen["book"]["s"] == seen["ticker"]["s"] == "BTCUSDT"
        assert len(seen["partial"]["asks"]) == 5
        await socket.close()


@on_loop
async def test_combined_streams_wrap_and_addresses_may_name_streams() -> None:
    async with local_exchange() as (running, client):
        base = running.url.replace("http", "ws", 1)
        combined = await client.http.ws_connect(f"{base}/stream?streams=btcusdt@trade")
        raw = await client.http.ws_connect(f"{base}/ws/btcusdt@trade")
        await client.order()
        wrapped = await combined.receive_json(timeout=PATIENCE_S)
        assert wrapped["stream"] == "btcusdt@trade"
        assert wrapped["data"] == await raw.receive_json(timeout=PATIENCE_S)
        await combined.close()
        await raw.close()


@on_loop
async def test_unsubscribing_ends_a_stream_and_the_list_says_what_is_left() -> None:
    async with local_exchange() as (running, client):
        socket = await open_streams(client, running, "btcusdt@trade", "ethusdt@trade")
        await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
        assert await socket.receive_json(timeout=PATIENCE_S) == {"result": None, "id": 2}
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
        listed = await socket.receive_json(timeout=PATIENCE_S)
        assert listed == {"result": ["ethusdt@trade"], "id": 3}
        await client.order()
        await client.order(symbol="ETHUSDT")
        assert (await hear(socket, "trade"))["s"] == "ETHUSDT", "the first that is heard"
        await socket.close()


@on_loop
async def test_talking_too_much_ends_the_connection() -> None:
    limits = Limits(stream_messages_per_s=3)
    async with local_exchange(now_ns=Clock(), limits=limits) as (running, client):
        socket = await client.http.ws_connect(running.stream_url)
        answers = 0
        with contextlib.suppress(ConnectionError):
            for number in range(12):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        while (await socket.receive(timeout=PATIENCE_S)).type is aiohttp.WSMsgType.TEXT:
            answers += 1
        assert answers <= 3
        assert socket.closed


@on_loop
async def test_market_events_can_be_lost_too() -> None:
    async with local_exchange() as (running, client):
        socket = await open_streams(client, running, "btcusdt@trade")
        await client.fault("stream_drop", "trade", "STREAM", door="market", count=1)
        await client.order(quantity="0.01")
        await client.order(quantity="0.02")
        assert (await hear(socket, "trade"))["q"] == "0.02000000"
        await socket.close()


@on_loop
async def test_the_server_pings_and_cuts_off_who_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.exchange.sockets.PING_EVERY_S", 0.02)
    monkeypatch.setattr("holdfast.exchange.sockets.PONG_WITHIN_S", 1.5)  # no stall is so long
    async with local_exchange() as (running, client):
        polite = await client.http.ws_connect(running.stream_url)
        rude = await client.http.ws_connect(running.stream_url, autoping=False)
        listening = asyncio.create_task(polite.receive())
        kinds = []
        while not rude.closed:
            kinds.append((await rude.receive(timeout=PATIENCE_S)).type)
        assert kinds[0] is aiohttp.WSMsgType.PING
        assert not listening.done()
        listening.cancel()
        await polite.close()


@on_loop
async def test_a_half_open_connection_gets_no_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.exchange.sockets.PING_EVERY_S", 0.02)
    async with local_exchange() as (running, client):
        await client.fault("stream_silence", None, door="market")
        socket = await client.http.ws_connect(running.stream_url, autoping=False)
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)
        await socket.close()
