"""Streams to readers: sockets that prove who they are with their first message, and events.

Lives here: the life of one connection, and how many there may be. What is told, and to whom, is the
feeds' (api.ports). Not here: the routes (routes.streams).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from litestar import Request, Response
from litestar.types import Receive, Scope, Send

from holdfast.api.ports import TOPICS, Frame, Ports, SlowReaderError
from holdfast.errors import RetryableError
from holdfast.platform.identity.values import Principal, UnauthenticatedError
from holdfast.platform.identity.values import Scope as Right
from holdfast.telemetry.log import get_logger

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar.response.base import ASGIResponse

log = get_logger("api")

MOST_STREAMS: Final = 8192
MOST_OF_ONE: Final = 2048
"""Streams of one user; programs of many windows are fine, a leak is not."""
MOST_WORD: Final = 8192
"""Characters of what a client says."""
PROVE_S: Final = 5.0
PROVE_AGAIN_S: Final = 20.0
"""At least so often; and at once when it is heard that somebody was shut out."""
HEAR_S: Final = 0.5
SEND_S: Final = 10.0
"""A connection that takes nothing for so long is given up."""
LOOK_S: Final = 2.0
"""How often a socket is looked at; a timer for each message would cost more than the message."""


class Bye(msgspec.Struct, frozen=True):
    """Why a socket is closed: codes from 4000 on are ours, and stay."""

    code: int
    reason: str


MALFORMED: Final = Bye(4400, "malformed: send one JSON object as documented")
UNPROVED: Final = Bye(4401, "unauthenticated: the token proves nothing (any more)")
FORBIDDEN: Final = Bye(4403, "forbidden: the scope `read` is needed")
TOO_LATE: Final = Bye(4408, "too late: authenticate with the first message, within 5 s")
CHANGED: Final = Bye(4409, "changed: what you may see is not what it was; come again")
TOO_LONG: Final = Bye(4413, "too long: say less")
TOO_MANY: Final = Bye(4429, "too many streams")
TOO_SLOW: Final = Bye(4430, "slow reader: come again, and resume where you were")
NOT_NOW: Final = Bye(4503, "not now: come again in a moment")


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first message of a socket, and later ones, which bring the next token.

    Attributes:
        type: `auth`.
        token: an access token or an API token.
        topics: to listen to; all without.
        after: by account, the journal position that the client has seen.
    """

    type: str
    token: str
    topics: tuple[str, ...] = TOPICS
    after: dict[str, int] = {}


_hello: Final = msgspec.json.Decoder(Hello)


class GoodbyeError(Exception):
    """A socket is to be closed."""

    def __init__(self, bye: Bye) -> None:
        super().__init__(bye.reason)
        self.bye = bye


