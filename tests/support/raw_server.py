"""A TCP server on loopback that does to each request exactly what a test tells it.

Not here: any idea of an exchange; for that there is the local exchange.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Heard:
    """What the server heard.

    Attributes:
        connections: how many were accepted.
        requests: each request's first line, in order of arrival.
    """

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens, as plain HTTP."""
        return f"http://127.0.0.1:{self.port}"


class Conversation:
    """One accepted connection."""

    def __init__(
        self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._heard = heard
        self._reader = reader
        self._writer = writer

    async def request(self) -> str:
        """The first line of the next request (without a body), empty at the end."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return ""
        line = head.split(b"\r\n", 1)[0].decode()
        self._heard.requests.append(line)
        return line

    async def say(self, raw: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(raw)
        await self._writer.drain()

    async def reply(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        """Send a whole reply; `headers` are complete lines."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.say(head.encode() + body)

    def reset(self) -> None:
        """Tear the connection down with RST."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Talk = Callable[[Conversation], Awaitable[None]]


@asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[Heard]:
    """Serve `talk` on a free port; a connection is closed when its talk returns."""
    heard = Heard()
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        writers.append(writer)
        try:
            await talk(Conversation(heard, reader, writer))
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    heard.port = server.sockets[0].getsockname()[1]
    try:
        yield heard
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def unused_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
