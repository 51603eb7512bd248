"""A WebSocket feed that never gives up: watchdogs, reconnecting, and a queue that loses no wake-up.

Lives here: one connection's life and the loop around it. Not here: what is subscribed to and what
the frames mean (stream, market).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Generic, NoReturn, TypeVar

import aiohttp
import msgspec
from aiohttp import ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from holdfast.errors import PlatformError
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import StreamDown, StreamUp

_log = get_logger(__name__)

T = TypeVar("T")


class FeedLostError(PlatformError):
    """This connection is of no use any more; the next one may be."""


class Watch(msgspec.Struct, frozen=True):
    """When a connection counts as dead although the socket says nothing.

    Attributes:
        ping_every_s: our own ping, when nothing came for so long; half of it is left for the pong.
        server_ping_s: longest time without a ping of the server (it sends one every 20 s).
        silence_s: longest time without a frame of data.
        max_age_s: renewed after this, before the exchange cuts it at 24 h.
        connect_s: for connecting and subscribing.
    """

    ping_every_s: float = 5.0
    server_ping_s: float = 25.0
    silence_s: float = math.inf
    max_age_s: float = 23.5 * 3600
    connect_s: float = 10.0


# A connection that lived this long was good: the next pause starts from the shortest again.
_GOOD_AFTER_S = 30.0
_LONGEST_PAUSE_S = 10.0


def jittered_pause_s(attempt: int, source: random.Random | None = None) -> float:
    """The pause before connection attempt `attempt` (0 is the first retry): doubling, with jitter.

    Jitter keeps many clients from coming back in one wave.
    """
    longest = min(0.2 * 2.0 ** min(attempt, 10), _LONGEST_PAUSE_S)
    draw = (source or random).uniform(0.5, 1.0)
    return longest * draw


class Outbox(Generic[T]):
    """What waits for the reader, oldest first; a newer item may take the place of one not yet read.

    An item that arrives while nobody waits is there for the next one who asks.
    """

    def __init__(self, most: int) -> None:
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._most = most
        self._count = 0
        self._has_ended = False
        self._filled = asyncio.Event()

    def put(self, item: T, *, instead_of: Hashable | None = None) -> None:
        """Add `item`, or put it in the place of the unread one with the same `instead_of`.

        Raises:
            FeedLostError: the reader is so far behind that the feed must start afresh.
        """
        if len(self._items) >= self._most:
            self._items.clear()
            raise FeedLostError(f"{self._most} events were waiting unread")
        self._count += 1
        self._items[self._count if instead_of is None else instead_of] = item
        self._filled.set()

    def end(self) -> None:
        """Nothing comes any more; what is there can still be read."""
        self._has_ended = True
        self._filled.set()

    async def get(self) -> T | None:
        """The oldest item, as soon as there is one; None when there never will be."""
        while not self._items:
            if self._has_ended:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self._items.popitem(last=False)[1]


Greet = Callable[[ClientWebSocketResponse], Awaitable[None]]


class _Vitals:
    """When a connection last gave a sign of life, and its end when none came for too long.

    One timer is asked again when it fires; a deadline for each frame would cost as much as the
    rest of reading it.
    """

    def __init__(
        self, watch: Watch, loop: asyncio.AbstractEventLoop, is_up: Callable[[], bool]
    ) -> None:
        self._watch = watch
        self._loop = loop
        self._is_up = is_up
        self._opened_s = self._pinged_s = self._heard_s = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def hear(self) -> None:
        """A frame of data came."""
        self._heard_s = self._loop.time()

    def hear_ping(self) -> None:
        """The server sent a ping."""
        self._pinged_s = self._loop.time()

    def next_end(self) -> tuple[str, float]:
        """What it would be lost by, and when, should nothing come any more."""
        watch = self._watch
        opened_by_s = math.inf if self._is_up() else self._opened_s + watch.connect_s
        ends = (
            ("no answer to the subscription", opened_by_s),
            ("no ping from the server", self._pinged_s + watch.server_ping_s),
            ("no data", self._heard_s + watch.silence_s),
            ("renewed before its greatest age", self._opened_s + watch.max_age_s),
        )
        return min(ends, key=lambda end: end[1])

    def end_by(self, patience: asyncio.Timeout) -> None:
        """Let `patience` run out when the connection counts as lost."""
        until_s = self.next_end()[1]
        if until_s <= self._loop.time():
            patience.reschedule(until_s)
        else:  # at the latest then; who has heard something meanwhile has longer
            self._timer = self._loop.call_at(until_s, self.end_by, patience)

    def rest(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()


async def _read(
    socket: ClientWebSocketResponse, on_frame: Callable[[bytes], None], vitals: _Vitals
) -> NoReturn:
    """Pass text frames on until the connection ends; `FeedLostError` says how."""
    while True:
        message = await socket.receive()
        match message.type:
            case WSMsgType.TEXT:
                vitals.hear()
                on_frame(message.data.encode())
            case WSMsgType.PING:
                vitals.hear_ping()
                await socket.pong(message.data)
            case WSMsgType.PONG:
                pass
            case _:
                cause = socket.exception() or f"close code {socket.close_code}"
                raise FeedLostError(f"the connection ended: {cause}")


class Feed(Generic[T]):
    """Keeps a connection and turns its frames into events, for ever.

    `connect` opens one connection by `follow` and calls `up` once it delivers. What it may raise
    and what a lost connection means stays inside: the reader only sees StreamDown and StreamUp.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[Feed[T], ClientSession], Awaitable[NoReturn]],
        *,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        pause_s: Callable[[int], float] = jittered_pause_s,
        most_unread: int = 100_000,
        on_refused: Callable[[int, float | None], None] = lambda _status, _for_s: None,
    ) -> None:
        """Make no connection yet.

        Args:
            name: for logs.
            pause_s: before the n-th attempt in a row.
            on_refused: told of the HTTP status of each handshake that was refused, and for how many
                seconds the exchange wants no other, None when it does not say.
        """
        self._name = name
        self._connect = connect
        self._connector = connector
        self._pause_s = pause_s
        self._on_refused = on_refused
        self._outbox: Outbox[T | StreamUp | StreamDown] = Outbox(most_unread)
        self._is_up: bool | None = None
        self._task: asyncio.Task[None] | None = None

    def put(self, event: T, *, instead_of: Hashable | None = None) -> None:
        """Hand an event to the reader; see `Outbox.put`."""
        self._outbox.put(event, instead_of=instead_of)

    def up(self) -> None:
        """The connection delivers from here on."""
        self._is_up = True
        self._outbox.put(StreamUp())

    async def events(self) -> AsyncIterator[T | StreamUp | StreamDown]:
        """Everything in order, until `close`."""
        self._task = asyncio.create_task(self._run(), name=f"feed {self._name}")
        self._task.add_done_callback(lambda _: self._outbox.end())
        try:
            while (event := await self._outbox.get()) is not None:
                yield event
            if not self._task.cancelled():
                self._task.result()  # a mistake of ours ends the reader, too
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connection and end the reader; may be called twice."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def follow(
        self,
        session: ClientSession,
        url: str,
        greet: Greet,
        on_frame: Callable[[bytes], None],
        watch: Watch,
    ) -> NoReturn:
        """Open one connection, greet, and pass every text frame on until the connection is lost.

        Raises:
            FeedLostError: it was lost, or counts as lost by `watch`; or what `on_frame` raises.
            aiohttp.ClientError, OSError: it could not be opened.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(watch.connect_s):
            socket = await session.ws_connect(
                url,
                autoping=False,  # we want to see the server's pings: they prove that it lives
                heartbeat=watch.ping_every_s,
                timeout=ClientWSTimeout(ws_close=1.0),
            )
        async with socket:
            async with asyncio.timeout(watch.connect_s):
                await greet(socket)
            vitals = _Vitals(watch, loop, is_up=lambda: self._is_up is True)
            try:
                async with asyncio.timeout(None) as patience:
                    vitals.end_by(patience)
                    await _read(socket, on_frame, vitals)
            except TimeoutError as error:
                if not patience.expired():
                    raise
                raise FeedLostError(vitals.next_end()[0]) from error
            finally:
                vitals.rest()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            opened = loop.time()
            try:
                connector = self._connector() if self._connector else None
                async with ClientSession(connector=connector) as session:
                    await self._connect(self, session)
            except (PlatformError, aiohttp.ClientError, OSError) as error:
                if isinstance(error, aiohttp.WSServerHandshakeError):
                    said = "" if error.headers is None else error.headers.get("Retry-After", "")
                    self._on_refused(error.status, float(said) if said.isdecimal() else None)
                self._down(f"{type(error).__name__}: {error}")
            if loop.time() - opened >= _GOOD_AFTER_S:
                attempt = 0
            await asyncio.sleep(self._pause_s(attempt))
            attempt += 1

    def _down(self, reason: str) -> None:
        _log.warning("feed is down", action="feed_down", feed=self._name, reason=reason)
        if self._is_up is not False:
            self._is_up = False
            self._outbox.put(StreamDown(reason))
