"""The metrics port: counters for Prometheus, and health in detail, for operators' networks only.

Not here: what is counted (telemetry), what is looked at (api.health).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from holdfast.api.health import Checkup
from holdfast.api.shapes.health import DetailedHealth, State
from holdfast.errors import UnreachableError
from holdfast.telemetry.exposition import Source, page
from holdfast.telemetry.meter import Meter


@asynccontextmanager
async def serving(
    host: str, port: int, meter: Meter, checkup: Checkup
) -> AsyncIterator[int]:
    """Serve while the context lasts; yields the port, which is the next free one from `port` on.

    Raises:
        UnreachableError: none can be had.
    """
    app = web.Application()
    app.router.add_get("/metrics", _metrics(meter))
    app.router.add_get("/health", _health(checkup))
    app.router.add_get("/ready", _ready(checkup))
    app.router.add_get("/livez", _live)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        yield await _listen(runner, host, port)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Take the port, or one of the next that another process of this machine has not."""
    last: OSError | None = None
    for candidate in range(port, port + 20) if port else (0,):
        try:
            await web.TCPSite(runner, host, candidate).start()
        except OSError as error:
            last = error
            continue
        return int(runner.addresses[-1][1])
    raise UnreachableError(
        f"seen: no free port from {port} on at {host} ({last}); expected: one for metrics; do: "
        "name another with METRICS_PORT"
    )


Handler = Callable[[web.Request], Awaitable[web.Response]]


def _metrics(meter: Meter) -> Handler:
    async def metrics(request: web.Request) -> web.Response:
        body, kind = page([Source(meter.collected())], request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": kind})

    return metrics


def _health(checkup: Checkup) -> Handler:
    async def health(_: web.Request) -> web.Response:
        found, details = await checkup.detailed()
        body = msgspec.json.encode(DetailedHealth(health=found, details=details))
        return _answer(body, is_well=found.status is not State.DOWN)

    return health


def _ready(checkup: Checkup) -> Handler:
    async def ready(_: web.Request) -> web.Response:
        found = await checkup.ready()
        return _answer(msgspec.json.encode({"ready": found}), is_well=found)

    return ready


async def _live(_: web.Request) -> web.Response:
    return _answer(b'{"alive":true}', is_well=True)


def _answer(body: bytes, *, is_well: bool) -> web.Response:
    return web.Response(
        body=body, status=200 if is_well else 503, content_type="application/json"
    )
