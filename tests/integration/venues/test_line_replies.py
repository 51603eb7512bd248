"""Replies as bytes: which are whole, which are none, and which connection carries another request.

Each reply comes over a real socket, in one piece and byte by byte. The server hangs up behind it.
"""

from __future__ import annotations

import asyncio

import pytest

from holdfast.venues.binance.line import Line, UnansweredError
from holdfast.venues.binance.wire import Reply
from tests.support.raw_server import Conversation, Heard, raw_server
from tests.support.waiting import PATIENCE_S

MOST_BYTES = 100
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = 1_000_000  # more than any bound on a head or on framing

WHOLE: dict[str, tuple[bytes, int, bytes]] = {
    "a length": (OK + b"Content-Length: 2\r\n\r\n{}", 200, b"{}"),
    "a length of nothing": (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
    "the longest body": (OK + b"Content-Length: 100\r\n\r\n" + b"x" * 100, 200, b"x" * 100),
    "names in any case": (OK + b"cOnTeNt-lEnGtH:2\r\n\r\n{}", 200, b"{}"),
    "no reason": (b"HTTP/1.1 400\r\nContent-Length: 2\r\n\r\n{}", 400, b"{}"),
    "chunks": (CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 200, b"{}"),
    "chunks with extensions": (CHUNKED + b"2;a=b\r\n{}\r\n0;c\r\n\r\n", 200, b"{}"),
    "chunks with trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n\r\n", 200, b"{}"),
    "a hundred chunks": (CHUNKED + b"1\r\nx\r\n" * 100 + b"0\r\n\r\n", 200, b"x" * 100),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, b""),
    "an error": (b"HTTP/1.1 502 Bad\r\nContent-Length: 5\r\n\r\n<html", 502, b"<html"),
    "an unheard-of status": (b"HTTP/1.1 799 ?\r\nContent-Length: 0\r\n\r\n", 799, b""),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}"),
    "until the end": (b"HTTP/1.0 200 OK\r\n\r\n{}", 200, b"{}"),
    "until the end, HTTP/1.1": (OK + b"\r\n{}", 200, b"{}"),
    "continue first": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
                       200, b"{}"),
    "hints first": (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nA: b\r\n\r\n" * 9
                    + OK + b"Content-Length: 2\r\n\r\n{}", 200, b"{}"),
    "an encoding nobody asked for": (OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
                                     200, b"{}"),
    "more behind it": (OK + b"Content-Length: 2\r\n\r\n{}garbage", 200, b"{}"),
    "another behind it": ((OK + b"Content-Length: 2\r\n\r\n{}") * 2, 200, b"{}"),
    "more behind the last": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}{}",
                             200, b"{}"),
}  # fmt: skip

NONE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "HungUpError"),
    "half a status": (b"HTTP/1.1 20", "HungUpError"),
    "half a head": (OK + b"Content-Length: 2\r\n", "HungUpError"),
    "half a body": (OK + b"Content-Length: 3\r\n\r\n{}", "HungUpError"),
    "half a chunk": (CHUNKED + b"3\r\n{}", "HungUpError"),
    "no last chunk": (CHUNKED + b"2\r\n{}\r\n", "HungUpError"),
    "half the trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n", "HungUpError"),
    "only an interim reply": (b"HTTP/1.1 100 Continue\r\n\r\n", "HungUpError"),
    "an encoding without an end": (OK + b"Transfer-Encoding: gzip\r\n\r\n{}", "HungUpError"),
    "not HTTP": (b"\x00\x01 not http at all\r\n\r\n", "GarbledReplyError"),
    "TLS": (b"\x15\x03\x03\x00\x02\x02\x28", "GarbledReplyError"),
    "a request": (b"POST /x HTTP/1.1\r\n\r\n", "GarbledReplyError"),
    "another protocol": (b"SSH-2.0-OpenSSH\r\n", "GarbledReplyError"),
    "a status of letters": (b"HTTP/1.1 OK\r\n\r\n", "GarbledReplyError"),
    "a status too small": (b"HTTP/1.1 099 ?\r\nContent-Length: 0\r\n\r\n", "GarbledReplyError"),
    "another protocol from here": (
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "GarbledReplyError"
    ),
    "another protocol, unnamed": (b"HTTP/1.1 101 Switching\r\n\r\n", "GarbledReplyError"),
    "a length of letters": (OK + b"Content-Length: two\r\n\r\n{}", "GarbledReplyError"),
    "a negative length": (OK + b"Content-Length: -2\r\n\r\n{}", "GarbledReplyError"),
    "a length beyond numbers": (
        OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}", "GarbledReplyError"
    ),
    "two lengths": (
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}", "GarbledReplyError"
    ),
    "a length and chunks": (
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "GarbledReplyError",
    ),
    "a chunk of letters": (CHUNKED + b"two\r\n{}\r\n0\r\n\r\n", "GarbledReplyError"),
    "a chunk longer than it says": (CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", "GarbledReplyError"),
    "a null in a header": (OK + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}", "GarbledReplyError"),
    "a header without a colon": (OK + b"X\r\nContent-Length: 2\r\n\r\n{}", "GarbledReplyError"),
    "a space before the colon": (OK + b"Content-Length : 2\r\n\r\n{}", "GarbledReplyError"),
    "too long": (OK + b"Content-Length: 101\r\n\r\n" + b"x" * 101, "OversizedError"),
    "too long in chunks": (CHUNKED + b"33\r\n" + b"x" * 51 + b"\r\n33\r\n" + b"x" * 51,
                           "OversizedError"),
    "too long until the end": (OK + b"\r\n" + b"x" * 101, "OversizedError"),
    "too long and garbled": (CHUNKED + b"65\r\n" + b"x" * 101 + b"garbage", "OversizedError"),
}  # fmt: skip

