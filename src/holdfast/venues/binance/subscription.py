"""What one reader wants of the market streams, on whichever connection it is now.

Lives here: asking for streams, their confirmation, and unwrapping frames. Not here: what a frame's
payload means (the caller), or the connection itself (feed).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import ClientWebSocketResponse

from holdfast.venues.binance import decode
from holdfast.venues.binance.feed import Feed, FeedLostError

_STREAMS_PER_MESSAGE: Final = 100


class _Wrapper(msgspec.Struct):
    """A frame of the combined stream, an event by itself, or a reply to a subscription."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    e: str = ""
    id: int | str | None = None
    error: decode.Refusal | None = None
    code: int = 0
    msg: str = ""


class _Named(msgspec.Struct):
    e: str = ""


_wrapper = msgspec.json.Decoder(_Wrapper)
_named = msgspec.json.Decoder(_Named)


class Frame(msgspec.Struct, frozen=True):
    """An event.

    Attributes:
        stream: which of the streams; empty for an event by itself.
        name: what it calls itself (`kline`); empty when it has no name.
        payload: its JSON.
    """

    stream: str
    name: str
    payload: bytes


class Subscription:
    """Streams wanted on one connection after another.

    Args:
        streams: their names, such as `btcusdt@kline_1m`.
    """

    def __init__(self, streams: Sequence[str]) -> None:
        self._parts = [
            streams[first : first + _STREAMS_PER_MESSAGE]
            for first in range(0, len(streams), _STREAMS_PER_MESSAGE)
        ]
        self._unconfirmed: set[int] = set()
        self._feed: Feed[Any] | None = None

    def begin(self, feed: Feed[Any]) -> None:
        """A new connection: nothing is confirmed on it. `feed` is told once everything is."""
        self._feed = feed
        self._unconfirmed = set(range(1, len(self._parts) + 1))

    async def subscribe(self, socket: ClientWebSocketResponse) -> None:
        """Ask for every stream."""
        for request_id, part in enumerate(self._parts, start=1):
            request = {"method": "SUBSCRIBE", "params": part, "id": request_id}
            await socket.send_str(msgspec.json.encode(request).decode())

    def unwrap(self, body: bytes) -> Frame | None:
        """The event in a frame; None when the frame confirms a subscription.

        Raises:
            FeedLostError: the subscription was refused, or the server goes away.
            GarbledError: it is no JSON, or not of the documented shape.
        """
        frame = decode.read(_wrapper, body)
        if frame.error is not None or frame.code:
            raise FeedLostError(f"the subscription was refused: {body[:200]!r}")
        if isinstance(frame.id, int) and frame.id in self._unconfirmed:
            self._confirm(frame.id)
            return None
        payload = bytes(frame.data) or body
        name = decode.read(_named, payload).e
        if name == "serverShutdown":
            raise FeedLostError("the exchange is about to shut this server down")
        if not name and not frame.stream and frame.id is not None:
            return None
        return Frame(frame.stream, name, payload)

    def _confirm(self, request_id: int) -> None:
        self._unconfirmed.discard(request_id)
        if not self._unconfirmed and self._feed is not None:
            self._feed.up()
