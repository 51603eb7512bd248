"""One request, sent once: when its first byte leaves, and what is known when no reply comes."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from holdfast.venues.binance.line import Line, Reply, UnansweredError
from tests.support.raw_server import Conversation, Talk, raw_server, unused_port


class Caller:
    """Asks over a line and keeps what the hook saw."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.left = 0

    async def ask(
        self,
        method: str = "POST",
        *,
        timeout_s: float = 5,
        connect_timeout_s: float = 5,
        max_bytes: int = 100,
    ) -> Reply:
        return await self.line.ask(
            method,
            "/api/v3/order?a=1",
            timeout_s=timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_bytes=max_bytes,
            on_first_byte=self._leaves,
        )

    async def failure(
        self, method: str = "POST", *, timeout_s: float = 5, connect_timeout_s: float = 5
    ) -> UnansweredError:
        with pytest.raises(UnansweredError) as caught:
            await self.ask(method, timeout_s=timeout_s, connect_timeout_s=connect_timeout_s)
        await self.line.close()
        return caught.value

    def _leaves(self) -> None:
        self.left += 1


async def echo(conversation: Conversation) -> None:
    while await conversation.request():
        await conversation.reply(b"{}")


async def silent(conversation: Conversation) -> None:
    await conversation.request()
    await asyncio.sleep(30)


class Resolver(AbstractResolver):
    """Names that do not resolve, at once or never."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.sleep(self._delay_s)
        raise OSError(None, "no such name")

    async def close(self) -> None:
        pass


def test_the_hook_runs_before_the_server_has_heard_anything() -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            requests_at_hook: list[int] = []
            for _ in range(2):  # a new connection, then the kept one
                await line.ask(
                    "POST",
                    "/x",
                    timeout_s=2,
                    max_bytes=10,
                    on_first_byte=lambda: requests_at_hook.append(len(heard.requests)),
                )
            await line.close()
            assert requests_at_hook == [0, 1]
            assert heard.connections == 1

    asyncio.run(scenario())


def test_the_path_and_query_go_out_as_they_were_signed() -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            await line.ask("GET", "/x?b=%2F&a=%7E&c=+", timeout_s=2, max_bytes=10)
            await line.close()
            assert heard.requests == ["GET /x?b=%2F&a=%7E&c=+ HTTP/1.1"]

    asyncio.run(scenario())


def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    async def scenario() -> None:
        caller = Caller(Line(f"http://127.0.0.1:{unused_port()}"))
        failure = await caller.failure()
        assert (failure.sent, caller.left) == (False, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("delay_s", [0, 30], ids=["fails", "hangs"])
def test_a_name_that_does_not_resolve_proves_that_nothing_was_sent(delay_s: float) -> None:
    async def scenario() -> None:
        line = Line(
            "http://exchange.invalid",
            connector=lambda: aiohttp.TCPConnector(resolver=Resolver(delay_s)),
        )
        caller = Caller(line)
        failure = await caller.failure(connect_timeout_s=0.2)
        assert (failure.sent, caller.left) == (False, 0)

    asyncio.run(scenario())


def test_a_failed_tls_handshake_proves_that_nothing_was_sent() -> None:
    async def no_tls(conversation: Conversation) -> None:
        await conversation.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def scenario() -> None:
        async with raw_server(no_tls) as heard:
            caller = Caller(Line(f"https://127.0.0.1:{heard.port}"))
            failure = await caller.failure()
            assert (failure.sent, caller.left) == (False, 0)
            assert heard.connections == 1

    asyncio.run(scenario())


async def reset_at_once(conversation: Conversation) -> None:
    conversation.reset()


async def reset_after_the_request(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


async def close_after_the_request(conversation: Conversation) -> None:
    await conversation.request()


async def half_a_body(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"orderId"')


async def no_http(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"\x00\x01 not http at all\r\n\r\n")


async def too_long(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.reply(b"x" * 101)


@pytest.mark.parametrize(
    "talk",
    [
        reset_at_once,
        reset_after_the_request,
        close_after_the_request,
        half_a_body,
        no_http,
        too_long,
        silent,
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_once_connected_every_failure_leaves_the_outcome_open(talk: Talk, method: str) -> None:
    async def scenario() -> None:
        async with raw_server(talk) as heard:
            caller = Caller(Line(heard.url))
            failure = await caller.failure(method, timeout_s=0.5 if talk is silent else 5)
            assert (failure.sent, caller.left) == (True, 1)
            assert heard.connections == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_kept_connection_that_breaks_under_a_request_is_not_tried_again(method: str) -> None:
    """Left alone, aiohttp repeats a DELETE here: the cancel would be executed, then denied."""

    async def hang_up_on_the_second(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.reply(b"{}")
        await conversation.request()

    async def scenario() -> None:
        async with raw_server(hang_up_on_the_second) as heard:
            caller = Caller(Line(heard.url))
            await caller.ask(method)
            failure = await caller.failure(method)
            assert failure.sent
            assert len(heard.requests) == 2
            assert heard.connections == 1

    asyncio.run(scenario())


def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    async def one_each(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.reply(b"{}")

    async def scenario() -> None:
        async with raw_server(one_each) as heard:
            caller = Caller(Line(heard.url))
            for _ in range(3):
                assert (await caller.ask("DELETE")).status == 200
                await asyncio.sleep(0.05)
            await caller.line.close()
            assert (len(heard.requests), caller.left) == (3, 3)

    asyncio.run(scenario())


def test_a_late_reply_is_never_taken_for_the_next_requests() -> None:
    async def late_at_first(conversation: Conversation) -> None:
        while line := await conversation.request():
            await asyncio.sleep(0.3 if "/first" in line else 0)
            await conversation.reply(line.split()[1].encode())

    async def scenario() -> None:
        async with raw_server(late_at_first) as heard:
            line = Line(heard.url)
            with pytest.raises(UnansweredError):
                await line.ask("POST", "/first", timeout_s=0.1, max_bytes=99)
            await asyncio.sleep(0.3)
            reply = await line.ask("POST", "/second", timeout_s=2, max_bytes=99)
            await line.close()
            assert reply.body == b"/second"

    asyncio.run(scenario())


def test_a_redirect_is_a_reply_and_not_followed() -> None:
    async def elsewhere(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.reply(b"", "307 Temporary Redirect", "Location: /elsewhere\r\n")

    async def scenario() -> None:
        async with raw_server(elsewhere) as heard:
            caller = Caller(Line(heard.url))
            assert (await caller.ask()).status == 307
            await caller.line.close()
            assert len(heard.requests) == 1

    asyncio.run(scenario())


def test_a_hook_that_fails_keeps_the_request_from_leaving_but_counts_as_sent() -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)

            def broken() -> None:
                raise ValueError("a mistake")

            with pytest.raises(UnansweredError) as caught:
                await line.ask("POST", "/", timeout_s=1, max_bytes=9, on_first_byte=broken)
            await line.close()
            assert caught.value.sent
            assert heard.requests == []

    asyncio.run(scenario())


def test_cancelling_after_the_first_byte_cancels_the_caller_and_closes_the_connection() -> None:
    async def scenario() -> None:
        async with raw_server(silent) as heard:
            caller = Caller(Line(heard.url))
            asking = asyncio.create_task(caller.ask())
            while not heard.requests:
                await asyncio.sleep(0.005)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await caller.line.close()
            assert caller.left == 1

    asyncio.run(scenario())
