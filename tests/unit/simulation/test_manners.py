"""Who was told to stay away: what the simulated network and its exchange make of who asks on."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from holdfast.exchange.errors import RefusedError
from holdfast.exchange.limits import Limits
from holdfast.simulation.clock import FIRST_S, LIFE, WORLD, Life, Machine
from holdfast.simulation.exchange import SimExchange
from holdfast.simulation.loop import VirtualLoop
from holdfast.simulation.network import Network

REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 14\r\n\r\n"
    b'{"code":-%d}'
)
WEIGHT, ORDERS = REFUSAL % 1003, REFUSAL % 1015
QUERY = b"GET /api/v3/time HTTP/1.1\r\n\r\n"
ORDER = b"POST /api/v3/order?symbol=X HTTP/1.1\r\n\r\n"


class Answering(asyncio.Protocol):
    """An exchange that gives the same answer to whatever comes first."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)
        self._answer = b""


class World:
    """A process of machine `m` and what it was caught at."""

    def __init__(self) -> None:
        WORLD.now_s = FIRST_S
        self.loop = VirtualLoop()
        self.network = Network(self.loop, 1)
        self.hasty: list[str] = []
        self.network.on_hasty = self.hasty.append
        self.life = Life(Machine("m"), 1)

    def connect(self, answer: bytes) -> Any:
        self.network.listen("there", 1, lambda: Answering(answer))
        context = contextvars.Context()
        context.run(LIFE.set, self.life)
        begun = self.loop.create_connection(asyncio.Protocol, "there", 1)
        return self.loop.run_until_complete(context.run(self.loop.create_task, begun))[0]

    def wait(self, for_s: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(for_s))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.loop.close()


def refused(world: World, answer: bytes = WEIGHT) -> Any:
    line = world.connect(answer)
    line.write(QUERY)
    world.wait(0.5)
    return line


@pytest.mark.parametrize(
    ("answer", "sent", "is_hasty"),
    [
        (WEIGHT, QUERY, True),
        (WEIGHT, ORDER, True),
        (ORDERS, QUERY, False),
        (ORDERS, ORDER, True),
        (WEIGHT, b"\x82\x02 a frame", False),
        (WEIGHT[:-1], QUERY, False),  # nobody can read that
        (WEIGHT.replace(b"Retry-After: 2\r\n", b""), QUERY, False),
    ],
)
def test_who_asks_before_his_time_is_caught(
    world: World, answer: bytes, sent: bytes, is_hasty: bool
) -> None:
    refused(world, answer).write(sent)
    assert len(world.hasty) == is_hasty


def test_who_waits_is_not(world: World) -> None:
    line = refused(world)
    world.wait(2)
    line.write(QUERY)
    assert world.hasty == []


def test_a_request_that_had_to_wait_for_its_connection_may_have_been_on_its_way(
    world: World,
) -> None:
    refused(world)
    world.connect(b"").write(QUERY)
    assert world.hasty == []


def test_who_stood_still_may_not_have_read_it(world: World) -> None:
    line = refused(world)
    world.loop.pause(world.life, 0.1)
    world.wait(0.2)
    line.write(QUERY)
    assert world.hasty == []


# -- by the exchange's own limits ------------------------------------------------------------------


def limited(world: World, **limits: int) -> tuple[Any, list[str]]:
    """The one who counts, and whom he is caught refusing."""
    exchange = SimExchange(world.network, 1, ("BTC/USDT",), {"USDT": Decimal(1)})
    keeper = exchange.desk.gateway.gatekeeper
    keeper.limits = Limits(**limits)
    exchange._watch_limits()
    found: list[str] = []
    exchange.on_refused.append(found.append)
    return keeper, found


def test_a_refusal_for_speed_is_told_of_signed_and_of_unsigned_requests(world: World) -> None:
    keeper, found = limited(world, weight_per_minute=5, connections_per_5m=1)
    keeper.admit("a", 5, 1)
    keeper.admit_connection("a", 1)
    assert found == []
    with pytest.raises(RefusedError):
        keeper.admit("a", 1, 2)
    with pytest.raises(RefusedError):
        keeper.admit_connection("a", 2)
    assert len(found) == 2


def test_a_ban_that_was_asked_for_excuses_its_own_address_while_it_lasts(world: World) -> None:
    keeper, found = limited(world, weight_per_minute=5, ban_after=0)
    keeper.ban("a", 1, 0)
    with pytest.raises(RefusedError):
        keeper.admit("a", 1, 1)
    assert found == []
    for address, at_ns in (("b", 1), ("a", 2_000_000_000)):  # each earns a ban by itself
        with pytest.raises(RefusedError):
            keeper.admit(address, 6, at_ns)
    assert len(found) == 2
