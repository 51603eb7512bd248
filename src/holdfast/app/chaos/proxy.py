"""A fault proxy: links between a node and what it talks to, with delays, silences and cuts.

Lives here: bytes and when they leave, in one event loop. A held link is a silent one: connections
stand, nothing comes through, no end either. Not here: the process it runs in (proxy_process), or
which fault is due when (faults).
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import Final

import msgspec

LOOPBACK: Final = "127.0.0.1"
_MOST_HELD: Final = 1 << 20  # bytes of one way; whoever sends more has to wait
_NO_LINGER: Final = struct.pack("ii", 1, 0)
# A new order, and the id in its query: the line writes a request in one go.
_ORDER: Final = re.compile(
    rb"POST (?:/[^ ?]*)?/api/v3/order(?:List/\w+)?\?[^ ]*?"
    rb"(?:newClientOrderId|listClientOrderId)=([^&\s]+)"
)


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a link is like.

    Attributes:
        delay_ms: of each way; a round trip takes twice that.
        holds_up, holds_down: nothing gets through from the node, or to it; it does later, once the
            link is open again.
        refuses: a new connection is reset.
        bytes_per_s: of each way; 0 is no limit.
    """

    delay_ms: float = 0.0
    holds_up: bool = False
    holds_down: bool = False
    refuses: bool = False
    bytes_per_s: int = 0


class Sent(msgspec.Struct, frozen=True):
    """A new order whose first byte came out of a node.

    Attributes:
        at_ns: `time.monotonic_ns`, which all processes of a machine share.
    """

    link: str
    cid: str
    at_ns: int


