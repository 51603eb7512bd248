"""A long way to a server nearby: a TCP relay that delays every byte in both directions.

Order and content are kept and nothing is lost; bandwidth is not limited. Not here: faults
(`raw_server`, the local exchange's own).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CHUNK = 65_536
Heard = Callable[[bytes], None]


def _ignore(_: bytes) -> None:
    """Nobody listens."""


@asynccontextmanager
async def far_away(url: str, rtt_s: float, heard: Heard = _ignore) -> AsyncIterator[str]:
    """The address at which the server of `url` seems to be `rtt_s` away.

    A new connection pays its own round trip first, as a handshake over the distance does.

    Args:
        heard: told what the clients sent, in pieces, when it reaches the server.
    """
    there = urlsplit(url)
    assert there.hostname is not None, url
    assert there.port is not None, url
    relay = _Relay(there.hostname, there.port, rtt_s, heard)
    server = await asyncio.start_server(relay.connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{there.scheme}://127.0.0.1:{port}"
    finally:
        server.close()
        await relay.close()


class _Relay:
    def __init__(self, host: str, port: int, rtt_s: float, heard: Heard) -> None:
        self._host = host
        self._port = port
        self._rtt_s = rtt_s
        self._heard = heard
        self._open: set[asyncio.Task[None]] = set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one client's connection until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await asyncio.sleep(self._rtt_s)
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer, self._heard))
                both.create_task(self._carry(far_reader, writer, _ignore))
        except (OSError, asyncio.CancelledError):
            pass  # whoever is left finds the connection closed, as over any distance
        finally:
            self._open.discard(task)
            writer.close()

    async def close(self) -> None:
        """End all connections."""
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, heard: Heard
    ) -> None:
        """One direction: each piece goes on half a round trip after it came, in order."""
        loop = asyncio.get_running_loop()
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due_s, piece = await on_the_way.get()
                await asyncio.sleep(due_s - loop.time())
                if not piece:
                    sink.close()
                    return
                heard(piece)
                sink.write(piece)
                await sink.drain()

        async with asyncio.TaskGroup() as group:
            group.create_task(arrive())
            while piece := await source.read(CHUNK):
                on_the_way.put_nowait((loop.time() + self._rtt_s / 2, piece))
            on_the_way.put_nowait((loop.time() + self._rtt_s / 2, b""))
