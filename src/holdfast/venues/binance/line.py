"""One private HTTP session to the exchange that sends every request once and bounds every reply.

Lives here: the aiohttp session, the first-byte hook, the traps of kept-alive connections closed.
Not here: what is asked (request, signing) or what an answer proves (verdict).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Final

import aiohttp
import msgspec
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, TraceConfig
from yarl import URL

from holdfast.errors import PlatformError

# Shorter than any exchange keeps an idle connection: an order must not be the one to find out that
# the other side hung up. A request for the time every few seconds keeps one connection warm.
_KEEPALIVE_S: Final = 10.0

# The exchange needs none of them, and every header costs time on each order.
_UNNEEDED_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Reply(msgspec.Struct, frozen=True):
    """A complete HTTP reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes


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


class _OversizedError(Exception):
    """A reply grew beyond its bound."""


class _HungUpError(Exception):
    """The connection broke under the request; not a kind that aiohttp would send again on."""


class _Flight:
    """Whether a request may have left, told by the connector before it hands a connection out."""

    __slots__ = ("_on_first_byte", "left")

    def __init__(self, on_first_byte: Callable[[], None] | None) -> None:
        self._on_first_byte = on_first_byte
        self.left = False

    def leave(self) -> None:
        self.left = True
        if self._on_first_byte is not None:
            self._on_first_byte()


async def _about_to_send(_: ClientSession, context: SimpleNamespace, __: object) -> None:
    """A connection, with TLS done, is there for the request; the next thing is its first byte."""
    context.trace_request_ctx.leave()


async def _no_second_sending(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Turn a broken connection into an error that aiohttp does not answer by sending again.

    It would do so once for DELETE on a kept-alive connection, and a good cancel would then be
    reported as "unknown order". A connection that never came about passes unchanged.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _HungUpError(f"{type(error).__name__}: {error}") from error


class Line:
    """A session of its own, so that orders never queue behind queries.

    Nothing is retried, redirected, cached or remembered in cookies.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            base_url: scheme, host and port, without a path.
            api_key: goes into every request when given.
            connector: makes the connector, in the running loop; a simulation passes its own.
        """
        self._base_url = base_url.rstrip("/")
        self._headers = {"X-MBX-APIKEY": api_key} if api_key else {}
        self._make_connector = connector or (
            lambda: TCPConnector(limit=64, keepalive_timeout=_KEEPALIVE_S)
        )
        self._session: ClientSession | None = None

    async def ask(
        self,
        method: str,
        path_and_query: str,
        *,
        timeout_s: float,
        connect_timeout_s: float | None = None,
        max_bytes: int,
        on_first_byte: Callable[[], None] | None = None,
    ) -> Reply:
        """Send one request, once, and return the whole reply whatever its status.

        Args:
            path_and_query: already encoded; goes on the wire as it is, because it may be signed.
            timeout_s: for everything together.
            connect_timeout_s: for getting a connection; nothing was sent when it runs out.
            on_first_byte: called before the first byte of the request can leave.

        Raises:
            UnansweredError: for whatever reason there is no complete reply.
        """
        flight = _Flight(on_first_byte)
        try:
            async with self._open().request(
                method,
                URL(self._base_url + path_and_query, encoded=True),
                headers=self._headers,
                timeout=ClientTimeout(total=timeout_s, connect=connect_timeout_s),
                allow_redirects=False,
                trace_request_ctx=flight,
            ) as response:
                body = await _bounded(response, max_bytes)
                return Reply(response.status, response.headers, body)
        except Exception as error:  # of any kind: without a reply the only question is `sent`
            raise UnansweredError(error, sent=flight.left) from error

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> ClientSession:
        if self._session is None:
            trace = TraceConfig()
            trace.on_connection_create_end.append(_about_to_send)
            trace.on_connection_reuseconn.append(_about_to_send)
            self._session = ClientSession(
                connector=self._make_connector(),
                cookie_jar=DummyCookieJar(),
                skip_auto_headers=_UNNEEDED_HEADERS,
                trace_configs=[trace],
                middlewares=[_no_second_sending],
            )
        return self._session


async def _bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The body, if it stays within its bound."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > max_bytes:
            response.close()
            raise _OversizedError(f"the reply is longer than {max_bytes} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
