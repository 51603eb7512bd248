"""States of the whole exchange: halted, changed, closed, banned, a key taken away; and back."""

from __future__ import annotations

import aiohttp
import pytest

from tests.support.exchange import Clock, local_exchange, on_loop
from tests.support.waiting import PATIENCE_S


@on_loop
async def test_a_halted_symbol_takes_cancels_only_and_says_so() -> None:
    async with local_exchange() as (_, client):
        await client.order(type="LIMIT", price="50000", quantity="0.001", newClientOrderId="a")
        await client.fault("halt_symbol", None, symbol="BTCUSDT")
        status, body = await client.order()
        assert (status, body) == (400, {"code": -1013, "msg": "Market is closed."})
        assert (await client.order(symbol="ETHUSDT"))[0] == 200
        _, info = await client.get("/api/v3/exchangeInfo")
        assert [row["status"] for row in info["symbols"]] == ["HALT", "TRADING"]
        status, _ = await client.call(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="a"
        )
        assert status == 200
        await client.admin("DELETE", "faults")
        assert (await client.order())[0] == 200


@on_loop
async def test_changed_filters_hold_at_once_and_show_in_exchange_info() -> None:
    async with local_exchange() as (_, client):
        await client.fault(
            "change_filters", None, symbol="BTC/USDT", stepSize="0.1", minNotional="100"
        )
        status, body = await client.order(quantity="0.01")
        assert (status, body["msg"]) == (400, "Filter failure: LOT_SIZE")
        _, info = await client.get("/api/v3/exchangeInfo", symbol="BTCUSDT")
        filters = {row["filterType"]: row for row in info["symbols"][0]["filters"]}
        assert filters["LOT_SIZE"]["stepSize"] == "0.10000000"
        assert filters["NOTIONAL"]["minNotional"] == "100.00000000"
        await client.admin("DELETE", "faults")
        assert (await client.order(quantity="0.01"))[0] == 200


@on_loop
async def test_a_revoked_key_is_refused_and_its_stream_ends_with_a_word() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.fault("revoke_key", None, apiKey=client.api_key)
        event = await socket.receive_json(timeout=PATIENCE_S)
        assert event["event"]["e"] == "eventStreamTerminated"
        status, body = await client.order()
        assert (status, body["code"]) == (401, -2015)
        await client.admin("DELETE", "faults")
        assert (await client.order())[0] == 200
        await socket.close()


@on_loop
async def test_maintenance_closes_everything_for_a_while() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        market = await client.http.ws_connect(running.stream_url)
        await client.fault("maintenance", None)
        for connection in (socket, market):
            assert "serverShutdown" in await connection.receive_str(timeout=PATIENCE_S)
            message = await connection.receive(timeout=PATIENCE_S)
            assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        status, body = await client.order()
        assert (status, body["code"]) == (503, -1016)
        for url in (running.stream_url, running.ws_api_url):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await client.http.ws_connect(url)
            assert refusal.value.status == 503
        await client.admin("DELETE", "faults")
        assert (await client.order())[0] == 200


@on_loop
async def test_a_ban_refuses_everything_from_the_address() -> None:
    async with local_exchange(now_ns=Clock()) as (running, client):
        await client.fault("ban", None, for_s=60)
        async with client.http.get(f"{running.url}/api/v3/ping") as response:
            assert (response.status, response.headers["Retry-After"]) == (418, "60")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.http.ws_connect(running.ws_api_url)
        await client.admin("DELETE", "faults")
        assert (await client.get("/api/v3/ping"))[0] == 200


@on_loop
async def test_an_injected_rate_limit() -> None:
    async with local_exchange() as (_, client):
        await client.fault("rate_limit", count=1, retry_after_s=7)
        status, body = await client.order()
        assert (status, body["code"]) == (429, -1003)
        assert (await client.order())[0] == 200
