"""The native Binance adapter keeps the venue contract, against the local exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

from holdfast.domain.money import plain
from holdfast.domain.order import Side
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.exchange.server import Running
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.signing import Key
from tests.support.exchange import Client, local_exchange
from tests.support.venue_contract import VenueContract
from tests.support.venue_stage import Stage


class BinanceStage:
    """A local exchange and the adapter for its one account."""

    def __init__(self, running: Running, client: Client, exchange: AsyncExitStack) -> None:
        self._running = running
        self._client = client
        self._exchange = exchange
        self.venue = BinanceVenue(
            Key(client.api_key, client.secret),
            Endpoints(rest_url=running.url, ws_api_url=running.ws_api_url),
        )

    def fault(
        self, kind: str, *, path: str | None = None, method: str | None = None, **params: Any
    ) -> None:
        if kind == "revoke_key":
            params["apiKey"] = self._client.api_key
        count = None if kind == "maintenance" else 1
        self._running.desk.admin.inject(
            Fault(FaultKind(kind), Match(method=method, path=path), count=count, params=params)
        )

    def lift(self) -> None:
        self._running.desk.gateway.faults.clear()
        self._running.desk.gateway.incidents.end_all()

    async def place_by_hand(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        await self._client.order(
            side=side.value, type="LIMIT", price=plain(price), quantity=plain(quantity)
        )

    def cut_streams(self) -> None:
        self._running.desk.ws_api.part_all()

    async def stop(self) -> None:
        await self._exchange.aclose()


@asynccontextmanager
async def binance_stage() -> AsyncIterator[Stage]:
    async with AsyncExitStack() as exchange:
        running, client = await exchange.enter_async_context(local_exchange())
        yield BinanceStage(running, client, exchange)


class TestBinanceVenue(VenueContract):
    open_stage = staticmethod(binance_stage)
