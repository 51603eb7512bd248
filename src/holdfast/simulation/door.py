"""The simulated exchange's door for requests, without a web server around each of them.

Half of what a request cost the exchange was aiohttp's server, which no node runs. Streams and the
WebSocket API go through that server, as everything does outside of simulations. Not here: what a
request means (`exchange.rest`), and which faults strike its reply (`exchange.gateway`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from httptools import HttpRequestParser

from holdfast.exchange.gateway import Gateway
from holdfast.exchange.rest import call_of, wait_in_silence
from holdfast.exchange.traffic import Call, Manner, Reply

_REQUESTS = b"/api/"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Door(asyncio.Protocol):
    """One connection, which brings one request at a time.

    Args:
        other: makes the protocol of a connection that brings anything else.
    """

    def __init__(self, gateway: Gateway, other: Callable[[], asyncio.Protocol]) -> None:
        self._gateway = gateway
        self._other = other
        self._parser: HttpRequestParser | None = None
        self._answering: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._target, self._body, self._api_key = b"", b"", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For the loop: it is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """For the loop: bytes came; the first ones tell which door they want."""
        if self._parser is None:
            if not data.partition(b" ")[2].startswith(_REQUESTS):
                other = self._other()
                self._transport.set_protocol(other)
                other.connection_made(self._transport)
                other.data_received(data)
                return
            self._parser = HttpRequestParser(self)
        self._parser.feed_data(data)

    def on_url(self, part: bytes) -> None:
        """For the parser: path and query."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """For the parser: one header."""
        if name == b"X-MBX-APIKEY":
            self._api_key = value.decode()

    def on_body(self, part: bytes) -> None:
        """For the parser: some of a form."""
        self._body += part

    def on_message_complete(self) -> None:
        """For the parser: a request is whole."""
        if self._parser is None or not (self._answering is None or self._answering.done()):
            raise RuntimeError("a request came before the one before it was answered")
        path, _, query = self._target.decode().partition("?")
        call = call_of(
            self._parser.get_method().decode(), path, query, self._body.decode(),
            api_key=self._api_key, address=self._transport.get_extra_info("peername")[0],
        )
        self._begin()
        self._answering = asyncio.get_running_loop().create_task(self._answer(call))

    async def _answer(self, call: Call) -> None:
        """Send a reply whole, in part, late or not at all."""
        delivery, transport = await self._gateway.handle(call), self._transport
        reply = delivery.reply
        if delivery.manner is Manner.HANG:
            await wait_in_silence(transport, delivery.hang_ms)
            transport.close()
        elif reply is None:
            transport.abort()
        elif delivery.manner is Manner.TRUNCATE:
            transport.write(_head(reply))
            transport.write(reply.body[: len(reply.body) // 2])
            transport.close()
        else:
            transport.write(_head(reply) + reply.body)


def _head(reply: Reply) -> bytes:
    """What goes before the body, and promises all of it."""
    head = [
        f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, '')}",
        *(f"{name}: {value}" for name, value in reply.headers.items()),
        f"Content-Type: {reply.content_type};charset=UTF-8",
        f"Content-Length: {len(reply.body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode()
