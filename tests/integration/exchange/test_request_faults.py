"""Each fault of a request does what its name says, and the records tell which part happened."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.exchange.server import Running
from tests.support.exchange import Client, Clock, local_exchange, on_loop, struck
from tests.support.waiting import until

BROKEN = (aiohttp.ClientError, ConnectionError)


async def executions(client: Client) -> int:
    return len((await client.ledger())["executions"])


def executed(running: Running) -> int:
    """How many requests have taken effect by now, without asking over a socket."""
    return sum(record.executed for record in running.desk.gateway.requests)


async def lost(running: Running, client: Client) -> None:
    """Place an order that gets no reply, and give it up a while after the fault has struck."""
    asking = asyncio.ensure_future(client.order())
    await struck(running)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asking, 0.1)


@pytest.mark.parametrize(
    ("kind", "executed", "verdict"),
    [("drop_request", False, "dropped"), ("drop_reply", True, "accepted")],
)
@on_loop
async def test_a_lost_request_never_executes_and_a_lost_reply_hides_that_it_did(
    kind: str, executed: bool, verdict: str
) -> None:
    async with local_exchange() as (running, client):
        await client.fault(kind, count=1)
        await lost(running, client)
        assert await executions(client) == int(executed)
        (request,) = await client.requests()
        assert (request["verdict"], request["executed"], request["delivered"]) == (
            verdict, executed, False,
        )
        assert request["faults"] == [kind]
        status, _ = await client.order()  # only once
        assert status == 200


@on_loop
async def test_a_hanging_connection_closes_without_a_word_in_the_end() -> None:
    async with local_exchange() as (_, client):
        await client.fault("drop_reply", hang_ms=30)
        with pytest.raises(BROKEN):
            await client.order()


@pytest.mark.parametrize(("when", "executed"), [("before", 0), ("after", 1)])
@on_loop
async def test_a_reset_before_or_after_the_execution(when: str, executed: int) -> None:
    async with local_exchange() as (_, client):
        await client.fault("reset", when=when, count=1)
        with pytest.raises(BROKEN):
            await client.order()
        assert await executions(client) == executed


@on_loop
async def test_a_reset_is_one_on_the_wire() -> None:
    async with local_exchange() as (running, client):
        await client.fault("reset", when="after", path="/api/v3/time", method="GET")
        host, port = running.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("delay_request", {"delay_ms": 80}),
        ("gateway_delay", {"delay_ms": 80}),
        ("broker_delay", {"delay_ms": 80}),
        ("engine_delay", {"ms": 80}),
        ("delay_reply", {"min_delay_ms": 80, "delay_ms": 90}),
    ],
)
@on_loop
async def test_a_delay_delays(kind: str, params: dict[str, Any]) -> None:
    async with local_exchange() as (running, client):
        await client.fault(kind, count=1, **params)
        sent_ns = running.desk.exchange.now_ns()
        status, _ = await client.order()
        answered_ns = running.desk.exchange.now_ns()
        assert status == 200
        (order,) = (await client.ledger())["orders"]
        before_ns, after_ns = order["created_ns"] - sent_ns, answered_ns - order["created_ns"]
        # Either the way there or the way back took so long; the other one as long as the machine.
        assert (after_ns if kind == "delay_reply" else before_ns) >= 80_000_000


@pytest.mark.parametrize("which", ["first", "second"])
@on_loop
async def test_a_duplicated_market_order_executes_twice_and_either_reply_may_arrive(
    which: str,
) -> None:
    async with local_exchange() as (running, client):
        await client.fault("duplicate_request", count=1, delay_ms=20, reply=which)
        status, body = await client.order(newClientOrderId="twice")
        assert status == 200
        assert body["orderId"] == (1 if which == "first" else 2)
        await until(lambda: executed(running) == 2, "the second execution")
        assert await executions(client) == 2
        assert [row["copy"] for row in await client.requests()] == [1, 2]


@on_loop
async def test_the_second_copy_of_a_resting_order_is_refused_and_that_may_be_the_reply() -> None:
    async with local_exchange() as (_, client):
        await client.fault("duplicate_request", count=1, reply="second")
        status, body = await client.order(
            type="LIMIT", price="50000", quantity="0.001", newClientOrderId="mine"
        )
        assert (status, body["msg"]) == (400, "Duplicate order sent.")
        (order,) = (await client.ledger())["orders"]
        assert (order["clientOrderId"], order["status"]) == ("mine", "NEW")


@on_loop
async def test_a_second_copy_behind_the_deadline_does_not_execute() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (running, client):
        await client.fault("duplicate_request", count=1, delay_ms=20, reply="second")
        ordering = asyncio.ensure_future(client.order(recvWindow=100))
        await until(lambda: executed(running) == 1, "the first execution")
        clock.move(0.12)
        status, body = await ordering
        assert (status, body["code"]) == (400, -1021)
        assert await executions(client) == 1


@on_loop
async def test_a_copy_refused_elsewhere_may_be_the_reply_before_the_first_one_executes() -> None:
    async with local_exchange() as (running, client):
        await client.fault("engine_delay", count=1, delay_ms=80)
        await client.fault("duplicate_request", count=1, reply="sooner", refused=-1021)
        status, body = await client.order(newClientOrderId="once")
        assert (status, body["code"]) == (400, -1021)
        assert await executions(client) == 0
        await until(lambda: executed(running) == 1, "the first execution")
        assert await executions(client) == 1
        rows = await client.requests()
        assert [(row["copy"], row["verdict"]) for row in rows] == [(1, "accepted"), (2, "replaced")]


@on_loop
async def test_half_a_body_is_less_than_was_promised() -> None:
    async with local_exchange() as (_, client):
        await client.fault("truncate_body", count=1)
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.order()
        assert await executions(client) == 1


@on_loop
async def test_garbage_comes_with_status_200() -> None:
    async with local_exchange() as (running, client):
        await client.fault("garbage_json", count=1)
        text = client.signed(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        url = f"{running.url}/api/v3/order?{text}"
        async with client.http.post(url, headers={"X-MBX-APIKEY": client.api_key}) as response:
            assert response.status == 200
            body = await response.read()
        assert b"garbage" in body
        assert body.startswith(b'{"symbol"')
        assert await executions(client) == 1


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize(
    ("code", "status"),
    [(-1000, 500), (-1001, 500), (-1006, 500), (-1007, 408), (-1008, 503), (-2010, 400)],
)
@on_loop
async def test_an_error_code_with_and_without_execution(
    code: int, status: int, executed: bool
) -> None:
    async with local_exchange() as (_, client):
        await client.fault("error_code", code=code, executed=executed, count=1)
        seen, body = await client.order()
        assert (seen, body["code"]) == (status, code)
        assert await executions(client) == int(executed)
        (request,) = await client.requests()
        assert (request["verdict"], request["executed"]) == ("replaced", executed)


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize("status", [502, 504, 403])
@on_loop
async def test_a_proxys_page_with_and_without_execution(status: int, executed: bool) -> None:
    async with local_exchange() as (running, client):
        await client.fault("http_status", status=status, executed=executed, count=1)
        text = client.signed(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        url = f"{running.url}/api/v3/order?{text}"
        async with client.http.post(url, headers={"X-MBX-APIKEY": client.api_key}) as response:
            assert response.status == status
            assert response.content_type == "text/html"
        assert await executions(client) == int(executed)


@on_loop
async def test_the_api_gives_up_on_a_slow_engine_and_the_order_executes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.exchange.gateway.ENGINE_PATIENCE_S", 0.03)
    async with local_exchange() as (running, client):
        await client.fault("engine_delay", ms=90, count=1)
        status, body = await client.order()
        assert (status, body["code"]) == (408, -1007)
        assert "execution status unknown" in body["msg"]
        await until(lambda: executed(running) == 1, "an execution")
        assert await executions(client) == 1
        (request,), (order,) = await client.requests(), (await client.ledger())["orders"]
        assert order["created_ns"] / 1e6 - request["atMs"] >= 90, "60 ms after it was given up"


@pytest.mark.parametrize(
    ("sources", "hidden", "shown"),
    [
        (["memory"], ["order", "myTrades", "openOrders"], ["allOrders"]),
        (["database"], ["allOrders"], ["order", "myTrades", "openOrders"]),
    ],
)
@on_loop
async def test_what_was_done_shows_later_in_each_source(
    sources: list[str], hidden: list[str], shown: list[str]
) -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        await client.fault("visibility_lag", None, ms=150, sources=sources)
        await client.order(
            type="LIMIT", price="60000", quantity="1.5", newClientOrderId="mine"
        )
        assert await executions(client) > 0
        for path in hidden:
            assert not await visible(client, path), path
        for path in shown:
            assert await visible(client, path), path
        _, account = await client.call("GET", "/api/v3/account")
        moved = {"free": "100000.00000000"} not in [
            {"free": row["free"]} for row in account["balances"] if row["asset"] == "USDT"
        ]
        assert moved is ("memory" not in sources)
        clock.move(0.16)
        for path in hidden + shown:
            assert await visible(client, path), path


@on_loop
async def test_a_lag_of_trades_alone_says_filled_before_it_lists_the_trade() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        await client.fault("visibility_lag", None, ms=150, sources=["memory"], of=["trades"])
        await client.order(type="LIMIT", price="70000", quantity="0.001", newClientOrderId="mine")
        _, order = await client.call(
            "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine"
        )
        assert order["status"] == "FILLED"
        assert not await visible(client, "myTrades")
        clock.move(0.16)
        assert await visible(client, "myTrades")


@on_loop
async def test_a_query_of_an_archived_order_is_refused_by_its_own_code() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (running, client):
        running.desk.exchange.archive_after_s = 60
        await client.order(
            type="LIMIT", price="50000", quantity="0.001", newClientOrderId="mine"
        )
        mine: dict[str, Any] = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
        await client.call("DELETE", "/api/v3/order", **mine)
        assert (await client.call("GET", "/api/v3/order", **mine))[1]["status"] == "CANCELED"
        clock.move(61)
        status, body = await client.call("GET", "/api/v3/order", **mine)
        assert (status, body["code"]) == (400, -2026)


async def visible(client: Client, path: str) -> bool:
    """Whether a query shows the order called `mine`."""
    params: dict[str, Any] = {"symbol": "BTCUSDT"}
    if path == "order":
        params["origClientOrderId"] = "mine"
    status, body = await client.call("GET", f"/api/v3/{path}", **params)
    if status == 400:
        assert body["code"] == -2013
        return False
    return bool(body)


@on_loop
async def test_a_cancel_reaches_the_engine_whatever_memory_shows() -> None:
    async with local_exchange() as (_, client):
        await client.fault("visibility_lag", None, ms=5000, sources=["memory"])
        await client.order(
            type="LIMIT", price="50000", quantity="0.001", newClientOrderId="mine"
        )
        assert not await visible(client, "order")
        status, body = await client.call(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine"
        )
        assert (status, body["status"]) == (200, "CANCELED")


@on_loop
async def test_faults_strike_only_what_they_match_and_only_as_often_as_they_may() -> None:
    async with local_exchange() as (_, client):
        await client.fault("error_code", method="POST", count=2, code=-1001)
        assert (await client.call("GET", "/api/v3/openOrders", symbol="BTCUSDT"))[0] == 200
        assert [(await client.order())[0] for _ in range(3)] == [500, 500, 200]
        (fault,) = (await client.admin("GET", "faults"))["faults"]
        assert fault["struck"] == 2


@on_loop
async def test_faults_end_by_themselves_or_when_they_are_lifted() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        await client.fault("error_code", code=-1001, for_ms=60)
        assert (await client.order())[0] == 500
        clock.move(0.06)
        assert (await client.order())[0] == 200
        await client.fault("error_code", code=-1001)
        await client.admin("DELETE", "faults")
        assert (await client.order())[0] == 200


@on_loop
async def test_probability_draws_are_the_same_for_the_same_seed() -> None:
    seen = []
    for seed in (1, 1, 2):
        async with local_exchange(seed=seed) as (_, client):
            await client.fault("error_code", probability=0.5, code=-1001)
            seen.append([(await client.order())[0] for _ in range(16)])
    assert seen[0] == seen[1] != seen[2]
    assert set(seen[0]) == {200, 500}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "no_such_thing"},
        {"kind": "drop_reply", "probability": 1.5},
        {"kind": "drop_reply", "params": {"delay": 1}},
        {"kind": "engine_delay", "params": {"ms": "soon"}},
        {"kind": "reset", "params": {"when": "later"}},
        {"kind": "visibility_lag", "params": {"ms": 1, "sources": ["moon"]}},
        {"kind": "visibility_lag", "params": {"ms": 1, "of": ["rates"]}},
        {"kind": "halt_symbol", "params": {}},
        {"kind": "halt_symbol", "params": {"symbol": "NOPE"}},
        {"kind": "change_filters", "params": {"symbol": "BTCUSDT", "tick": "1"}},
        {"kind": "change_filters", "params": {"symbol": "BTCUSDT", "tickSize": "x"}},
        {"kind": "revoke_key", "params": {"apiKey": "unknown"}},
        {"kind": "drop_reply", "match": {"way": "x"}},
    ],
)
@on_loop
async def test_a_fault_that_makes_no_sense_is_refused_with_words(body: dict[str, Any]) -> None:
    async with local_exchange() as (running, client):
        async with client.http.post(f"{running.url}/admin/faults", json=body) as response:
            assert response.status == 400
            assert (await response.json())["error"]
        assert (await client.order())[0] == 200


@on_loop
async def test_every_kind_of_fault_can_be_injected() -> None:
    params: dict[FaultKind, dict[str, Any]] = {
        FaultKind.HALT_SYMBOL: {"symbol": "ETHUSDT"},
        FaultKind.CHANGE_FILTERS: {"symbol": "ETHUSDT", "tickSize": "0.1"},
        FaultKind.BAN: {"address": "10.0.0.1"},
        FaultKind.MAINTENANCE: {"for_ms": 0},
    }
    async with local_exchange() as (running, client):
        for kind in FaultKind:
            await client.admin("POST", "faults", {"kind": kind, "params": params.get(kind, {})})
        assert len(running.desk.gateway.faults.faults) == len(FaultKind)
        await client.admin("DELETE", "faults")
        assert (await client.order())[0] == 200


def test_a_match_without_conditions_takes_everything() -> None:
    assert Match().takes("POST", "/api/v3/order", "rest", "key")
    assert not Match(door="ws").takes("POST", "/api/v3/order", "rest", "key")
    assert Match(path="/api/v3/*").takes("GET", "/api/v3/order", "ws", "")
    assert not Match(key="other").takes("GET", "/api/v3/order", "ws", "key")
    assert Fault(FaultKind.RESET).match == Match()
