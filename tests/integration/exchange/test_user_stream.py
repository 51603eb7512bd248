"""What the account hears over the WebSocket API, whole and with faults on the way."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.support.exchange import Client, local_exchange, on_loop
from tests.support.waiting import PATIENCE_S

REPORT_KEYS = set("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQWV")


async def hear(
    socket: aiohttp.ClientWebSocketResponse, count: int
) -> list[dict[str, Any]]:
    """The next `count` events."""
    return [(await socket.receive_json(timeout=PATIENCE_S))["event"] for _ in range(count)]


@on_loop
async def test_an_order_is_reported_as_new_then_as_traded_then_the_balances() -> None:
    async with local_exchange({"USDT": "1000"}) as (running, client):
        socket = await client.subscribe(running)
        await client.order(newClientOrderId="mine")
        new, trade, position = await hear(socket, 3)
        assert [(event["x"], event["X"]) for event in (new, trade)] == [
            ("NEW", "NEW"), ("TRADE", "FILLED"),
        ]
        assert set(new) == set(trade) == REPORT_KEYS
        assert (trade["c"], trade["C"], trade["l"], trade["L"], trade["n"], trade["N"]) == (
            "mine", "", "0.01000000", "60000.00000000", "0.00001000", "BTC",
        )
        assert (trade["z"], trade["Z"], trade["m"], trade["t"]) == (
            "0.01000000", "600.00000000", False, 2,
        )
        assert position["e"] == "outboundAccountPosition"
        assert position["B"] == [
            {"a": "BTC", "f": "0.00999000", "l": "0.00000000"},
            {"a": "USDT", "f": "400.00000000", "l": "0.00000000"},
        ]
        await socket.close()


@on_loop
async def test_on_a_cancel_c_is_the_cancels_id_and_capital_c_the_orders() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.order(type="LIMIT", price="50000", quantity="0.001", newClientOrderId="mine")
        await client.call(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine",
            newClientOrderId="undo",
        )
        *_, cancel, position = await hear(socket, 4)
        assert (cancel["x"], cancel["X"], cancel["c"], cancel["C"]) == (
            "CANCELED", "CANCELED", "undo", "mine",
        )
        assert [row["l"] for row in position["B"]] == ["0.00000000", "0.00000000"]
        await socket.close()


@on_loop
async def test_a_balance_moved_by_hand_is_told() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        moved = await client.admin(
            "POST", "balances", {"apiKey": client.api_key, "asset": "USDT", "delta": "-0.5"}
        )
        assert moved == {"asset": "USDT", "free": "99999.5", "locked": "0"}
        update, position = await hear(socket, 2)
        assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "USDT", "-0.50000000")
        assert position["B"] == [{"a": "USDT", "f": "99999.50000000", "l": "0.00000000"}]
        await socket.close()


@on_loop
async def test_an_order_placed_by_hand_and_a_counterparty() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        order = {
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC",
            "price": "59999.50", "quantity": "2", "newClientOrderId": "by-hand",
        }
        body = await client.admin("POST", "orders", {**order, "apiKey": client.api_key})
        assert (body["status"], body["clientOrderId"]) == ("NEW", "by-hand")
        counterparty = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.5"}
        assert await client.admin("POST", "orders", counterparty) == {"trades": 1}
        _new, _position, trade, _position = await hear(socket, 4)
        assert (trade["c"], trade["X"], trade["m"], trade["l"]) == (
            "by-hand", "PARTIALLY_FILLED", True, "0.50000000",
        )
        assert await client.requests() == []  # nobody signed any of it
        await socket.close()


@on_loop
async def test_an_event_may_be_lost_doubled_or_overtaken() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.fault("stream_drop", "executionReport", "STREAM", count=1)
        await client.order()
        trade, _position = await hear(socket, 2)
        assert trade["x"] == "TRADE"
        await client.fault("stream_duplicate", "executionReport", "STREAM", count=1)
        await client.order()
        assert [event.get("x") for event in await hear(socket, 4)] == [
            "NEW", "NEW", "TRADE", None,
        ]
        await client.fault("stream_reorder", "executionReport", "STREAM", count=1, delay_ms=30)
        await client.order()
        assert [event.get("x") for event in await hear(socket, 3)] == ["TRADE", None, "NEW"]
        await socket.close()


@on_loop
async def test_silence_keeps_the_connection_and_tells_nothing_afterwards_either() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.fault("stream_silence", None)
        await client.order(newClientOrderId="in-silence")
        assert not socket.closed
        await client.admin("DELETE", "faults")
        await client.order(newClientOrderId="afterwards")
        new, trade, _position = await hear(socket, 3)
        assert [(event["c"], event["x"]) for event in (new, trade)] == [
            ("afterwards", "NEW"), ("afterwards", "TRADE"),
        ]
        await socket.close()


@on_loop
async def test_a_cut_loses_what_happens_until_the_next_subscription() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.fault("stream_disconnect", None, count=1)
        await client.order(newClientOrderId="lost")
        message = await socket.receive(timeout=PATIENCE_S)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        again = await client.subscribe(running)
        await client.order(newClientOrderId="heard")
        assert (await hear(again, 1))[0]["c"] == "heard"
        await again.close()


@on_loop
async def test_the_stream_may_lag_behind_the_reply_and_keeps_its_order() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.fault("visibility_lag", None, ms=60, min_ms=0, sources=["stream"])
        for _ in range(3):
            await client.order()
        kinds = [event.get("x") for event in await hear(socket, 9)]
        assert kinds == ["NEW", "TRADE", None] * 3
        await socket.close()


@on_loop
async def test_only_the_subscriber_hears_and_only_of_itself() -> None:
    async with local_exchange() as (running, client):
        keys = await client.admin("POST", "accounts", {"balances": {"USDT": "1000"}})
        other = Client(client.http, client.url, keys["apiKey"], keys["secret"])
        socket = await other.subscribe(running)
        await client.order(newClientOrderId="somebody-s")
        await other.order(newClientOrderId="its-own")
        assert (await hear(socket, 1))[0]["c"] == "its-own", "the first that it hears"
        await socket.close()


@on_loop
async def test_subscriptions_begin_once_and_end() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        again = await ask(client, socket, "userDataStream.subscribe.signature")
        assert (again["status"], again["error"]["code"]) == (400, -2035)
        await socket.send_json({"id": 5, "method": "userDataStream.unsubscribe"})
        assert (await socket.receive_json(timeout=PATIENCE_S))["status"] == 200
        await client.order()
        await socket.send_json({"id": 6, "method": "ping"})
        answer = await socket.receive_json(timeout=PATIENCE_S)
        assert answer.get("id") == 6, "the next that is said is no event"
        await socket.close()


async def ask(
    client: Client, socket: aiohttp.ClientWebSocketResponse, method: str, **params: Any
) -> dict[str, Any]:
    """A signed request over the socket, and its reply."""
    full = {"apiKey": client.api_key, "timestamp": client.now_ns() // 1_000_000, **params}
    text = "&".join(f"{name}={value}" for name, value in sorted(full.items()))
    signed = {**full, "signature": client.sign(text)}
    await socket.send_json({"id": "x", "method": method, "params": signed})
    while True:
        frame: dict[str, Any] = await socket.receive_json(timeout=PATIENCE_S)
        if "event" not in frame:
            return frame


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"type": "STOP_LOSS", "stopPrice": "55000", "quantity": "1"}, "STOP_LOSS"),
        ({"type": "MARKET", "quoteOrderQty": "100"}, "MARKET"),
        ({"type": "LIMIT", "price": "1", "quantity": "1", "timeInForce": "GTC"}, "PERCENT_PRICE"),
        ({"type": "LIMIT", "price": "60000", "quantity": "1", "timeInForce": "FOK"}, "FOK"),
        ({"type": "MARKET", "quantity": "1", "apiKey": "unknown"}, "apiKey"),
    ],
)
@on_loop
async def test_a_hand_made_order_that_cannot_be_is_refused(
    order: dict[str, str], words: str
) -> None:
    async with local_exchange() as (running, client):
        body = {"symbol": "BTCUSDT", "side": "SELL", **order}
        async with client.http.post(f"{running.url}/admin/orders", json=body) as response:
            assert response.status == 400
            assert words in (await response.json())["error"]
