"""One connection that carries one request at a time, and its reply put together within bounds.

Lives here: the bytes that come back, and when a connection may carry another request. Not here:
which connection a request takes, and what a missing reply proves (line).
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

# For the status line and all headers, those of interim replies included. Exchanges send about 1 kB.
_HEAD_BYTES: Final = 32_768
# Beside twice the body: what framing by chunks and trailers may take on the wire.
_FRAMING_BYTES: Final = 65_536


class Reply(msgspec.Struct, frozen=True):
    """A complete HTTP reply.

    Attributes:
        headers: by lower-case name; of a name that came twice, the first one.
        body: without its framing, and otherwise as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class HungUpError(Exception):
    """The connection ended before the reply did."""


class OversizedError(Exception):
    """A reply grew beyond its bound."""


class GarbledReplyError(Exception):
    """What came is no HTTP reply."""


class ReplyReader:
    """Puts one reply after the other together, from pieces of any size.

    What is decided first stands: bytes behind a whole reply do not change it, and they spoil the
    connection. So the outcome does not depend on how the bytes were cut into pieces.

    Attributes:
        reply: the whole reply, once it is there.
        failure: why there will be none.
        is_last: nothing may follow on this connection.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.expect(0)

    def expect(self, max_bytes: int) -> None:
        """Begin with the next reply, whose body has at most `max_bytes`."""
        self.reply: Reply | None = None
        self.failure: Exception | None = None
        self.is_last = False
        self._max_bytes = max_bytes
        self._room = _HEAD_BYTES
        self._in_head = True
        self._status = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def is_done(self) -> bool:
        """Whether the outcome is known."""
        return self.reply is not None or self.failure is not None

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        while data:
            if self.is_done:
                self.is_last = True
                return
            # Cut at the bound, so that it strikes at the same byte however the pieces fell.
            piece = data[: self._room]
            self._room -= len(piece)
            try:
                self._parser.feed_data(piece)
            except (HttpParserError, HttpParserUpgrade) as error:
                self._fail(GarbledReplyError(f"{type(error).__name__}: {error}"))
                return
            if self._room <= 0 and not self.is_done:
                what = "head" if self._in_head else "framing"
                self._fail(OversizedError(f"the {what} of the reply has no end"))
            data = data[len(piece) :]

    def end(self) -> None:
        """The other side will send nothing more."""
        if self.is_done:
            return
        is_framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        if not self._in_head and not is_framed:
            self._complete()  # a reply that only the end of its connection ends
            self.is_last = True
        elif self._room == _HEAD_BYTES:
            self._fail(HungUpError("the connection was closed without a reply"))
        else:
            self._fail(HungUpError("the connection was closed in the middle of the reply"))

    def on_message_begin(self) -> None:
        """For the parser: a reply begins."""
        if self.is_done:
            self.is_last = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """For the parser: one header, or a trailer, which is of no interest."""
        if self._in_head:
            self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """For the parser: the head is whole."""
        self._status = self._parser.get_status_code()
        if self._status < 100:
            self._fail(GarbledReplyError(f"there is no status {self._status}"))
        elif self._status >= 200:
            self._in_head = False
            self._room += 2 * self._max_bytes + _FRAMING_BYTES

    def on_body(self, part: bytes) -> None:
        """For the parser: some of the body."""
        self._size += len(part)
        if self._size > self._max_bytes:
            self._fail(OversizedError(f"the reply is longer than {self._max_bytes} bytes"))
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        """For the parser: a reply is whole; an interim one only announces another."""
        if self._in_head:
            self._headers.clear()
            return
        self._complete()
        if not self._parser.should_keep_alive():
            self.is_last = True

    def _complete(self) -> None:
        if not self.is_done:
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self.reply = Reply(self._status, self._headers, body)

    def _fail(self, error: Exception) -> None:
        self.is_last = True
        if not self.is_done:
            self.failure = error


class Connection(asyncio.Protocol):
    """One connection, with TLS done where there is any. It carries one request at a time.

    Attributes:
        lost: done when the connection is closed.
        idle_since_s: when it last had nothing to do, on the loop's clock; its owner sets it.
    """

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        """Args: on_lost: called once, when the connection is closed."""
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._reader = ReplyReader()
        self._answer: asyncio.Future[Reply] | None = None
        self._on_reply: Callable[[Reply], None] = _unheard
        self._unread: select.poll | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self.idle_since_s = 0.0

    def send(
        self, request: bytes, max_bytes: int, on_reply: Callable[[Reply], None]
    ) -> asyncio.Future[Reply]:
        """Hand a whole request to the transport, before this returns.

        The reply may fail with HungUpError, OversizedError or GarbledReplyError.

        Args:
            on_reply: told of a whole reply in the turn of the loop in which it arrives.
        """
        self._reader.expect(max_bytes)
        self._on_reply = on_reply
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return self._answer

    def abort(self) -> None:
        """Close at once; what was not sent yet is dropped, and a reply is not waited for."""
        self._settle(HungUpError("the connection was closed on our side"))
        self._transport.abort()

    @property
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and nothing has arrived that the loop has not come to read yet.

        What arrives before we ask is the end of the connection, or no answer to us.
        """
        return not self.is_closing and (self._unread is None or not self._unread.poll(0))

    @property
    def is_reusable(self) -> bool:
        """Whether its last request and reply are over, wholly, and another may follow."""
        return (
            self._reader.reply is not None
            and not self._reader.is_last
            and not self.is_closing
            and self._transport.get_write_buffer_size() == 0
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """For the loop: it is open. (asyncio sets TCP_NODELAY by itself.)"""
        self._transport = cast(asyncio.Transport, transport)
        raw: socket.socket | None = transport.get_extra_info("socket")
        if raw is not None:  # a simulated network has none
            self._unread = select.poll()
            self._unread.register(raw.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """For the loop: bytes came, asked for or not."""
        if self._answer is None:
            self._transport.abort()
            return
        self._reader.feed(data)
        self._settle_by_reader()

    def eof_received(self) -> None:
        """For the loop: no more bytes will come. The transport closes itself."""
        self._reader.end()
        self._settle_by_reader()

    def connection_lost(self, error: Exception | None) -> None:
        """For the loop: it is closed."""
        self._unread = None
        if error is None:
            self._reader.end()
            self._settle_by_reader()
        else:
            self._settle(HungUpError(f"{type(error).__name__}: {error}"))
        if not self.lost.done():
            self.lost.set_result(None)
        self._on_lost(self)

    def _settle_by_reader(self) -> None:
        if self._reader.reply is not None:
            if self._answer is not None:
                self._on_reply(self._reader.reply)
            self._settle(self._reader.reply)
        elif self._reader.failure is not None:
            self._settle(self._reader.failure)

    def _settle(self, outcome: Reply | Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        if isinstance(outcome, Reply):
            answer.set_result(outcome)
        else:
            answer.set_exception(outcome)


def _unheard(_reply: Reply) -> None:
    """Nobody asked."""
