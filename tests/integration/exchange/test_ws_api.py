"""Requests over the WebSocket API: the same calls, rules and faults as over REST."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.integration.exchange.test_user_stream import ask
from tests.support.exchange import Client, local_exchange, on_loop, struck
from tests.support.waiting import PATIENCE_S

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}


@on_loop
async def test_an_order_placed_asked_for_and_cancelled() -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        limit = {**ORDER, "type": "LIMIT", "price": "50000", "timeInForce": "GTC"}
        placed = await ask(client, socket, "order.place", **limit, newClientOrderId="mine")
        assert (placed["id"], placed["status"], placed["result"]["status"]) == ("x", 200, "NEW")
        assert placed["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        mine = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
        found = await ask(client, socket, "order.status", **mine)
        assert found["result"]["orderId"] == placed["result"]["orderId"]
        gone = await ask(client, socket, "order.cancel", **mine)
        assert gone["result"]["status"] == "CANCELED"
        again = await ask(client, socket, "order.cancel", **mine)
        assert (again["status"], again["error"]["code"]) == (400, -2011)
        requests = await client.requests()
        assert [(row["door"], row["method"]) for row in requests] == [
            ("ws", "POST"), ("ws", "GET"), ("ws", "DELETE"), ("ws", "DELETE"),
        ]
        await socket.close()


@pytest.mark.parametrize(
    ("method", "params", "check"),
    [
        ("ping", {}, lambda result: result == {}),
        ("time", {}, lambda result: result["serverTime"] > 0),
        ("exchangeInfo", {}, lambda result: len(result["symbols"]) == 2),
        ("exchangeInfo", {"symbols": ["ETHUSDT"]}, lambda result: len(result["symbols"]) == 1),
        ("depth", {"symbol": "BTCUSDT", "limit": 5}, lambda result: len(result["asks"]) == 5),
        ("ticker.price", {"symbol": "BTCUSDT"}, lambda r: r["price"] == "60000.00000000"),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m"}, lambda result: len(result) >= 1),
    ],
)  # fmt: skip
@on_loop
async def test_what_anybody_may_ask(method: str, params: dict[str, Any], check: Any) -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        await socket.send_json({"id": 1, "method": method, "params": params})
        frame = await socket.receive_json(timeout=PATIENCE_S)
        assert frame["status"] == 200, frame
        assert check(frame["result"]), frame
        await socket.close()


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        ("not json", 400, -1135),
        ('{"id": 1}', 400, -1135),
        ('{"id": 1, "method": "no.such"}', 404, -1000),
        ('{"id": 1, "method": "orderList.place.opo"}', 400, -1020),
        ('{"id": 1, "method": "order.cancelReplace"}', 400, -1020),
        ('{"id": 1, "method": "userDataStream.start"}', 410, -1000),
        ('{"id": 1, "method": "userDataStream.unsubscribe"}', 400, -2036),
        ('{"id": 1, "method": "order.place", "params": {"symbol": "BTCUSDT"}}', 401, -2014),
        ('{"id": 1, "method": "depth", "params": {"symbol": "NO"}}', 400, -1121),
    ],
)
@on_loop
async def test_what_is_refused(frame: str, status: int, code: int) -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        await socket.send_str(frame)
        reply = await socket.receive_json(timeout=PATIENCE_S)
        assert (reply["status"], reply["error"]["code"]) == (status, code)
        await socket.close()


@on_loop
async def test_a_signature_over_other_parameters_is_refused() -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        forger = Client(client.http, client.url, client.api_key, "wrong")
        reply = await ask(forger, socket, "order.place", **ORDER)
        assert (reply["status"], reply["error"]["code"]) == (400, -1022)
        reply = await ask(forger, socket, "userDataStream.subscribe.signature")
        assert reply["error"]["code"] == -1022
        await socket.close()


@on_loop
async def test_a_lost_reply_executes_and_the_socket_lives_on() -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        await client.fault("drop_reply", door="ws", count=1)
        await socket.send_json({"id": 1, "method": "order.place", "params": sign(client)})
        await struck(running)
        with pytest.raises(TimeoutError):
            await socket.receive_json(timeout=0.1)
        assert len((await client.ledger())["executions"]) == 1
        reply = await ask(client, socket, "order.place", **ORDER)
        assert reply["status"] == 200
        await socket.close()


@on_loop
async def test_a_reset_closes_the_socket() -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        await client.fault("reset", door="ws", when="after")
        await socket.send_json({"id": 1, "method": "order.place", "params": sign(client)})
        message = await socket.receive(timeout=PATIENCE_S)
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        assert len((await client.ledger())["executions"]) == 1


@pytest.mark.parametrize("kind", ["truncate_body", "garbage_json"])
@on_loop
async def test_a_broken_frame(kind: str) -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        await client.fault(kind, door="ws", count=1)
        await socket.send_json({"id": 1, "method": "order.place", "params": sign(client)})
        with pytest.raises(ValueError, match=r"control character|Expecting|Unterminated"):
            await socket.receive_json(timeout=PATIENCE_S)
        assert len((await client.ledger())["executions"]) == 1
        await socket.close()


def sign(client: Client) -> dict[str, Any]:
    """The parameters of a signed market order."""
    full = {**ORDER, "apiKey": client.api_key, "timestamp": client.now_ns() // 1_000_000}
    text = "&".join(f"{name}={value}" for name, value in sorted(full.items()))
    return {**full, "signature": client.sign(text)}
