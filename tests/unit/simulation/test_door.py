"""The simulated exchange's door: replies as its faults let them, other connections passed on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.simulation.clock import FIRST_S, WORLD
from holdfast.simulation.exchange import HOST, PORT, SimExchange
from holdfast.simulation.loop import VirtualLoop
from holdfast.simulation.network import Network
from holdfast.venues.binance.line import Line, UnansweredError
from holdfast.venues.binance.wire import Reply

World = tuple[VirtualLoop, SimExchange]


@pytest.fixture
def world() -> Iterator[World]:
    WORLD.now_s = FIRST_S
    loop = VirtualLoop()
    exchange = SimExchange(Network(loop, 1), 1, ("BTC/USDT",), {"USDT": Decimal(1)})
    loop.run_until_complete(exchange.open())
    yield loop, exchange
    loop.run_until_complete(end_all())
    loop.close()


async def end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def ask(method: str, path_and_query: str, *, times: int = 1) -> list[Reply]:
    line = Line(f"http://{HOST}:{PORT}")
    try:
        return [
            await line.ask(method, path_and_query, timeout_s=5.0, max_bytes=100_000)
            for _ in range(times)
        ]
    finally:
        await line.close()


def test_replies_come_one_after_the_other_on_one_connection(world: World) -> None:
    loop, exchange = world
    replies = loop.run_until_complete(ask("GET", "/api/v3/time", times=2))
    assert [reply.status for reply in replies] == [200, 200]
    first, second = (json.loads(reply.body)["serverTime"] for reply in replies)
    assert first <= second
    assert replies[0].headers["x-mbx-used-weight-1m"] == "1"
    assert exchange._network._numbers == 1


def test_names_and_values_are_unquoted_and_refusals_are_told(world: World) -> None:
    loop, _ = world
    told, refused = (
        loop.run_until_complete(ask("GET", f"/api/v3/ticker/price?symbol={symbol}"))[0]
        for symbol in ("%42TCUSDT", "NONE")
    )
    assert json.loads(told.body)["symbol"] == "BTCUSDT"
    assert (refused.status, json.loads(refused.body)["code"]) == (400, -1121)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (FaultKind.TRUNCATE_BODY, "in the middle of the reply"),
        (FaultKind.RESET, "ConnectionResetError"),
        (FaultKind.DROP_REPLY, "no whole reply within"),
    ],
)
def test_a_reply_is_cut_off_reset_or_never_sent(world: World, kind: FaultKind, why: str) -> None:
    loop, exchange = world
    exchange.desk.admin.inject(Fault(kind, Match(path="/api/v3/time")))
    with pytest.raises(UnansweredError, match=why):
        loop.run_until_complete(ask("GET", "/api/v3/time"))


def test_a_connection_that_brings_no_request_of_the_api_goes_through_the_web_server(
    world: World,
) -> None:
    loop, _ = world
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    head = f"GET /stream HTTP/1.1\r\nHost: x\r\n{upgrade}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n"

    class Ear(asyncio.Protocol):
        heard = b""

        def data_received(self, data: bytes) -> None:
            self.heard += data

    ear = Ear()
    transport, _ = loop.run_until_complete(loop.create_connection(lambda: ear, HOST, PORT))
    transport.write(head.encode())
    loop.run_until_complete(asyncio.sleep(1))
    assert ear.heard.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
