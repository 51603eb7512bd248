"""An emergency flatten at an exchange's protocol: what is taken back, sold, refused, repeated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pytest

from holdfast.domain.order import deployment_tag, is_emergency
from holdfast.errors import RejectedError
from holdfast.exchange.faults import Fault, FaultKind, Match
from holdfast.exchange.server import Running
from holdfast.execution import emergency
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.emergency import Emergency, EmergencyFile
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.inspection import last_price
from holdfast.venues.binance.signing import Key
from holdfast.venues.port import Purpose
from tests.support.exchange import Client, local_exchange

TAG = deployment_tag("test")
OURS = TAG + "0" + "5" * 23


@pytest.fixture(autouse=True)
def prompt_balances(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local exchange shows what was done at once."""
    monkeypatch.setattr(emergency, "SHOWN_S", 0.05)


class Scene:
    """An account with some BTC, and who may flatten it."""

    def __init__(self, running: Running, client: Client, venue: BinanceVenue, folder: Path) -> None:
        self.running = running
        self.client = client
        self.venue = venue
        self.folder = folder

    def file(self, host: str = "here") -> EmergencyFile:
        return EmergencyFile(self.folder / host / "main.emergency")

    async def flatten(self, host: str = "here") -> dict[str, Decimal]:
        listed = await self.venue.instruments(("BTC/USDT",))
        return await Emergency(
            account="main", tag=TAG, by="ana", venue=self.venue,
            clock=ExchangeClock(time.monotonic_ns), file=self.file(host),
            price=partial(last_price, self.venue), cap_pct=Decimal(3),
        ).flatten(each for each in listed if each.symbol == "BTC/USDT")  # fmt: skip

    async def bitcoin(self) -> Decimal:
        held = (await self.venue.balances(Purpose.READ)).get("BTC")
        return held.free + held.locked if held else Decimal(0)

    async def sales(self) -> list[dict[str, str]]:
        """Emergency orders that the exchange ever took."""
        orders = (await self.client.ledger())["orders"]
        return [o for o in orders if is_emergency(o["clientOrderId"])]


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with local_exchange() as (running, client):
        endpoints = Endpoints(rest_url=running.url, ws_api_url=running.ws_api_url)
        venue = BinanceVenue(Key(client.api_key, client.secret), endpoints)
        try:
            yield Scene(running, client, venue, folder)
        finally:
            await venue.close()


def test_orders_are_taken_back_first_and_all_that_is_free_is_sold(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            await at.client.order(
                side="SELL", type="LIMIT", quantity="2", price="70000", newClientOrderId=OURS
            )
            assert await at.flatten() == {"BTC/USDT": 0}
            assert await at.bitcoin() < Decimal("0.001")
            assert await at.venue.open_orders("BTC/USDT", Purpose.READ) == []
            lines = at.file().lines()
            assert lines[0].what == "cancel"
            assert lines[0].target == OURS
            written = [line.cid for line in lines if line.what == "sell"]
            assert [o["clientOrderId"] for o in await at.sales()] == written
            assert await at.flatten() == {"BTC/USDT": 0}, "again is nothing"
            assert len(await at.sales()) == len(written)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [FaultKind.DROP_REPLY, FaultKind.DUPLICATE_REQUEST])
def test_a_sale_whose_answer_is_lost_or_that_is_doubled_sells_no_more_than_there_is(
    kind: FaultKind, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            match = Match(method="POST", path="/api/v3/order")
            at.running.desk.admin.inject(Fault(kind, match, count=1))
            assert await at.flatten() == {"BTC/USDT": 0}
            assert await at.bitcoin() < Decimal("0.001")
            sold = sum(Decimal(o["executedQty"]) for o in await at.sales())
            assert sold <= Decimal(10), "what there was"

    asyncio.run(scenario())


def test_while_another_host_does_it_this_one_refuses(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            await at.flatten("there")
            with pytest.raises(RejectedError, match="not in"):
                await at.flatten("here")
            assert at.file("here").lines() == []
            assert await at.flatten("there") == {"BTC/USDT": 0}

    asyncio.run(scenario())


def test_an_order_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            await at.client.order(side="SELL", type="LIMIT", quantity="2", price="70000")
            assert await at.flatten() == {"BTC/USDT": 0}
            (left,) = await at.venue.open_orders("BTC/USDT", Purpose.READ)
            assert left.quantity == 2
            assert not msgspec.json.encode(at.file().lines()).count(b'"cancel"')

    asyncio.run(scenario())
