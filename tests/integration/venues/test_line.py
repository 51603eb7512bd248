"""One request, sent once: when its first byte leaves, and what is known when no reply comes."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.venues.binance.line import Line, UnansweredError
from holdfast.venues.binance.wire import Reply
from tests.support.ports import refusing_port
from tests.support.raw_server import Certified, Conversation, Talk, raw_server
from tests.support.waiting import PATIENCE_S, until


class Caller:
    """Asks over a line and keeps what the hook saw."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.left = 0

    async def ask(
        self,
        method: str = "POST",
        *,
        timeout_s: float = PATIENCE_S,
        connect_timeout_s: float = PATIENCE_S,
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
        self,
        method: str = "POST",
        *,
        timeout_s: float = PATIENCE_S,
        connect_timeout_s: float = PATIENCE_S,
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
    await asyncio.sleep(10 * PATIENCE_S)


def test_the_hook_runs_before_the_server_has_heard_anything() -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            requests_at_hook: list[int] = []
            for _ in range(2):  # a new connection, then the kept one
                await line.ask(
                    "POST",
                    "/x",
                    timeout_s=PATIENCE_S,
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
            await line.ask("GET", "/x?b=%2F&a=%7E&c=+", timeout_s=PATIENCE_S, max_bytes=10)
            await line.close()
            assert heard.requests == ["GET /x?b=%2F&a=%7E&c=+ HTTP/1.1"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "length"),
    [("GET", b""), ("POST", b"Content-Length: 0\r\n"), ("DELETE", b"Content-Length: 0\r\n")],
)
def test_a_request_is_these_bytes_and_no_others(method: str, length: bytes) -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            caller = Caller(Line(heard.url, api_key="the-key"))
            await caller.ask(method)
            await caller.line.close()
            assert heard.heads == [
                b"%s /api/v3/order?a=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                b"X-MBX-APIKEY: the-key\r\n%s\r\n" % (method.encode(), heard.port, length)
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "reached", "host", "path"),
    [
        ("http://exchange.test", ("exchange.test", 80), "exchange.test", "/x"),
        ("http://Exchange.TEST:80/", ("exchange.test", 80), "exchange.test", "/x"),
        ("http://exchange.test:8080", ("exchange.test", 8080), "exchange.test:8080", "/x"),
        ("https://exchange.test", ("exchange.test", 443), "exchange.test", "/x"),
        ("https://exchange.test:80", ("exchange.test", 80), "exchange.test:80", "/x"),
        ("http://[::1]:8080", ("::1", 8080), "[::1]:8080", "/x"),
        ("http://börse.test", ("xn--brse-5qa.test", 80), "xn--brse-5qa.test", "/x"),
        ("http://exchange.test/spot/", ("exchange.test", 80), "exchange.test", "/spot/x"),
    ],
)
def test_an_address_is_reached_and_named_as_http_has_it(
    url: str,
    reached: tuple[str, int],
    host: str,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A simulation leads requests where it wants in the same way: by its loop."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection
        asked: list[tuple[str, int]] = []
        encrypted: list[bool] = []
        async with raw_server(echo) as heard:

            async def lead(factory: Any, to: str, port: int, **options: Any) -> Any:
                asked.append((to, port))
                encrypted.append(options["ssl"] is not None)
                return await connect(factory, "127.0.0.1", heard.port)

            monkeypatch.setattr(loop, "create_connection", lead)
            line = Line(url)
            await line.ask("GET", "/x", timeout_s=PATIENCE_S, max_bytes=10)
            await line.close()
            assert (asked, encrypted) == ([reached], [url.startswith("https")])
            assert heard.heads == [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()]

    asyncio.run(scenario())


def test_a_server_on_ipv6_is_asked() -> None:
    async def scenario() -> None:
        async with raw_server(echo, host="::1") as heard:
            caller = Caller(Line(f"http://[::1]:{heard.port}"))
            assert (await caller.ask()).status == 200
            await caller.line.close()

    asyncio.run(scenario())


def test_an_address_that_does_not_answer_does_not_hold_up_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        connect = loop.sock_connect

        async def two_addresses(_host: str, port: int, **_: Any) -> list[Any]:
            family = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*family, (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

        async def connect_to_one(raw: socket.socket, address: Any) -> None:
            hangs = address[0] == "127.0.0.2"
            await (asyncio.sleep(10 * PATIENCE_S) if hangs else connect(raw, address))

        monkeypatch.setattr(loop, "getaddrinfo", two_addresses)
        monkeypatch.setattr(loop, "sock_connect", connect_to_one)
        async with raw_server(echo) as heard:
            caller = Caller(Line(f"http://exchange.test:{heard.port}"))
            assert (await caller.ask(connect_timeout_s=PATIENCE_S)).status == 200
            await caller.line.close()
            assert len(heard.requests) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url",
    [
        "", "exchange.test", "ftp://exchange.test", "http://", "http://exchange.test:port",
        "http://exchange.test:99999", "http://user:secret@exchange.test", "http://exchange.test/?a",
        "http://exchange.test/ x", "http://exchange.test\r\nX: y", "http://[::1", "http://a..b",
    ],
)  # fmt: skip
def test_an_address_that_leads_nowhere_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ConfigError):
        Line(url)


