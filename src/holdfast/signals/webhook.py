"""A series whose source calls: `POST /signals/NAME` with an entry, and a proof of the secret.

Not here: what becomes of the entry (app).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from holdfast.errors import UnreachableError
from holdfast.signals.port import Entry, SignalRefused, read_entry

_MOST_BYTES: Final = 1 << 13
SIGNATURE: Final = "X-Holdfast-Signature"
"""`sha256=` and the HMAC of the body under the secret, in hex."""

Deliver = Callable[[str, Entry], Awaitable[bool]]
"""Takes an entry of the named series; False when it was known. Durable when it returns.

Raises SignalRefused, and TimeoutError when the journal does not take it in time.
"""


@asynccontextmanager
async def listening(
    host: str, port: int, secrets: Mapping[str, str], deliver: Deliver
) -> AsyncIterator[int]:
    """Listen while the context lasts; yields the port, which 0 leaves to the system.

    Args:
        secrets: of each series, by name; others are not found.

    Raises:
        UnreachableError: the port cannot be had.
    """
    app = web.Application(client_max_size=_MOST_BYTES)
    app.router.add_post("/signals/{name}", _Door(secrets, deliver).post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise UnreachableError(
                f"seen: {host}:{port} cannot be listened on ({error.strerror}); expected: a free "
                "port for webhooks; do: name another one in [webhooks]"
            ) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def signature(secret: str, body: bytes) -> str:
    """What `SIGNATURE` must say of a body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class _Door:
    def __init__(self, secrets: Mapping[str, str], deliver: Deliver) -> None:
        self._secrets = secrets
        self._deliver = deliver

    async def post(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        secret = self._secrets.get(name)
        if secret is None:
            return _answer(404, "seen: no such signal; expected: one with a secret in [[signals]]")
        body = await request.read()  # answers 413 by itself
        if not _is_proven(request, secret, body):
            return _answer(
                401, f"seen: no proof of the secret; expected: {SIGNATURE}: sha256=HMAC(secret, "
                "body), or Authorization: Bearer SECRET",
            )  # fmt: skip
        try:
            new = await self._deliver(name, read_entry(body))
        except SignalRefused as refused:
            return _answer(refused.status, str(refused))
        except TimeoutError:
            return _answer(503, "seen: the journal does not answer; do: send the same again")
        return web.json_response({"taken": new})


def _is_proven(request: web.Request, secret: str, body: bytes) -> bool:
    signed = request.headers.get(SIGNATURE, "")
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
    same = hmac.compare_digest
    return same(signed.encode(), signature(secret, body).encode()) or same(
        bearer.encode(), secret.encode()
    )


def _answer(status: int, why: str) -> web.Response:
    headers = {"Retry-After": "60"} if status == 429 else None
    return web.json_response({"error": why}, status=status, headers=headers)
