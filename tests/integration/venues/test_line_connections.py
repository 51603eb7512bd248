"""Which connection a request takes: kept, bounded, and never one that may have gone bad."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.venues.binance import line as line_module
from holdfast.venues.binance.line import Line, UnansweredError
from holdfast.venues.binance.wire import Reply
from tests.support.raw_server import Conversation, raw_server
from tests.support.waiting import PATIENCE_S, until


async def ask(line: Line, path: str = "/x", **options: Any) -> Reply:
    return await line.ask("DELETE", path, **{"timeout_s": PATIENCE_S, "max_bytes": 100, **options})


async def failure(line: Line, path: str = "/x", **options: Any) -> UnansweredError:
    with pytest.raises(UnansweredError) as caught:
        await ask(line, path, **options)
    return caught.value


async def echo(conversation: Conversation) -> None:
    while line := await conversation.request():
        await conversation.reply(line.split()[1].encode())


async def echo_slowly(conversation: Conversation) -> None:
    while line := await conversation.request():
        await asyncio.sleep(0.1)
        await conversation.reply(line.split()[1].encode())


async def silent(conversation: Conversation) -> None:
    while await conversation.request():
        pass


def test_requests_at_the_same_time_have_a_connection_each_which_are_kept() -> None:
    async def scenario() -> None:
        async with raw_server(echo_slowly) as heard:
            line = Line(heard.url)
            for _ in range(2):
                paths = [f"/{number}" for number in range(5)]
                replies = await asyncio.gather(*(ask(line, path) for path in paths))
                assert [reply.body.decode() for reply in replies] == paths
            await line.close()
            assert heard.connections == 5

    asyncio.run(scenario())


def test_of_more_requests_than_connections_the_last_ones_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "MOST_CONNECTIONS", 2)

    async def scenario() -> None:
        async with raw_server(echo_slowly) as heard:
            line = Line(heard.url)
            paths = [f"/{number}" for number in range(5)]
            replies = await asyncio.gather(*(ask(line, path) for path in paths))
            await line.close()
            assert [reply.body.decode() for reply in replies] == paths
            assert heard.connections == 2

    asyncio.run(scenario())


def test_whoever_waits_too_long_for_a_connection_has_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "MOST_CONNECTIONS", 1)

    async def scenario() -> None:
        second_has_ended = asyncio.Event()

        async def hangs_up_late(conversation: Conversation) -> None:
            await conversation.request()
            await second_has_ended.wait()

        async with raw_server(hangs_up_late) as heard:
            line = Line(heard.url)
            first = asyncio.create_task(failure(line, "/first"))
            await until(lambda: bool(heard.requests), "the first request")
            second = await failure(line, "/second", connect_timeout_s=0.2)
            assert (second.sent, second.kind) == (False, "TimeoutError")
            second_has_ended.set()
            assert (await first).sent
            # What the two held is free again.
            assert (await failure(line, "/third")).sent
            await line.close()
            assert [request.split()[1] for request in heard.requests] == ["/first", "/third"]

    asyncio.run(scenario())


def test_after_a_request_without_an_answer_no_connection_is_used_that_rested_meanwhile() -> None:
    """What made one of them go dead without a word, such as a cut, was the same for all of them."""

    async def scenario() -> None:
        are_dead = False
        came: list[str] = []
        all_came = asyncio.Event()

        async def goes_dead(conversation: Conversation) -> None:
            is_old = not are_dead
            while line := await conversation.request():
                if are_dead and is_old:
                    continue
                came.append(line)
                if len(came) == 3:
                    all_came.set()
                await all_came.wait()
                await conversation.reply(line.split()[1].encode())

        async with raw_server(goes_dead) as heard:
            line = Line(heard.url)
            await asyncio.gather(*(ask(line) for _ in range(3)))
            are_dead = True
            assert (await failure(line, timeout_s=0.2)).kind == "TimeoutError"
            assert (await ask(line, "/anew")).body == b"/anew"
            assert (await ask(line, "/again")).body == b"/again"
            assert heard.connections == 4
            await line.close()

    asyncio.run(scenario())


def test_a_connection_that_was_answered_meanwhile_is_kept_after_a_request_without_an_answer() -> (
    None
):
    async def scenario() -> None:
        async def answers_all_but_one(conversation: Conversation) -> None:
            while line := await conversation.request():
                if line.split()[1] != "/slow":
                    await conversation.reply(b"")

        async with raw_server(answers_all_but_one) as heard:
            line = Line(heard.url)
            slow = asyncio.create_task(failure(line, "/slow", timeout_s=0.3))
            await until(lambda: bool(heard.requests), "the slow request")
            await ask(line)
            assert (await slow).kind == "TimeoutError"
            await ask(line)
            assert heard.connections == 2
            await line.close()

    asyncio.run(scenario())


def test_a_connection_idle_for_too_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(keepalive_s: float) -> int:
        monkeypatch.setattr(line_module, "KEEPALIVE_S", keepalive_s)
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            await asyncio.gather(ask(line), ask(line))
            await asyncio.sleep(0.1)
            await asyncio.gather(ask(line), ask(line))
            await line.close()
            return heard.connections

    assert asyncio.run(scenario(10 * PATIENCE_S)) == 2
    assert asyncio.run(scenario(0.05)) == 4


def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    async def one_each(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.reply(b"{}")

    async def scenario() -> None:
        async with raw_server(one_each) as heard:
            line = Line(heard.url)
            for _ in range(3):
                assert (await ask(line)).status == 200
                await asyncio.sleep(0.05)
            await line.close()
            assert len(heard.requests) == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("stray", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray", b"\r\n"])
def test_a_connection_that_speaks_unasked_is_replaced(stray: bytes) -> None:
    async def speaks_unasked(conversation: Conversation) -> None:
        while line := await conversation.request():
            await conversation.reply(line.split()[1].encode())
            await asyncio.sleep(0.02)
            await conversation.say(stray)

    async def scenario() -> None:
        async with raw_server(speaks_unasked) as heard:
            line = Line(heard.url)
            for number in range(3):
                assert (await ask(line, f"/{number}")).body == b"/%d" % number
                await asyncio.sleep(0.06)
            await line.close()
            assert heard.connections == 3

    asyncio.run(scenario())


def _end(connection: socket.socket) -> None:
    connection.close()


def _say(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 14\r\n\r\n{"code":-1100}')


@pytest.mark.parametrize("meanwhile", [_end, _say])
def test_what_happens_to_a_connection_while_our_loop_is_busy_is_seen_before_it_is_used(
    meanwhile: Callable[[socket.socket], None],
) -> None:
    """The loop has had no turn to hear of it: an order would be in doubt, or refused by a stray."""
    accepted: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            accepted.append(connection)
            while not connection.recv(65_536).endswith(b"\r\n\r\n"):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % len(accepted))

    async def scenario(port: int) -> None:
        line = Line(f"http://127.0.0.1:{port}")
        assert (await ask(line)).body == b"1"
        meanwhile(accepted[0])
        time.sleep(0.05)  # the loop stands still, and the bytes arrive all the same
        assert (await ask(line)).body == b"2"
        await line.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            asyncio.run(scenario(listener.getsockname()[1]))
        finally:
            server.join()
            for connection in accepted:
                connection.close()


def test_a_late_reply_is_never_taken_for_the_next_requests() -> None:
    async def late_at_first(conversation: Conversation) -> None:
        while line := await conversation.request():
            await asyncio.sleep(0.3 if "/first" in line else 0)
            await conversation.reply(line.split()[1].encode())

    async def scenario() -> None:
        async with raw_server(late_at_first) as heard:
            line = Line(heard.url)
            await ask(line, "/warm")  # a connection: no slow handshake can use up the time
            assert (await failure(line, "/first", timeout_s=0.1)).sent
            await asyncio.sleep(0.3)
            reply = await ask(line, "/second")
            await line.close()
            assert reply.body == b"/second"

    asyncio.run(scenario())


def test_a_reply_before_the_request_was_out_is_one_and_ends_its_connection() -> None:
    async def refuses_at_once(conversation: Conversation) -> None:
        await conversation.reply(b"too much", "414 URI Too Long")
        await asyncio.sleep(10 * PATIENCE_S)

    async def scenario() -> None:
        async with raw_server(refuses_at_once) as heard:
            line = Line(heard.url)
            for _ in range(2):
                reply = await ask(line, "/" + "x" * 20_000_000)
                assert (reply.status, reply.body) == (414, b"too much")
            await line.close()
            assert (heard.connections, heard.requests) == (2, [])

    asyncio.run(scenario())


def test_cancelling_after_the_first_byte_cancels_the_caller_and_closes_the_connection() -> None:
    async def scenario() -> None:
        async with raw_server(silent) as heard:
            line = Line(heard.url)
            left: list[int] = []
            asking = asyncio.create_task(ask(line, on_first_byte=lambda: left.append(1)))
            await until(lambda: bool(heard.requests), "the request")
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await until(lambda: heard.hung_up > 0, "the end of the connection")
            await line.close()
            assert (left, heard.connections) == ([1], 1)

    asyncio.run(scenario())


def test_a_reply_is_heard_when_it_arrives_even_if_its_caller_gives_up_in_that_moment() -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            told: list[Reply] = []

            def arrives(reply: Reply) -> None:
                told.append(reply)
                asking.cancel()

            asking = asyncio.create_task(ask(line, "/y", on_reply=arrives))
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert [reply.body for reply in told] == [b"/y"]
            told.clear()
            assert (await ask(line, "/z", on_reply=told.append)).body == b"/z"
            await line.close()
            assert [reply.body for reply in told] == [b"/z"], "once, by whoever asked for it"

    asyncio.run(scenario())


def test_cancelling_while_connecting_sends_nothing_and_holds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "MOST_CONNECTIONS", 1)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def slowly(*args: Any, **options: Any) -> Any:
            await asyncio.sleep(0.2)
            return await connect(*args, **options)

        monkeypatch.setattr(loop, "create_connection", slowly)
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            left: list[int] = []
            asking = asyncio.create_task(ask(line, on_first_byte=lambda: left.append(1)))
            await asyncio.sleep(0.05)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert left == []
            assert (await ask(line)).status == 200  # the only slot there is was given back
            await line.close()
            assert len(heard.requests) == 1

    asyncio.run(scenario())


def test_closing_ends_what_is_under_way_and_nothing_is_sent_afterwards() -> None:
    async def scenario() -> None:
        async with raw_server(silent) as heard:
            line = Line(heard.url)
            asking = asyncio.create_task(failure(line))
            await until(lambda: bool(heard.requests), "the request")
            await line.close()
            assert (await asking).sent
            await line.close()
            assert not (await failure(line)).sent
            assert heard.connections == 1

    asyncio.run(scenario())


def test_closing_while_connecting_sends_nothing() -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            asking = asyncio.create_task(failure(line))
            await asyncio.sleep(0)
            await line.close()
            assert not (await asking).sent
            await asyncio.sleep(0.05)
            assert heard.requests == []

    asyncio.run(scenario())


def test_small_packets_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection
        opened: list[asyncio.Transport] = []

        async def watched(*args: Any, **options: Any) -> Any:
            transport, protocol = await connect(*args, **options)
            opened.append(transport)
            return transport, protocol

        monkeypatch.setattr(loop, "create_connection", watched)
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            await ask(line)
            raw = opened[0].get_extra_info("socket")
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            await line.close()

    asyncio.run(scenario())