WITHOUT_END: dict[str, tuple[bytes, bytes]] = {
    "a reason": (b"HTTP/1.1 200 ", b"O" * ENDLESS),
    "a header's name": (OK, b"x" * ENDLESS),
    "a header's value": (OK + b"X: ", b"y" * ENDLESS),
    "headers": (OK, b"X: y\r\n" * (ENDLESS // 6)),
    "empty lines": (b"", b"\r\n" * (ENDLESS // 2)),
    "interim replies": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * (ENDLESS // 25)),
    "an extension": (CHUNKED + b"2;", b"a" * ENDLESS),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * (ENDLESS // 6)),
    "a trailer": (CHUNKED + b"2\r\n{}\r\n0\r\nX: ", b"y" * ENDLESS),
}


async def answer(raw: bytes, piece: int) -> tuple[Reply | UnansweredError, Heard]:
    """What a request comes to, when the server says `raw` in pieces of this size, and hangs up."""

    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        try:
            for first in range(0, len(raw), piece):
                await conversation.say(raw[first : first + piece])
                await asyncio.sleep(0)
        except ConnectionError:
            pass  # the client has heard enough

    async with raw_server(talk) as heard:
        line = Line(heard.url)
        try:
            return await line.ask("POST", "/x", timeout_s=PATIENCE_S, max_bytes=MOST_BYTES), heard
        except UnansweredError as error:
            return error, heard
        finally:
            await line.close()


@pytest.mark.parametrize("piece", [1, 7, ENDLESS])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_reply_is_a_reply(name: str, piece: int) -> None:
    raw, status, body = WHOLE[name]
    reply, heard = asyncio.run(answer(raw, piece))
    assert isinstance(reply, Reply), reply
    assert (reply.status, reply.body) == (status, body)
    assert len(heard.requests) == 1


@pytest.mark.parametrize("piece", [1, 7, ENDLESS])
@pytest.mark.parametrize("name", NONE)
def test_what_is_no_whole_reply_leaves_the_outcome_open(name: str, piece: int) -> None:
    raw, kind = NONE[name]
    error, heard = asyncio.run(answer(raw, piece))
    assert isinstance(error, UnansweredError), error
    assert (error.sent, error.kind) == (True, kind), error
    assert len(heard.requests) == heard.connections == 1


@pytest.mark.parametrize("piece", [1_000, ENDLESS])
@pytest.mark.parametrize("name", WITHOUT_END)
def test_what_never_ends_is_not_read_for_ever(name: str, piece: int) -> None:
    begin, more = WITHOUT_END[name]
    error, _ = asyncio.run(answer(begin + more, piece))
    assert isinstance(error, UnansweredError), error
    assert (error.sent, error.kind) == (True, "OversizedError"), error


def test_headers_are_found_by_lower_case_names_and_the_first_of_two_counts() -> None:
    raw = OK + b"X-MBX-Used: 7\r\nX-Mbx-uSED: 8\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    reply, _ = asyncio.run(answer(raw, ENDLESS))
    assert isinstance(reply, Reply), reply
    assert reply.headers == {"x-mbx-used": "7", "empty": "", "content-length": "0"}


def test_neither_interim_headers_nor_trailers_are_the_replys() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 1\r\n\r\n"
    trailers = b"2\r\n{}\r\n0\r\nRetry-After: 2\r\n\r\n"
    reply, _ = asyncio.run(answer(interim + CHUNKED + trailers, ENDLESS))
    assert isinstance(reply, Reply), reply
    assert reply.headers == {"transfer-encoding": "chunked"}


KEPT = {
    "a length": OK + b"Content-Length: 2\r\n\r\n{}",
    "chunks": CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an error": b"HTTP/1.1 500 Broken\r\nContent-Length: 2\r\n\r\n{}",
    "interim first": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
}
SPOILT = {
    "close": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "garbage behind it": OK + b"Content-Length: 2\r\n\r\n{}garbage",
    "half another behind it": OK + b"Content-Length: 2\r\n\r\n{}HT",
    "another behind it": (OK + b"Content-Length: 2\r\n\r\n{}") * 2,
}


@pytest.mark.parametrize("name", [*KEPT, *SPOILT])
def test_a_connection_carries_another_request_only_behind_a_clean_reply(name: str) -> None:
    async def talk(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.say((KEPT | SPOILT)[name])

    async def scenario() -> int:
        async with raw_server(talk) as heard:
            line = Line(heard.url)
            for _ in range(3):
                reply = await line.ask("POST", "/x", timeout_s=PATIENCE_S, max_bytes=MOST_BYTES)
                assert reply.body in {b"{}", b""}
            await line.close()
            return heard.connections

    assert asyncio.run(scenario()) == (1 if name in KEPT else 3)
