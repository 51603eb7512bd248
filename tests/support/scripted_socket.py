"""A WebSocket server on loopback that says to each connection exactly what a test tells it.

Not here: any idea of an exchange; for that there is the local exchange.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

Talk = Callable[[web.WebSocketResponse, int], Awaitable[None]]


class Listening:
    """The server, and what it saw.

    Attributes:
        url: its WebSocket address.
        connections: how many were opened.
    """

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0


@asynccontextmanager
async def scripted_socket(
    talk: Talk, refusal: Callable[[], web.Response] | None = None
) -> AsyncIterator[Listening]:
    """Serve `talk(socket, number of the connection, from 1)`; it closes when the talk returns.

    Args:
        refusal: what each handshake is answered with instead.
    """
    seen = Listening()

    async def handle(request: web.Request) -> web.StreamResponse:
        if refusal is not None:
            return refusal()
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        seen.connections += 1
        await talk(socket, seen.connections)
        return socket

    app = web.Application()
    app.router.add_get("/socket", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    seen.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/socket"
    try:
        yield seen
    finally:
        await runner.cleanup()


async def until_closed(socket: web.WebSocketResponse) -> None:
    """Answer pings and keep silent until the client goes."""
    while (message := await socket.receive()).type is not WSMsgType.CLOSE:
        if message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type in {WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR}:
            return
