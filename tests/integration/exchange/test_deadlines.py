"""The exchange-side fence: timestamp and recvWindow, checked three times before the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from holdfast.exchange.server import Running
from tests.support.exchange import Clock, local_exchange, on_loop, struck

AHEAD = "Timestamp for this request was 1000ms ahead of the server's time."
OUTSIDE = "Timestamp for this request is outside of the recvWindow."


async def meanwhile(
    running: Running, clock: Clock, seconds: float, asking: Awaitable[tuple[int, Any]]
) -> tuple[int, Any]:
    """The answer to a request, when so much time passes at the exchange while a fault delays it."""
    answering = asyncio.ensure_future(asking)
    await struck(running)
    clock.move(seconds)
    return await answering


@pytest.mark.parametrize(
    ("late_ms", "window", "status", "words"),
    [
        (0, None, 200, None),
        (5000, None, 200, None),
        (5001, None, 400, OUTSIDE),
        (-999, None, 200, None),
        (-1000, None, 400, AHEAD),
        (1000, "1000", 200, None),
        (1001, "1000", 400, OUTSIDE),
        (1001, "1000.5", 400, OUTSIDE),
        (1001, "1001.5", 200, None),
        (60_000, "60000", 200, None),
    ],
)
@on_loop
async def test_the_window_is_inclusive_and_the_future_is_not(
    late_ms: int, window: str | None, status: int, words: str | None
) -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        params = {} if window is None else {"recvWindow": window}
        stamp = clock.ns // 1_000_000 - late_ms
        seen, body = await client.order(timestamp=stamp, **params)
        assert seen == status, body
        if words is not None:
            assert (body["code"], body["msg"]) == (-1021, words)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"recvWindow": "60001"}, -1131),
        ({"recvWindow": "many"}, -1100),
        ({"recvWindow": "1.2345"}, -1100),
    ],
)
@on_loop
async def test_a_window_that_makes_no_sense(params: dict[str, str], code: int) -> None:
    async with local_exchange() as (_, client):
        status, body = await client.order(**params)
        assert (status, body["code"]) == (400, code)


@on_loop
async def test_a_signed_request_needs_a_timestamp() -> None:
    async with local_exchange() as (running, client):
        text = "symbol=BTCUSDT"
        url = f"{running.url}/api/v3/openOrders?{text}&signature={client.sign(text)}"
        async with client.http.get(url, headers={"X-MBX-APIKEY": client.api_key}) as response:
            assert (response.status, (await response.json())["code"]) == (400, -1102)


@pytest.mark.parametrize(
    ("kind", "is_counted"),
    [("delay_request", False), ("gateway_delay", True), ("broker_delay", True)],
)
@on_loop
async def test_a_delay_at_any_of_the_three_checks_lets_the_deadline_pass(
    kind: str, is_counted: bool
) -> None:
    """A late one costs its weight at the first check, and its order count too at the others."""
    clock = Clock()
    async with local_exchange(now_ns=clock) as (running, client):
        await client.fault(kind, delay_ms=20, count=1)
        status, body = await meanwhile(running, clock, 0.12, client.order(recvWindow=100))
        assert (status, body) == (400, {"code": -1021, "msg": OUTSIDE})
        _, usage = await client.call("GET", "/api/v3/rateLimit/order")
        assert usage[0]["count"] == int(is_counted)
        assert (await client.ledger())["orders"] == []


@on_loop
async def test_a_delay_inside_the_engine_is_covered_by_no_deadline() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (running, client):
        await client.fault("engine_delay", ms=20, count=1)
        status, body = await meanwhile(running, clock, 0.12, client.order(recvWindow=100))
        assert (status, body["status"]) == (200, "FILLED")


@on_loop
async def test_queries_are_checked_once() -> None:
    async with local_exchange() as (_, client):
        await client.fault("gateway_delay", path="*", delay_ms=1)
        assert (await client.call("GET", "/api/v3/openOrders"))[0] == 200
        (fault,) = (await client.admin("GET", "faults"))["faults"]
        assert fault["struck"] == 0, "no second check that it could be late for"


@on_loop
async def test_a_gateway_with_a_clock_of_its_own() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        await client.fault("clock_offset", path="*", ms=-3000)
        now_ms = clock.ns // 1_000_000
        status, body = await client.order(timestamp=now_ms)
        assert (status, body["msg"]) == (400, AHEAD)
        _, seen = await client.get("/api/v3/time")
        assert seen["serverTime"] - now_ms == -3000
        # The check before the engine goes by the exchange's own clock.
        status, body = await client.order(timestamp=now_ms - 3000)
        assert status == 200
