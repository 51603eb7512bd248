"""The simulated network: order, stalls, ends that are told and ends that are not."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator

import pytest

from holdfast.simulation.clock import FIRST_S, LIFE, WORLD, Life, Machine
from holdfast.simulation.loop import VirtualLoop
from holdfast.simulation.network import Network


class Ear(asyncio.Protocol):
    """Notes what it hears, and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, float]] = []
        self.ended: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard.append((data, WORLD.now_s - FIRST_S))

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.append(type(exc).__name__)


@pytest.fixture
def world() -> Iterator[tuple[VirtualLoop, Network]]:
    WORLD.now_s = FIRST_S
    loop = VirtualLoop()
    yield loop, Network(loop, 1)
    loop.close()


def connected(loop: VirtualLoop, network: Network) -> tuple[Life, asyncio.Transport, Ear]:
    """A process of machine `m`, its end of a connection, and who listens at the other."""
    ear = Ear()
    network.listen("there", 1, lambda: ear)
    life = Life(Machine("m"), 1)
    context = contextvars.Context()
    context.run(LIFE.set, life)
    task = context.run(loop.create_task, loop.create_connection(Ear, "there", 1))
    transport, _ = loop.run_until_complete(task)
    return life, transport, ear


def test_bytes_keep_their_order_and_a_partition_only_holds_them_up(
    world: tuple[VirtualLoop, Network],
) -> None:
    loop, network = world
    _, transport, ear = connected(loop, network)
    link = network.link("m")
    transport.write(b"1")
    loop.run_until_complete(asyncio.sleep(1))
    link.block(there=True, back=False)
    for data in (b"2", b"3"):
        transport.write(data)
    loop.run_until_complete(asyncio.sleep(5))
    assert [data for data, _ in ear.heard] == [b"1"]
    link.heal()
    loop.run_until_complete(asyncio.sleep(1))
    assert [data for data, _ in ear.heard] == [b"1", b"2", b"3"]
    assert ear.heard[1][1] > 6


def test_a_process_that_ends_resets_its_connections_and_a_machine_that_does_tells_nobody(
    world: tuple[VirtualLoop, Network],
) -> None:
    loop, network = world
    for quiet, told in ((False, ["ConnectionResetError"]), (True, [])):
        life, transport, ear = connected(loop, network)
        life.quiet_on_death = quiet
        loop.kill(life)
        transport.write(b"late")
        loop.run_until_complete(asyncio.sleep(60))
        assert (ear.heard, ear.ended) == ([], told)


def test_what_is_written_in_a_step_that_is_paused_leaves_when_it_goes_on(
    world: tuple[VirtualLoop, Network],
) -> None:
    loop, network = world
    life, transport, ear = connected(loop, network)
    began_s = WORLD.now_s - FIRST_S
    loop.pause(life, 7)
    transport.write(b"late")
    loop.run_until_complete(asyncio.sleep(10))
    assert [data for data, _ in ear.heard] == [b"late"]
    assert ear.heard[0][1] - began_s > 7
