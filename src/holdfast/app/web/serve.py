"""`holdfast api`: the API on its server, until it is told to stop.

Not here: what it is made of (join), what it answers (api).
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from holdfast.api.build import Api, Terms, build, description
from holdfast.api.ports import Rate
from holdfast.app.logs import begin_exports
from holdfast.app.reload import is_asked_by_hangup
from holdfast.app.web import metrics
from holdfast.app.web.join import joined
from holdfast.config import Config
from holdfast.config.environment import environment_name, without_effect
from holdfast.errors import UnreachableError
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.meter import Meter
from holdfast.telemetry.runtime import Runtime, tell_build

log = get_logger("app.web")

BACKLOG: Final = 4096
MOST_AT_ONCE: Final = 16_384
"""Requests and sockets under way in this process; the server holds up what comes beyond."""

START_S: Final = 10.0


class Listening(msgspec.Struct, frozen=True):
    """Where the API is reached."""

    listening: str
    metrics: str


def run_api(
    config: Config, told: Callable[[Listening], None], file: Path | None = None
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        told: is called once, when connections are accepted.
        file: that the configuration was read from; None is the working directory's.

    Raises:
        ConfigError: it cannot work as it is told to.
        UnreachableError: a port cannot be had, or the database not be reached.
    """
    asyncio.run(_run(config, told, file))


def described() -> dict[str, Any]:
    """The OpenAPI document."""
    return description()


async def _run(
    config: Config, told: Callable[[Listening], None], file: Path | None
) -> None:
    for name, instead in without_effect():
        log.warning("has no effect", action="without_effect", variable=name, instead=instead)
    begin_exports("api")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = config.api
    _available(settings.host, settings.port)  # before threads and processes begin for nothing
    meter = Meter()
    runtime = Runtime(meter, "api")
    tell_build(meter)
    watching = asyncio.create_task(runtime.watch_loop())
    async with joined(config, meter, file) as ports:
        if is_asked_by_hangup():
            loop.add_signal_handler(signal.SIGHUP, ports.settings.reload)
        api = build(ports, terms_of(config), meter)
        async with (
            metrics.serving(
                settings.host, settings.metrics_port, meter, api.checkup
            ) as metrics_port,
            serving(api, settings.host, settings.port) as port,
        ):
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            where = Listening(f"http://{host}:{port}", f"http://{host}:{metrics_port}")
            log.info(
                "listening", action="api_listening", at=where.listening, metrics=where.metrics,
                environment=environment_name(),
            )  # fmt: skip
            told(where)
            await stop.wait()
            log.info("stopping", action="api_stopping")
    watching.cancel()


def terms_of(config: Config) -> Terms:
    """How callers are treated, from the configuration."""
    settings = config.api
    return Terms(
        hosts=settings.hosts, origins=settings.origins, proxies=settings.proxies,
        by_user=Rate(settings.per_user, 60.0), by_address=Rate(settings.per_address, 60.0),
        time_limit_s=settings.time_limit_s, folder=Path(config.state_dir),
    )  # fmt: skip


@asynccontextmanager
async def serving(api: Api, host: str, port: int) -> AsyncIterator[int]:
    """Accept connections while the context lasts; yields the port, which 0 leaves to the system.

    Raises:
        UnreachableError: the port cannot be had.
    """
    port = _available(host, port)
    server: Any = Server(
        api.app, host, port, interface=Interfaces.ASGINL, http=HTTPModes.http1, websockets=True,
        backlog=BACKLOG, backpressure=MOST_AT_ONCE, log_enabled=False,
    )  # fmt: skip
    running = asyncio.create_task(server.serve(), name="http server")
    try:
        await _accepted(running, host, port)
        yield port
    finally:
        server.stop()
        await running


def _available(host: str, port: int) -> int:
    """See that the port can be had, before anything is told that it is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UnreachableError(
                f"seen: {host}:{port} cannot be listened on ({error.strerror}); expected: a free "
                "port; do: name another with PORT, or end what listens there"
            ) from error
        return int(probe.getsockname()[1])


async def _accepted(running: asyncio.Task[None], host: str, port: int) -> None:
    """Wait until the server accepts connections.

    Raises:
        UnreachableError: it ended instead, or takes too long.
    """
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + START_S
    while not running.done() and loop.time() < deadline_s:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    raise UnreachableError(
        f"seen: no server at {host}:{port} after {START_S:g} s; expected: one; do: look at the log"
    )
