"""A limit order that the way doubles, on a real exchange with a real journal: the copy is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from holdfast.domain.fact import Armed, CancelArmed, Filled, Ghost
from holdfast.journal.sqlite import SqliteStore
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.signing import Key
from holdfast.venues.port import Placement, Purpose
from tests.support.exchange import Client, Clock, local_exchange, on_loop
from tests.support.execution_world import ExecutionWorld, world
from tests.support.waiting import PATIENCE_S

PRICE = Decimal(60_000)


@asynccontextmanager
async def _trading(path: Path) -> AsyncIterator[tuple[ExecutionWorld, BinanceVenue, Client]]:
    clock = Clock()
    async with local_exchange({"USDT": "1000000"}, now_ns=clock) as (running, client):
        venue = BinanceVenue(
            Key(client.api_key, client.secret),
            Endpoints(rest_url=running.url),
            wall_ns=clock,
            mono_ns=lambda: 0,  # time stands at both ends: no question is ever ahead of it
        )
        store = SqliteStore(path / "journal.db")
        try:
            yield await world(cash="1000000", store=store, venue=venue), venue, client
        finally:
            await venue.close()
            await store.close()


async def _place_doubled(at: ExecutionWorld, venue: BinanceVenue, client: Client) -> Armed:
    """One unit at the best ask: the order takes all that is there, and its copy rests."""
    attempt = await at.arm(1, price=PRICE)
    await client.fault("duplicate_request", method="POST", count=1, delay_ms=20)
    verdict = await venue.place(
        Placement(
            attempt.cid, attempt.spec, attempt.timestamp_ms, attempt.window_ms, Purpose.ENTER
        ),
        lambda: None,
    )
    assert verdict.report is not None
    await at.books.report(verdict.report, "reply")
    async with asyncio.timeout(PATIENCE_S):
        while len((await client.ledger())["orders"]) < 2:
            await asyncio.sleep(0.01)
    return attempt


def _agrees(at: ExecutionWorld, ledger: dict[str, object]) -> bool:
    executions = ledger["executions"]
    assert isinstance(executions, list)
    return len(executions) == len(at.of_kind(Filled))


@on_loop
async def test_the_copy_of_a_limit_order_is_found_by_polling_alarmed_and_cancelled(
    tmp_path: Path,
) -> None:
    async with _trading(tmp_path) as (at, venue, client):
        attempt = await _place_doubled(at, venue, client)

        await at.sweep.symbol("BTC/USDT")
        assert at.account.halted == "ghost"
        while at.books.strays.due():
            await at.resolver.end_strays()

        assert await venue.open_orders("BTC/USDT", Purpose.RESOLVE) == []
        ledger = await client.ledger()
        assert [row["status"] for row in ledger["orders"]] == ["FILLED", "CANCELED"]
        assert [row.target for row in at.of_kind(CancelArmed)] == [attempt.cid]
        assert len(at.of_kind(Ghost)) == 1
        assert _agrees(at, ledger)


@on_loop
async def test_what_the_copy_executed_before_its_end_is_booked(tmp_path: Path) -> None:
    async with _trading(tmp_path) as (at, venue, client):
        attempt = await _place_doubled(at, venue, client)
        await at.sweep.symbol("BTC/USDT")
        await client.admin(
            "POST",
            "orders",
            {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.25"},
        )

        while at.books.strays.due():
            await at.resolver.end_strays()

        booked = at.of_kind(Filled)
        assert {each.fill.cid for each in booked} == {attempt.cid}
        assert sum(each.fill.quantity for each in booked) == Decimal("1.25")
        assert _agrees(at, await client.ledger())