@pytest.mark.parametrize("key", ["a key", "key\r\nHost: evil", "kéy", "key\n"])
def test_a_key_that_is_no_header_is_refused_at_the_start_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Line("http://127.0.0.1", api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("path", ["/x y", "/x\r\nHost: evil", "/x\n", "/é", "/x\x00"])
def test_a_path_that_would_break_the_request_is_not_sent(path: str) -> None:
    async def scenario() -> None:
        async with raw_server(echo) as heard:
            line = Line(heard.url)
            with pytest.raises(UnansweredError) as caught:
                await line.ask("POST", path, timeout_s=PATIENCE_S, max_bytes=9)
            await line.close()
            assert not caught.value.sent
            assert heard.connections == 0

    asyncio.run(scenario())


def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    async def scenario() -> None:
        with refusing_port() as port:
            caller = Caller(Line(f"http://127.0.0.1:{port}"))
            failure = await caller.failure()
        assert (failure.sent, caller.left) == (False, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("delay_s", [0, 30], ids=["fails", "hangs"])
def test_a_name_that_does_not_resolve_proves_that_nothing_was_sent(
    delay_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_such_name(*_: Any, **__: Any) -> list[Any]:
        await asyncio.sleep(delay_s)
        raise OSError(None, "no such name")

    async def scenario() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_name)
        caller = Caller(Line("http://exchange.invalid"))
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


def test_a_handshake_that_never_ends_proves_that_nothing_was_sent() -> None:
    async def says_nothing(_: Conversation) -> None:
        await asyncio.sleep(10 * PATIENCE_S)

    async def scenario() -> None:
        async with raw_server(says_nothing) as heard:
            caller = Caller(Line(f"https://127.0.0.1:{heard.port}"))
            failure = await caller.failure(connect_timeout_s=0.2)
            assert (failure.sent, failure.kind, caller.left) == (False, "TimeoutError", 0)
            await until(lambda: heard.connections == 1, "a connection")

    asyncio.run(scenario())


@pytest.mark.parametrize("certified", ["other.test", "localhost"])
def test_a_certificate_of_another_name_or_authority_proves_that_nothing_was_sent(
    certified: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        server = Certified(certified, tmp_path)
        # The system's authorities know neither; the name is the second reason to refuse.
        tls = server.client if certified == "other.test" else None
        async with raw_server(echo, tls=server.server) as heard:
            caller = Caller(Line(f"https://localhost:{heard.port}", tls=tls))
            failure = await caller.failure()
            assert (failure.sent, caller.left) == (False, 0)
            assert failure.kind == "SSLCertVerificationError"
            assert heard.requests == []

    asyncio.run(scenario())


def test_over_tls_the_hook_runs_after_the_handshake_and_before_the_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Certified("localhost", tmp_path)
        async with raw_server(echo, tls=server.server) as heard:
            line = Line(f"https://localhost:{heard.port}", tls=server.client)
            at_hook: list[tuple[int, int]] = []
            for _ in range(2):
                reply = await line.ask(
                    "POST",
                    "/x",
                    timeout_s=PATIENCE_S,
                    max_bytes=10,
                    on_first_byte=lambda: at_hook.append(
                        (len(server.asked_for), len(heard.requests))
                    ),
                )
                assert reply.body == b"{}"
            await line.close()
            assert at_hook == [(1, 0), (1, 1)]
            assert (server.asked_for, heard.connections) == (["localhost"], 1)

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
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_once_connected_every_failure_leaves_the_outcome_open(talk: Talk, method: str) -> None:
    async def scenario() -> None:
        async with raw_server(talk) as heard:
            caller = Caller(Line(heard.url))
            failure = await caller.failure(method)
            assert (failure.sent, caller.left) == (True, 1)
            assert heard.connections == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_reply_that_never_comes_leaves_the_outcome_open(method: str) -> None:
    """On a connection that is there already, so that no slow handshake can use up the time."""

    async def silent_at_last(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.reply(b"{}")
        await silent(conversation)

    async def scenario() -> None:
        async with raw_server(silent_at_last) as heard:
            caller = Caller(Line(heard.url))
            await caller.ask(method)
            failure = await caller.failure(method, timeout_s=0.3)
            assert (failure.sent, caller.left) == (True, 2)
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
                await line.ask("POST", "/", timeout_s=PATIENCE_S, max_bytes=9, on_first_byte=broken)
            await line.close()
            assert caught.value.sent
            assert heard.requests == []

    asyncio.run(scenario())
