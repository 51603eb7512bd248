"""The user stream: orders, balances and transfers of one account, over the WebSocket API.

It only speeds things up; polling alone converges. Not here: connections and watchdogs (feed), the
shapes of events (decode).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NoReturn

import aiohttp
import msgspec
from aiohttp import ClientSession, ClientWebSocketResponse

from holdfast.errors import RejectedError
from holdfast.telemetry.log import get_logger
from holdfast.venues.binance import decode
from holdfast.venues.binance.feed import Feed, FeedLostError, Watch, jittered_pause_s
from holdfast.venues.binance.signing import Key
from holdfast.venues.binance.verdict import KEY_REFUSED
from holdfast.venues.port import (
    BalanceReport,
    ListReport,
    MoneyMoved,
    OrderReport,
    VenueEvent,
)

_log = get_logger(__name__)

_SUBSCRIBE = "userDataStream.subscribe.signature"
_SUBSCRIBE_ID = "subscribe"
_WINDOW_MS = 5_000

UserEvent = OrderReport | ListReport | BalanceReport | MoneyMoved


class _Refusal(decode.Refusal, frozen=True):
    """As it stands in a frame, with what it says beside."""

    data: msgspec.Raw = msgspec.Raw()


class _StayAway(msgspec.Struct, rename="camel"):
    """What is said beside a refusal for too many requests; both on the exchange's clock."""

    server_time: int
    retry_after: int


class _Frame(msgspec.Struct):
    """A reply to us, or an event with the number of its subscription."""

    event: msgspec.Raw = msgspec.Raw()
    id: str | int | None = None
    status: int = 0
    error: _Refusal | None = None


_frame = msgspec.json.Decoder(_Frame)
_stay_away = msgspec.json.Decoder(_StayAway)


class UserStream:
    """One account's events, reconnecting for ever. Missed events are not replayed by anybody."""

    def __init__(
        self,
        url: str,
        key: Key,
        *,
        now_ms: Callable[[], Awaitable[int]],
        names: Callable[[], Mapping[str, str]],
        admit: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
        pause_s: Callable[[int], float] = jittered_pause_s,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        on_key_refused: Callable[[], None] = lambda: None,
        on_refused: Callable[[int, float | None], None] = lambda _status, _for_s: None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            now_ms: the exchange's time; may ask for it, and may raise RetryableError.
            names: venue symbol to unified symbol, as known now.
            admit: asked before each connection; raises a PlatformError to hold it back.
            pause_s: before the n-th connection attempt in a row.
            on_key_refused: told when the exchange does not take the key.
            on_refused: told of the status of each refusal, of a handshake or of the subscription;
                see `Feed`.
        """
        self._url = url
        self._key = key
        self._now_ms = now_ms
        self._names = names
        self._admit = admit
        self._on_key_refused = on_key_refused
        self._on_refused = on_refused
        self._watch = watch or Watch()
        self._feed: Feed[UserEvent] = Feed(
            "user", self._connect, connector=connector, pause_s=pause_s, on_refused=on_refused
        )

    def events(self) -> AsyncIterator[VenueEvent]:
        """Events in the order of arrival, between StreamUp and StreamDown; ends with `close`."""
        return self._feed.events()

    def use(self, key: Key) -> None:
        """Subscribe with another key of the same account from the next connection on."""
        self._key = key

    async def close(self) -> None:
        """Close the connection and end the reader; may be called twice."""
        await self._feed.close()

    async def _connect(self, feed: Feed[UserEvent], session: ClientSession) -> NoReturn:
        self._admit()
        await feed.follow(session, self._url, self._subscribe, self._digest, self._watch)

    async def _subscribe(self, socket: ClientWebSocketResponse) -> None:
        params = self._key.signed_params(
            {"recvWindow": _WINDOW_MS, "timestamp": await self._now_ms()}
        )
        request = {"id": _SUBSCRIBE_ID, "method": _SUBSCRIBE, "params": params}
        await socket.send_str(msgspec.json.encode(request).decode())

    def _digest(self, body: bytes) -> None:
        frame = decode.read(_frame, body)
        if frame.error is not None:
            if str(frame.error.code) in KEY_REFUSED:
                self._on_key_refused()
            self._on_refused(frame.status, _away_s(frame.error.data))
            raise RejectedError(str(frame.error.code), frame.error.msg)
        if frame.id == _SUBSCRIBE_ID:
            if frame.status != 200:
                raise FeedLostError(f"the subscription was answered with status {frame.status}")
            self._feed.up()
            return
        if not bytes(frame.event):
            _log.info("frame without an event skipped", action="stream_skip", frame=body[:200])
            return
        self._digest_event(frame.event)

    def _digest_event(self, raw: msgspec.Raw) -> None:
        name = decode.event_name(raw)
        if name in {"eventStreamTerminated", "serverShutdown"}:
            raise FeedLostError(f"the exchange ended the stream: {name}")
        event = decode.user_event(raw, self._names())
        if event is None:
            _log.info("unknown user event skipped", action="stream_skip", event_name=name)
            return
        self._feed.put(event)


def _away_s(data: msgspec.Raw) -> float | None:
    """For how long the exchange wants nothing, where a refusal says that."""
    try:
        said = _stay_away.decode(data)
    except msgspec.DecodeError:
        return None
    return max(0.0, (said.retry_after - said.server_time) / 1_000)