class Streams:
    """All streams of a process, counted."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._by_user: dict[str, int] = {}
        self._losses = -1
        self._lost = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many there are now."""
        return sum(self._by_user.values())

    @contextmanager
    def counted(self, who: Principal) -> Iterator[None]:
        """One more, while the context lasts.

        Raises:
            GoodbyeError: `TOO_MANY`.
        """
        own = self._by_user.get(who.user_id, 0)
        if own >= MOST_OF_ONE or self.count >= MOST_STREAMS:
            raise GoodbyeError(TOO_MANY)
        self._by_user[who.user_id] = own + 1
        if self._hearing is None or self._hearing.done():
            self._hearing = asyncio.create_task(self._hear())
        try:
            yield
        finally:
            left = self._by_user[who.user_id] - 1
            if left:
                self._by_user[who.user_id] = left
            else:
                del self._by_user[who.user_id]

    async def _hear(self) -> None:
        """While there are streams, let them know when somebody was shut out: one timer for all."""
        while self._by_user:
            with suppress(RetryableError):  # each says so itself when it proves itself again
                losses = await self._ports.identity.losses()
                if losses != self._losses:
                    self._losses = losses
                    self._lost.set()
                    self._lost = asyncio.Event()
            await asyncio.sleep(HEAR_S)

    # -- WebSocket ---------------------------------------------------------------------------------

    async def serve(self, receive: Receive, send: Send) -> None:
        """One socket, from its handshake to its end."""
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        try:
            await self._converse(receive, send)
        except GoodbyeError as goodbye:
            with suppress(TimeoutError, OSError, RuntimeError):  # it may be gone, or take nothing
                async with asyncio.timeout(SEND_S):
                    await send({
                        "type": "websocket.close", "code": goodbye.bye.code,
                        "reason": goodbye.bye.reason,
                    })  # fmt: skip

    async def _converse(self, receive: Receive, send: Send) -> None:
        """Raises GoodbyeError; returns when the client has left."""
        hello = await _first_word(receive)
        if hello is None:
            return
        lost = self._lost
        who = await self._proved(hello.token)
        with self.counted(who):
            socket = _Socket(hello.token, who)
            parts = [
                asyncio.create_task(self._tell(socket, hello, send)),
                asyncio.create_task(self._listen(socket, receive)),
                asyncio.create_task(self._prove_again(socket, lost)),
                asyncio.create_task(_give_up(socket)),
            ]
            try:
                done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for part in parts:
                    part.cancel()
                await asyncio.gather(*parts, return_exceptions=True)
            for part in done:
                part.result()

    async def _tell(self, socket: _Socket, hello: Hello, send: Send) -> None:
        stream = self._ports.feeds.subscribe(socket.who, hello.topics, hello.after)
        loop = asyncio.get_running_loop()
        async with aclosing(stream):
            async for frame in _until_refused(stream):
                socket.sends_since_s = loop.time()
                await send({"type": "websocket.send", "text": frame.body.decode(), "bytes": None})
                socket.sends_since_s = None

    async def _listen(self, socket: _Socket, receive: Receive) -> None:
        """Take the next token when it comes; returns when the client leaves."""
        while (word := await _word(receive)) is not None:
            hello = _understood(word)
            who = await self._proved(hello.token)
            _require_same(socket.who, who)
            socket.token = hello.token

    async def _prove_again(self, socket: _Socket, lost: asyncio.Event) -> None:
        """A token that ran out or was revoked ends the socket; `lost` is from before its proof."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(PROVE_AGAIN_S):
                    await lost.wait()
            lost = self._lost
            _require_same(socket.who, await self._proved(socket.token))

    async def _proved(self, token: str) -> Principal:
        try:
            who = await self._ports.identity.authenticate(token)
        except UnauthenticatedError as error:
            raise GoodbyeError(UNPROVED) from error
        except RetryableError as error:
            raise GoodbyeError(NOT_NOW) from error
        if not who.may(Right.READ):
            raise GoodbyeError(FORBIDDEN)
        return who

    # -- server-sent events ------------------------------------------------------------------------

    async def events(
        self, who: Principal, topics: tuple[str, ...], after: Mapping[str, int], token: str
    ) -> AsyncIterator[bytes]:
        """The same as server-sent events; the id of each is where to go on from.

        It ends when the token does: a client that comes again with a good one resumes.
        """
        positions = dict(after)
        loop = asyncio.get_running_loop()
        proved_s, losses = loop.time(), self._losses
        try:
            with self.counted(who):
                stream = self._ports.feeds.subscribe(who, topics, after)
                async with aclosing(stream):
                    async for frame in _until_refused(stream):
                        if losses != self._losses or loop.time() - proved_s > PROVE_AGAIN_S:
                            proved_s, losses = loop.time(), self._losses
                            _require_same(who, await self._proved(token))
                        yield _event(frame, positions)
        except GoodbyeError as goodbye:
            told = msgspec.json.encode({"code": goodbye.bye.code, "reason": goodbye.bye.reason})
            yield b"event: bye\ndata: " + told + b"\n\n"


class _Socket:
    """What changes while a socket lives.

    Attributes:
        sends_since_s: when the message began that is being sent, by the loop's clock; else None.
    """

    def __init__(self, token: str, who: Principal) -> None:
        self.token = token
        self.who = who
        self.sends_since_s: float | None = None


class EventResponse(Response[bytes]):
    """Server-sent events. A client that takes nothing for too long is given up."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(b"", media_type="text/event-stream")
        self._events = events

    def to_asgi_response(
        self, app: Litestar | None, request: Request[Any, Any, Any], **_more: Any
    ) -> ASGIResponse:
        """What is run instead of sending a body."""
        return cast("ASGIResponse", self._run)

    async def _run(self, _scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"),
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, leaving):
                task.cancel()
            outcomes = await asyncio.gather(telling, leaving, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, GoodbyeError | OSError):
                raise outcome

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
        async for chunk in self._events:
            await _in_time(
                send({"type": "http.response.body", "body": chunk, "more_body": True})
            )
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_refused(stream: AsyncGenerator[Frame, None]) -> AsyncIterator[Frame]:
    try:
        async for frame in stream:
            yield frame
    except SlowReaderError as error:
        raise GoodbyeError(TOO_SLOW) from error
    except RetryableError as error:
        raise GoodbyeError(NOT_NOW) from error


async def _give_up(socket: _Socket) -> None:
    """Raises GoodbyeError once it has taken nothing for too long."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_S)
        since_s = socket.sends_since_s
        if since_s is not None and loop.time() - since_s >= SEND_S:
            raise GoodbyeError(TOO_SLOW)


async def _in_time(sending: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(SEND_S):
            await sending
    except TimeoutError as error:
        raise GoodbyeError(TOO_SLOW) from error


async def _first_word(receive: Receive) -> Hello | None:
    """Who it is and what he wants; None when he leaves.

    Raises:
        GoodbyeError: he does not say so in time, or not so that it is understood.
    """
    try:
        async with asyncio.timeout(PROVE_S):
            word = await _word(receive)
    except TimeoutError as error:
        raise GoodbyeError(TOO_LATE) from error
    return None if word is None else _understood(word)


async def _word(receive: Receive) -> str | None:
    """The next message; None when the client has left.

    Raises:
        GoodbyeError: it is too long, or no text.
    """
    message: Any = await receive()
    if message["type"] != "websocket.receive":
        return None
    text = message.get("text")
    if text is None:
        raise GoodbyeError(MALFORMED)
    if len(text) > MOST_WORD:
        raise GoodbyeError(TOO_LONG)
    return str(text)


def _understood(word: str) -> Hello:
    try:
        hello = _hello.decode(word)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise GoodbyeError(MALFORMED) from error
    is_known = set(hello.topics) <= set(TOPICS) and all(seq >= 0 for seq in hello.after.values())
    if hello.type != "auth" or not is_known:
        raise GoodbyeError(MALFORMED)
    return hello


def _require_same(before: Principal, now: Principal) -> None:
    """Refuse to go on as another, or as one who may see something else than before."""
    if (before.user_id, before.role, before.grants) != (now.user_id, now.role, now.grants):
        raise GoodbyeError(CHANGED)


def _event(frame: Frame, positions: dict[str, int]) -> bytes:
    if frame.topic == "reset":  # perhaps of a history that is shorter
        positions[frame.account] = frame.seq
    elif frame.seq:
        positions[frame.account] = max(frame.seq, positions.get(frame.account, 0))
    where = ",".join(f"{account}:{seq}" for account, seq in sorted(positions.items()))
    head = f"id: {where}\nevent: {frame.topic}\ndata: ".encode()
    return head + frame.body + b"\n\n"
