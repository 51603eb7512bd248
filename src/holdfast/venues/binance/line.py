"""A private line to the exchange that sends every request once and says whether it can have left.

Lives here: which connection a request takes, deadlines, the first-byte hook. Not here: the bytes of
a reply (wire), what is asked (request, signing), or what an answer proves (verdict). Why this is no
library's client: `docs/adr/0010-own-http-line.md`.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from holdfast.errors import ConfigError, PlatformError
from holdfast.venues.binance.wire import Connection, HungUpError, Reply

# Shorter than any exchange keeps an idle connection: an order must not be the one to find out that
# the other side hung up. A request for the time every few seconds keeps one connection warm.
KEEPALIVE_S: Final = 10.0
MOST_CONNECTIONS: Final = 64

_PORTS: Final = {"http": 80, "https": 443}
_NEXT_ADDRESS_S: Final = 0.25  # before the next address of a name is tried beside the last one


class _Address(NamedTuple):
    """Where requests go.

    Attributes:
        authority: host and port as the Host header has them.
        prefix: goes before every path; mostly empty.
    """

    is_https: bool
    host: str
    port: int
    authority: str
    prefix: str


class UnansweredError(PlatformError):
    """No complete reply came.

    Attributes:
        sent: False is a proof that no byte of the request left and none can any more.
        kind: name of what went wrong.
    """

    def __init__(self, error: BaseException, *, sent: bool) -> None:
        self.sent = sent
        self.kind = type(error).__name__
        super().__init__(f"{self.kind}: {error}" if str(error) else self.kind)


class Line:
    """Connections of its own, so that orders never queue behind queries.

    Nothing is retried, redirected, cached, decompressed or remembered in cookies. New connections
    come from the running loop's `create_connection`; a simulation brings a loop of its own.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            base_url: scheme, host and port; a path before all paths is kept.
            api_key: goes into every request when given.
            tls: instead of the system's authorities and the verification of names.

        Raises:
            ConfigError: the address or the key cannot be used.
        """
        self._address = _address(base_url)
        self._tls = (tls or _verifying()) if self._address.is_https else None
        self._tail = ""
        self.use(api_key)
        self._slots = asyncio.Semaphore(MOST_CONNECTIONS)
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()  # the one that rests the longest is the first
        self._has_closed = False

    def use(self, api_key: str) -> None:
        """Put this key into every request from here on; empty for none.

        Raises:
            ConfigError: it cannot be a key.
        """
        if not _is_plain(api_key):
            raise ConfigError(
                "seen: an API key with spaces or control characters; "
                "expected: visible ASCII; do: check where it is read from"
            )
        named = f"X-MBX-APIKEY: {api_key}\r\n" if api_key else ""
        self._tail = f" HTTP/1.1\r\nHost: {self._address.authority}\r\n{named}"

    async def ask(
        self,
        method: str,
        path_and_query: str,
        *,
        timeout_s: float,
        connect_timeout_s: float | None = None,
        max_bytes: int,
        on_first_byte: Callable[[], None] | None = None,
        on_reply: Callable[[Reply], None] = lambda _reply: None,
    ) -> Reply:
        """Send one request, once, and return the whole reply whatever its status.

        Cancelling closes the connection: no reply is ever left for the next request to find.

        Args:
            path_and_query: already encoded; goes on the wire as it is, because it may be signed.
            timeout_s: for everything together.
            connect_timeout_s: for getting a connection; nothing was sent when it runs out.
            on_first_byte: called once a connection is there, with TLS done, and immediately before
                the whole request is handed to its transport, in the same turn of the loop. The
                transport encrypts and sends within that call. So nothing has left before the hook,
                and from then on a byte may have.
            on_reply: told of the whole reply when it arrives, even where nobody waits for it any
                more by the time that this would return: what it says of staying away holds.

        Raises:
            UnansweredError: for whatever reason there is no complete reply.
        """
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        connection = None
        sent = False
        try:
            request = self._request(method, path_and_query)
            connection = await self._take(began_s, timeout_s, connect_timeout_s)
            sent = True
            if on_first_byte is not None:
                on_first_byte()
            answer = connection.send(request, max_bytes, on_reply)
            timer = loop.call_at(began_s + timeout_s, _give_up, answer, timeout_s)
            try:
                return await answer
            finally:
                timer.cancel()
        except Exception as error:  # of any kind: without a reply the only question is `sent`
            if sent and isinstance(error, TimeoutError):
                self._distrust(began_s)
            raise UnansweredError(error, sent=sent) from error
        finally:
            if connection is not None:
                self._give_back(connection)

    async def close(self) -> None:
        """Close the connections, those with a request on them too; may be called twice."""
        self._has_closed = True
        lost = [connection.lost for connection in self._open]
        for connection in self._open:
            connection.abort()
        if lost:
            await asyncio.wait(lost)

    def _request(self, method: str, path_and_query: str) -> bytes:
        if not _is_plain(path_and_query):
            raise ValueError("a path and query has to be encoded before it is sent")
        length = "" if method == "GET" else "Content-Length: 0\r\n"
        target = self._address.prefix + path_and_query
        return f"{method} {target}{self._tail}{length}\r\n".encode("ascii")

    async def _take(
        self, began_s: float, timeout_s: float, connect_timeout_s: float | None
    ) -> Connection:
        """A connection that is nobody else's: a kept one, else a new one. To be given back."""
        if self._has_closed:
            raise HungUpError("the line is closed")
        if not self._slots.locked():
            await self._slots.acquire()  # at once
            kept = self._kept()
            if kept is not None:
                return kept
            self._slots.release()
        patience_s = timeout_s if connect_timeout_s is None else min(timeout_s, connect_timeout_s)
        try:
            async with asyncio.timeout_at(began_s + patience_s):
                await self._slots.acquire()
                try:
                    return self._kept() or await self._dial()
                except BaseException:
                    self._slots.release()
                    raise
        except TimeoutError as error:
            raise TimeoutError(f"no connection within {patience_s} s") from error

    def _kept(self) -> Connection | None:
        """The connection used last, unless the other side can have closed it."""
        too_old_s = asyncio.get_running_loop().time() - KEEPALIVE_S
        while self._idle:
            if self._idle[0].idle_since_s <= too_old_s:
                self._idle.popleft().abort()
                continue
            connection = self._idle.pop()
            if connection.is_quiet:
                return connection
            connection.abort()
        return None

    def _distrust(self, since_s: float) -> None:
        """Drop what has rested since then: whatever keeps one connection silent, such as a cut,
        keeps others silent as well, and whoever took one of them would wait as long again.
        """
        while self._idle and self._idle[0].idle_since_s <= since_s:
            self._idle.popleft().abort()

    async def _dial(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._forget),
            self._address.host,
            self._address.port,
            ssl=self._tls,
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
        )
        self._open.add(connection)
        if connection.is_closing or self._has_closed:
            connection.abort()
            raise HungUpError("the connection was closed before anything was sent")
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.is_reusable:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()
        self._slots.release()

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


