"""The local exchange behind its doors: one aiohttp application, in-process or on a port.

`serve` is the entry for tests and the command line; `Desk` is all it joins, for simulations that
bring their own clock and loop. Not here: anything a door or the exchange does.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from holdfast.errors import ConfigError
from holdfast.exchange.admin import Admin
from holdfast.exchange.core import Exchange
from holdfast.exchange.faults import Fault
from holdfast.exchange.flow import Flow, LiveFlow
from holdfast.exchange.gateway import Gateway
from holdfast.exchange.limits import Limits
from holdfast.exchange.live import LivePump
from holdfast.exchange.pump import Pump
from holdfast.exchange.rest import RestDoor
from holdfast.exchange.statelog import StateLog
from holdfast.exchange.streams import MarketStreams, is_stream
from holdfast.exchange.user_stream import UserStreams
from holdfast.exchange.ws_api import WsApiDoor

HOST = "127.0.0.1"
# What a crash of the machine may cost of the state, beside one sync; a kill costs nothing.
SYNC_EVERY_S = 0.1


class Desk:
    """An exchange with its gateway, doors and market, single-threaded.

    Args:
        flow: the market; its events happen while `run` does, at their own pace when it is live.
        now_ns: exchange time, UTC nanoseconds; a simulation passes its own.
        seed: of keys and of all draws of faults.
        speed: market seconds per exchange second; 0 is as fast as the loop turns.
        warm_up_s: exchange seconds of market history to have from the start.
        limits: rate limits.
        faults: in force from the start.
    """

    def __init__(
        self,
        flow: Flow | LiveFlow,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        seed: int = 0,
        speed: float = 1.0,
        warm_up_s: float = 0.0,
        limits: Limits | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        depths = flow.depths if isinstance(flow, LiveFlow) else None
        self.exchange = Exchange(flow.instruments, now_ns=now_ns, seed=seed, depths=depths)
        self.gateway = Gateway(self.exchange, limits or Limits())
        self.user_streams = UserStreams(self.exchange, self.gateway.faults)
        self.market_streams = MarketStreams(self.gateway)
        self.admin = Admin(self.gateway)
        self.pump: Pump | LivePump
        if isinstance(flow, LiveFlow):
            self.gateway.history = flow.history
            self.pump = LivePump(self.exchange, flow, self.market_streams)
        else:
            self.pump = Pump(self.exchange, flow, speed=speed, warm_up_s=warm_up_s)
        self.rest = RestDoor(self.gateway)
        self.ws_api = WsApiDoor(self.gateway, self.user_streams)
        self.gateway.incidents.on_closing += [self.ws_api.part_all, self.market_streams.part_all]
        self.gateway.incidents.on_revoked.append(self.user_streams.terminate)
        for fault in faults:
            self.admin.inject(fault)

    def make_app(self) -> web.Application:
        """The application with all doors; it runs no market by itself."""
        app = web.Application(client_max_size=1 << 20)
        app.add_routes(self.admin.routes())
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer at any door but the administrator's; needs no application around it."""
        path = request.path
        if request.method == "GET" and not path.startswith("/api/"):
            if path == "/ws-api/v3":
                return await self.ws_api.handle(request)
            if is_stream(path):
                return await self.market_streams.handle(request)
        return await self.rest.handle(request)

    async def warm_up(self) -> None:
        """Have a market before the doors open: history, or what is mirrored as it is now."""
        if isinstance(self.pump, LivePump):
            await self.pump.warm_up()
        else:
            self.pump.warm_up()

    async def run(self) -> None:
        """Let the market happen and the streams tick, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pump.run())
            group.create_task(self.market_streams.run())

    async def close(self) -> None:
        """Close all connections, with a word, and drop what is under way."""
        self.ws_api.part_all()
        self.market_streams.part_all()
        self.user_streams.close()
        await self.gateway.close()


class Running:
    """A local exchange that accepts connections.

    Attributes:
        url: its address, such as `http://127.0.0.1:8123`.
        desk: everything behind the doors.
        market: the task that runs the market; its failure is the exchange's.
    """

    def __init__(self, url: str, desk: Desk, market: asyncio.Task[None]) -> None:
        self.url = url
        self.desk = desk
        self.market = market

    @property
    def stream_url(self) -> str:
        """Where the market streams are."""
        return f"{self.url.replace('http', 'ws', 1)}/stream/ws"

    @property
    def ws_api_url(self) -> str:
        """Where the WebSocket API is."""
        return f"{self.url.replace('http', 'ws', 1)}/ws-api/v3"


@asynccontextmanager
async def serve(
    flow: Flow | LiveFlow,
    *,
    port: int = 0,
    seed: int = 0,
    speed: float = 1.0,
    warm_up_s: float = 0.0,
    limits: Limits | None = None,
    faults: Iterable[Fault] = (),
    state_dir: Path | None = None,
    now_ns: Callable[[], int] = time.time_ns,
) -> AsyncIterator[Running]:
    """Run a local exchange on loopback for as long as the context lasts.

    Args:
        port: to listen on; 0 takes a free one.
        state_dir: where accounts and orders are kept across kill -9; None keeps them in memory.
        Others: as for `Desk`.

    Raises:
        ConfigError: the port is taken, or the state cannot be read.
    """
    desk = Desk(
        flow, now_ns=now_ns, seed=seed, speed=speed, warm_up_s=warm_up_s, limits=limits,
        faults=faults,
    )
    await desk.warm_up()
    # After the warm-up: what happened while nobody was there must not trade with anybody.
    async with (
        kept_state(desk.exchange, state_dir),
        _open_doors(desk, port) as url,
        _moving_market(desk) as market,
    ):
        yield Running(url, desk, market)


@asynccontextmanager
async def kept_state(exchange: Exchange, directory: Path | None) -> AsyncIterator[None]:
    """Restore what an earlier run has left in `directory`, and record this one; not without one.

    Raises:
        OSError: the disk failed meanwhile; the exchange has not answered since.
    """
    if directory is None:
        yield
        return
    log, ending = StateLog(directory), asyncio.Event()
    try:
        log.attach(exchange)
        syncing = asyncio.create_task(_keep_synced(log, ending), name="sync of the state")
        try:
            yield
        finally:
            ending.set()
            await syncing
    finally:
        log.close()


async def _keep_synced(log: StateLog, ending: asyncio.Event) -> None:
    """Sync now and then, and once more at the end."""
    while not ending.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(SYNC_EVERY_S):
                await ending.wait()
        if log.unsynced_bytes:
            await asyncio.to_thread(log.sync)


@asynccontextmanager
async def _open_doors(desk: Desk, port: int) -> AsyncIterator[str]:
    """Listen; yields the address."""
    runner = web.AppRunner(desk.make_app(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise ConfigError(
                f"seen: port {port} on {HOST}: {os.strerror(error.errno or 0).lower()}; "
                "expected: a free one; do: stop what listens there or choose another with --port"
            ) from error
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await desk.close()
        await runner.cleanup()


@asynccontextmanager
async def _moving_market(desk: Desk) -> AsyncIterator[asyncio.Task[None]]:
    """Let the market happen; its failure is raised at the end at the latest."""
    market = asyncio.get_running_loop().create_task(desk.run(), name="local market")
    try:
        yield market
    finally:
        market.cancel()
        with suppress(asyncio.CancelledError):
            await market
