"""The fault proxy on real sockets: what gets through a link, when, and what its ends learn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.chaos.proxy import Conditions, Link, Sent
from holdfast.app.chaos.proxy_process import Proxy
from tests.support.waiting import PATIENCE_S, until

OPEN = Conditions()
SHORT_S = 0.3  # long for a byte on loopback that nothing holds


class Server:
    """Keeps what it is sent, and answers each piece with the same."""

    def __init__(self) -> None:
        self.heard = b""
        self.ends = 0
        self.resets = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends += 1
        except ConnectionError:
            self.resets += 1
        writer.close()


@asynccontextmanager
async def linked(
    conditions: Conditions = OPEN, sent: list[Sent] | None = None
) -> AsyncIterator[tuple[Link, Server]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    link = Link("node-1", f"127.0.0.1:{port}", conditions, sent)
    await link.open()
    try:
        yield link, server
    finally:
        await link.close()
        listening.close()


async def connected(link: Link) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", link.port)


async def first_byte(link: Link) -> None:
    reader, writer = await connected(link)
    try:
        await asyncio.wait_for(reader.readexactly(1), PATIENCE_S)
    finally:
        writer.close()


async def said(reader: asyncio.StreamReader, count: int) -> bytes:
    return await asyncio.wait_for(reader.readexactly(count), PATIENCE_S)


async def not_within_s(work: Coroutine[Any, Any, object], within_s: float = SHORT_S) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work, within_s)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_a_round_trip_takes_both_delays_and_keeps_the_order() -> None:
    async def test() -> None:
        async with linked(Conditions(delay_ms=20)) as (link, _):
            reader, writer = await connected(link)
            began_s = time.monotonic()
            for number in range(100):
                writer.write(b"%03d" % number)
                await asyncio.sleep(0)
            whole = b"".join(b"%03d" % number for number in range(100))
            assert await said(reader, len(whole)) == whole
            # The first bytes of a connection wait for its handshake as well: two round trips.
            assert time.monotonic() - began_s >= 0.08
            again_s = time.monotonic()
            writer.write(b"again")
            await said(reader, 5)
            assert time.monotonic() - again_s >= 0.04
            writer.close()

    run(test())


def test_a_held_link_is_silent_and_lets_everything_through_afterwards() -> None:
    async def test() -> None:
        async with linked() as (link, server):
            reader, writer = await connected(link)
            writer.write(b"one")
            await said(reader, 3)
            link.change(Conditions(holds_up=True, holds_down=True))
            writer.write(b"two")
            await not_within_s(reader.read(1))
            assert server.heard == b"one"
            link.change(OPEN)
            assert await said(reader, 3) == b"two"
            writer.close()

    run(test())


def test_one_way_may_be_held_and_the_other_open() -> None:
    async def test() -> None:
        async with linked(Conditions(holds_down=True)) as (link, server):
            reader, writer = await connected(link)
            writer.write(b"request")
            await until(lambda: server.heard == b"request", "the request to arrive")
            await not_within_s(reader.read(1))
            link.change(OPEN)
            assert await said(reader, 7) == b"request"
            writer.close()

    run(test())


def test_a_held_link_does_not_tell_that_a_side_is_gone() -> None:
    async def test() -> None:
        async with linked() as (link, server):
            reader, writer = await connected(link)
            writer.write(b"one")
            await said(reader, 3)
            link.change(Conditions(holds_up=True, holds_down=True))
            writer.transport.abort()
            await asyncio.sleep(SHORT_S)
            assert (server.ends, server.resets) == (0, 0)
            link.change(OPEN)
            await until(lambda: server.ends + server.resets == 1, "the server to learn of it")

    run(test())


def test_connections_that_both_sides_ended_meanwhile_are_over_when_a_link_opens() -> None:
    async def test() -> None:
        async with linked() as (link, server):
            ends = [await connected(link) for _ in range(3)]
            for reader, writer in ends:
                writer.write(b"one")
                await said(reader, 3)
            link.change(Conditions(holds_up=True, holds_down=True))
            for writer in (*server.writers, *(writer for _, writer in ends)):
                writer.write_eof()
            await not_within_s(ends[0][0].read(1))
            link.change(OPEN)
            for reader, writer in ends:
                assert await asyncio.wait_for(reader.read(1), PATIENCE_S) == b""
                writer.close()

    run(test())


def test_what_had_left_arrives_although_its_sender_has_ended() -> None:
    async def test() -> None:
        async with linked(Conditions(delay_ms=50)) as (link, server):
            _, writer = await connected(link)
            writer.write(b"last words")
            writer.close()
            await until(lambda: server.heard == b"last words", "the bytes under way")
            await until(lambda: server.ends == 1, "the end behind them")

    run(test())


def test_a_cut_resets_both_sides() -> None:
    async def test() -> None:
        async with linked() as (link, server):
            reader, writer = await connected(link)
            writer.write(b"one")
            await said(reader, 3)
            link.cut()
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(1), PATIENCE_S)
            await until(lambda: server.resets == 1, "the server to be reset")
            writer.close()

    run(test())


def test_a_link_that_refuses_resets_who_connects() -> None:
    async def test() -> None:
        async with linked(Conditions(refuses=True)) as (link, server):
            with pytest.raises(ConnectionResetError):
                await first_byte(link)
            assert server.heard == b""

    run(test())


def test_a_narrow_link_takes_its_time() -> None:
    async def test() -> None:
        async with linked(Conditions(bytes_per_s=100_000)) as (link, _):
            reader, writer = await connected(link)
            began_s = time.monotonic()
            writer.write(bytes(20_000))
            await said(reader, 20_000)
            assert time.monotonic() - began_s >= 0.2
            writer.close()

    run(test())


def test_nothing_behind_a_link_is_a_reset() -> None:
    async def test() -> None:
        link = Link("node-1", "127.0.0.1:1", OPEN)
        await link.open()
        with pytest.raises(ConnectionResetError):
            await first_byte(link)
        await link.close()

    run(test())


def test_new_orders_are_noted_as_they_leave_and_nothing_else() -> None:
    async def test() -> None:
        sent: list[Sent] = []
        async with linked(Conditions(holds_up=True), sent) as (link, _):
            _, writer = await connected(link)
            before_ns = time.monotonic_ns()
            writer.write(
                b"GET /api/v3/order?origClientOrderId=x HTTP/1.1\r\n\r\n"
                b"POST /api/v3/order?symbol=BTCUSDT&newClientOrderId=abc1&side=BUY HTTP/1.1\r\n\r\n"
            )
            writer.write(b"POST /api/v3/orderList/oco?listClientOrderId=abc2&a=b HTTP/1.1\r\n\r\n")
            writer.write(b"DELETE /api/v3/order?newClientOrderId=abc3 HTTP/1.1\r\n\r\n")
            await until(lambda: len(sent) == 2, "both orders")
            assert [(one.link, one.cid) for one in sent] == [("node-1", "abc1"), ("node-1", "abc2")]
            assert all(before_ns <= one.at_ns <= time.monotonic_ns() for one in sent)
            writer.close()

    run(test())


def test_it_runs_in_a_process_of_its_own_in_front_of_a_unix_socket(tmp_path: Path) -> None:
    async def test() -> None:
        server = Server()
        path = str(tmp_path / "socket")
        listening = await asyncio.start_unix_server(server.serve, path)
        proxy = await Proxy.start()
        try:
            port = await proxy.open("node-1 store", path, OPEN, carries_orders=True)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            request = b"POST /api/v3/order?newClientOrderId=abc HTTP/1.1\r\n\r\n"
            before_ns = time.monotonic_ns()
            writer.write(request)
            assert await said(reader, len(request)) == request
            (sent,) = await proxy.collect()
            assert (sent.link, sent.cid) == ("node-1 store", "abc")
            assert before_ns <= sent.at_ns
            assert await proxy.collect() == ()
            await proxy.change("node-1 store", OPEN, cut=True)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.readexactly(1), PATIENCE_S)
            await until(lambda: server.ends + server.resets == 1, "the server to learn of it")
            writer.close()
        finally:
            await proxy.close()
            listening.close()

    run(test())
