"""One WebSocket connection of a client: a bounded outbox, pings, and how it ends.

A slow reader stalls nobody: it is cut off. Not here: what is said on it (`streams`, `ws_api`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

MOST_WAITING = 20_000
PING_EVERY_S = 20.0
PONG_WITHIN_S = 60.0


class Socket:
    """One connection; `send` never waits.

    Args:
        is_silent: whether pings are held back now, so that the connection looks half-open.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        connection: web.WebSocketResponse,
        is_silent: Callable[[], bool],
    ) -> None:
        self._request = request
        self._connection = connection
        self._is_silent = is_silent
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_s = 0.0

    async def texts(self) -> AsyncIterator[str]:
        """What the client says until the connection ends; pings are answered on the way."""
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        self._tasks = [loop.create_task(self._write()), loop.create_task(self._ping())]
        async for message in self._connection:
            if message.type is WSMsgType.TEXT:
                yield str(message.data)
            elif message.type is WSMsgType.PING:
                await self._connection.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self._heard_s = loop.time()

    def send(self, body: Any) -> None:
        """Queue a JSON document; a client that lets too many wait is cut off."""
        self.send_text(msgspec.json.encode(body).decode())

    def send_text(self, text: str) -> None:
        """Queue a text frame."""
        try:
            self._outbox.put_nowait(text)
        except asyncio.QueueFull:
            self.cut()

    def part(self, farewell: Any) -> None:
        """Say a last thing after all that waits, and close."""
        self.send(farewell)
        try:
            self._outbox.put_nowait(None)
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """Drop the connection at once, without a word."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    async def close(self) -> None:
        """Stop sending."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self) -> None:
        while not self._connection.closed:
            text = await self._outbox.get()
            if text is None:
                transport = self._request.transport
                if transport is not None:
                    transport.close()
                return
            try:
                await self._connection.send_str(text)
            except ConnectionError:
                return

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._connection.closed:
            await asyncio.sleep(PING_EVERY_S)
            if loop.time() - self._heard_s > PONG_WITHIN_S:
                self.cut()
                return
            if self._is_silent():
                continue
            try:
                await self._connection.ping()
            except ConnectionError:
                return