def _give_up(answer: asyncio.Future[Reply], timeout_s: float) -> None:
    """Its time is over; a reply that came in the same turn of the loop still counts."""
    if not answer.done():
        answer.set_exception(TimeoutError(f"no whole reply within {timeout_s} s"))


def _address(base_url: str) -> _Address:
    """Where `base_url` leads.

    Raises:
        ConfigError: nowhere.
    """
    wrong = ConfigError(
        f"seen: the address {base_url!r}; expected: http(s)://host[:port]; do: correct it"
    )
    try:
        parts = urlsplit(base_url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise wrong from error
    prefix = parts.path.rstrip("/")
    strange = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in _PORTS or not host or strange or not _is_plain(host + prefix):
        raise wrong
    authority = f"[{host}]" if ":" in host else host
    if port not in {None, _PORTS[parts.scheme]}:
        authority += f":{port}"
    return _Address(parts.scheme == "https", host, port or _PORTS[parts.scheme], authority, prefix)


@functools.cache
def _verifying() -> ssl.SSLContext:
    """The system's authorities and checked names; reading them takes tens of milliseconds."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_plain(text: str) -> bool:
    """Whether `text` is visible ASCII, so that it cannot end a line or a word of the request."""
    return text.isascii() and text.isprintable() and " " not in text