class Link:
    """One listening port, and the connections through it.

    Args:
        upstream: `host:port`, or the path of a Unix socket.
        sent: where new orders are noted; None for a link that carries none.

    Attributes:
        port: on loopback, once it is open.
    """

    def __init__(
        self, name: str, upstream: str, conditions: Conditions, sent: list[Sent] | None = None
    ) -> None:
        self.name = name
        self.conditions = conditions
        self.sent = sent
        self.port = 0
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._reaching: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Pair(self).near, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def change(self, conditions: Conditions) -> None:
        """Be like this from now on; what was held leaves when it may."""
        self.conditions = conditions
        for pair in tuple(self._pairs):  # one whose ends are let out is over
            pair.flush()

    def cut(self) -> None:
        """Reset every connection, on both sides."""
        for pair in tuple(self._pairs):
            pair.reset()

    async def close(self) -> None:
        """Listen no more, and reset what is connected."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self.cut()
        await asyncio.gather(*self._reaching, return_exceptions=True)

    async def reach(self, protocol: asyncio.Protocol) -> None:
        """Connect to what is behind the link."""
        loop = asyncio.get_running_loop()
        if self._upstream.startswith("/"):
            await loop.create_unix_connection(lambda: protocol, self._upstream)
        else:
            host, _, port = self._upstream.rpartition(":")
            await loop.create_connection(lambda: protocol, host, int(port))

    def join(self, pair: _Pair) -> asyncio.Task[None]:
        """A connection has been made; the task makes the one onwards."""
        self._pairs.add(pair)
        task = asyncio.create_task(pair.reach())
        self._reaching.add(task)
        task.add_done_callback(self._reaching.discard)
        return task

    def part(self, pair: _Pair) -> None:
        """It is over."""
        self._pairs.discard(pair)


class _Way:
    """One direction of a connection: what comes in leaves in order, when it is due."""

    def __init__(self, pair: _Pair, *, is_up: bool) -> None:
        self._pair = pair
        self._is_up = is_up
        self._waiting: deque[tuple[float, bytes]] = deque()  # empty bytes are the end
        self._bytes = 0
        self._free_s = 0.0  # when the last byte has left, at this bandwidth
        self._timer: asyncio.TimerHandle | None = None
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.opens_s = 0.0
        self.is_source_gone = False
        self.has_ended = False

    def take(self, data: bytes) -> None:
        """Bytes have come in; none means that no more will."""
        conditions = self._pair.link.conditions
        now_s = asyncio.get_running_loop().time()
        due_s = max(now_s, self.opens_s) + conditions.delay_ms / 1000
        if conditions.bytes_per_s:
            self._free_s = max(self._free_s, now_s) + len(data) / conditions.bytes_per_s
            due_s = max(due_s, self._free_s)
        self._waiting.append((due_s, data))
        self._bytes += len(data)
        if self._bytes > _MOST_HELD and self.source is not None:
            self.source.pause_reading()
        self.flush()

    def flush(self) -> None:
        """Let out what is due, and come back for the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        conditions = self._pair.link.conditions
        is_held = conditions.holds_up if self._is_up else conditions.holds_down
        if is_held or self.sink is None:
            return
        loop = asyncio.get_running_loop()
        while self._waiting and self._waiting[0][0] <= loop.time():
            self._let_out(self.sink, self._waiting.popleft()[1])
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self.flush)

    def _let_out(self, sink: asyncio.Transport, data: bytes) -> None:
        if not data:
            self.has_ended = True
            self._pair.way_ended(self)
            return
        if not sink.is_closing():
            sink.write(data)
        self._bytes -= len(data)
        source = self.source
        if self._bytes <= _MOST_HELD and source is not None and not source.is_closing():
            source.resume_reading()  # does nothing when it was not paused

    def drop(self) -> None:
        """Let nothing out any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()


class _Side(asyncio.Protocol):
    """One end of a connection: what it receives goes one way, what it is given came the other."""

    def __init__(self, pair: _Pair, out: _Way, back: _Way, *, is_near: bool) -> None:
        self._pair = pair
        self._out = out
        self._back = back
        self._is_near = is_near
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream
        self.transport = self._out.source = self._back.sink = transport
        if self._is_near:
            self._pair.begin()
        self._back.flush()

    def data_received(self, data: bytes) -> None:
        """Pass it on when it is due."""
        if self._is_near:
            self._pair.note(data)
        self._out.take(data)

    def eof_received(self) -> bool:
        """An end goes the way that bytes go; the other way may still have something to say."""
        self._out.take(b"")
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """It is gone both ways; the other side learns of it when a network would tell it."""
        self._out.is_source_gone = True
        self._out.take(b"")


class _Pair:
    """A connection from a node and the one made for it to what is behind the link."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._up, self._down = _Way(self, is_up=True), _Way(self, is_up=False)
        self.near = _Side(self, self._up, self._down, is_near=True)
        self._far = _Side(self, self._down, self._up, is_near=False)
        self._reaching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The node has connected: connect onwards, and let the handshake take its time."""
        if self.link.conditions.refuses:
            self.reset()
            return
        round_trip_s = 2 * self.link.conditions.delay_ms / 1000
        self._up.opens_s = asyncio.get_running_loop().time() + round_trip_s
        self._reaching = self.link.join(self)

    async def reach(self) -> None:
        """Connect onwards."""
        try:
            await self.link.reach(self._far)
        except OSError:
            self.reset()

    def note(self, data: bytes) -> None:
        """Look whether a new order leaves the node."""
        if self.link.sent is None:
            return
        # It cannot have left before the handshake was over, which takes no time on loopback.
        opens_ns = int(self._up.opens_s * 1e9)
        for found in _ORDER.finditer(data):
            at_ns = max(time.monotonic_ns(), opens_ns)
            sent = Sent(self.link.name, found[1].decode(), at_ns)
            self.link.sent.append(sent)

    def flush(self) -> None:
        """The link has changed."""
        self._up.flush()
        self._down.flush()

    def way_ended(self, way: _Way) -> None:
        """The end has come through: half of a connection, or the whole."""
        sink = way.sink
        if sink is None or sink.is_closing():
            return
        if way.is_source_gone or (self._up.has_ended and self._down.has_ended):
            self.link.part(self)
            for side in (self.near, self._far):
                if side.transport is not None:
                    side.transport.close()
        elif sink.can_write_eof():
            with suppress(OSError):  # the other end was reset meanwhile, which it will be told
                sink.write_eof()

    def reset(self) -> None:
        """Reset both ends."""
        self.link.part(self)
        for way in (self._up, self._down):
            way.drop()
        if self._reaching is not None and self._reaching is not asyncio.current_task():
            self._reaching.cancel()
        for side in (self.near, self._far):
            if side.transport is not None and not side.transport.is_closing():
                _reset(side.transport)


def _reset(transport: asyncio.Transport) -> None:
    own: socket.socket = transport.get_extra_info("socket")
    if own.family != socket.AF_UNIX:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
