"""Around everything: request ids, trusted hosts, security headers, ETags, what is counted.

It wraps the framework, so it holds for what no route answers as well. Not here: who asks
(api.gate).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send

from holdfast.api.problem import MEDIA_TYPE, REQUEST_ID, ProblemError, document
from holdfast.telemetry import trace
from holdfast.telemetry.context import bound
from holdfast.telemetry.metrics import HttpMetrics

_ID_FORM: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_MOST_TAGGED: Final = 1 << 18

API_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)
_DEFAULTS: Final = ((b"content-security-policy", API_POLICY), (b"cache-control", b"no-store"))
_TLS_ONLY: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


class Shell:
    """The outermost ASGI application.

    Args:
        hosts: names that requests may be addressed to, without ports; `*.` before a name stands
            for all below it.
        proxies: addresses and networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are true.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: HttpMetrics,
        *,
        hosts: Sequence[str],
        proxies: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(host.lower() for host in hosts if not host.startswith("*."))
        self._below = tuple(host[1:].lower() for host in hosts if host.startswith("*."))
        self._proxies = tuple(ipaddress.ip_network(one) for one in proxies)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id", b""))
        scope[REQUEST_ID] = request_id
        self._believe_proxy(scope, headers)
        is_trusted = self._is_trusted(headers.get(b"host", b"").decode("latin-1"))
        if scope["type"] == "websocket":
            if is_trusted:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": "wrong host"})
            return
        answer = _Answer(scope, send, headers.get(b"if-none-match", b""), request_id)
        begun_s = time.perf_counter()
        try:
            with bound(request=request_id):
                if is_trusted:
                    await self._app(scope, receive, answer)
                else:
                    await _refuse_host(answer, request_id)
        finally:
            endpoint = str(scope.get("path_template", ""))
            took_s = time.perf_counter() - begun_s
            self._metrics.observe(str(scope["method"]), endpoint, answer.status, took_s)
            _trace(scope, endpoint, answer.status, took_s, request_id)

    def _is_trusted(self, host: str) -> bool:
        name = host.rpartition(":")[0] if re.search(r":[0-9]+$", host) else host
        name = name.lower()
        return name in self._hosts or name.endswith(self._below or ("\0",))

    def _believe_proxy(self, scope: Any, headers: dict[bytes, bytes]) -> None:
        """Take the caller's address and scheme from a proxy that is trusted, and from no other.

        Of several, the last that is not a trusted proxy is the caller: what stands before it is
        what he made up.
        """
        client: Any = scope.get("client")
        if not self._proxies or not client or not self._is_proxy(client[0]):
            return
        told = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        for address in reversed([each.strip() for each in told if each.strip()]):
            scope["client"] = (address[:45], client[1])
            if not self._is_proxy(address):
                break
        if headers.get(b"x-forwarded-proto", b"") == b"https":
            scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)


class _Answer:
    """Sends an answer on, with what every answer has.

    A small answer to a GET is given an ETag of its bytes, and is not sent to who has it already.
    One that a handler gave names a version of a part, for `If-Match`; the rest changes under it.
    """

    def __init__(self, scope: Any, send: Send, if_none_match: bytes, request_id: str) -> None:
        self.status = 500
        self._scope = scope
        self._send = send
        self._has = if_none_match
        self._request_id = request_id.encode()
        self._held: Any = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(message)
            if self.status == 200 and self._scope["method"] == "GET":
                self._held = message  # until it is known whether the body is whole
                return
        elif self._held is not None:
            held, self._held = self._held, None
            await self._finish(held, message)
            return
        await self._send(message)

    def _complete(self, message: Any) -> None:
        headers = message["headers"] = list(message["headers"])
        present = {name for name, _ in headers}
        headers += [pair for pair in _DEFAULTS if pair[0] not in present]
        headers += _HEADERS
        headers.append((b"x-request-id", self._request_id))
        if self._scope["scheme"] == "https":
            headers.append(_TLS_ONLY)

    async def _finish(self, start: Any, message: Any) -> None:
        body = message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            tag, has_own = b"", any(name == b"etag" for name, _ in start["headers"])
            if not has_own and 0 < len(body) <= _MOST_TAGGED:
                tag = b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'
                start["headers"].append((b"etag", tag))
            if tag and self._has and tag in {each.strip() for each in self._has.split(b",")}:
                self.status = start["status"] = 304
                gone = {b"content-length", b"content-type"}
                start["headers"] = [pair for pair in start["headers"] if pair[0] not in gone]
                message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(start)
        await self._send(message)


def _trace(scope: Any, endpoint: str, status: int, took_s: float, request_id: str) -> None:
    """A span of the request, where traces are made; it is named by its route, never by its path."""
    traces = trace.active()
    if traces is None:
        return
    end_ns, method = time.monotonic_ns(), str(scope["method"])
    about = {
        "http.request.method": method, "http.route": endpoint or None,
        "http.response.status_code": status, "holdfast.request": request_id,
    }  # fmt: skip
    failed = f"status {status}" if status >= 500 else ""
    stretch = trace.Stretch(
        f"{method} {endpoint}".strip(), end_ns - round(took_s * 1e9), end_ns, about, failed=failed
    )
    traces.tell(trace.of_request(request_id), stretch)


def _request_id(given: bytes) -> str:
    """The caller's own, where it is one, so that his logs and ours meet; else a new one."""
    return given.decode() if _ID_FORM.fullmatch(given) else secrets.token_hex(8)


async def _refuse_host(send: Send, request_id: str) -> None:
    problem = ProblemError(
        400, "wrong_host",
        "seen: a request to another host; expected: one of `api.hosts` in the configuration",
    )  # fmt: skip
    body = document(problem, request_id)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
