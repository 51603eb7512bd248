"""The books that strategies see live, from a stand-in of the exchange's public streams.

Not here: keeping a book in step (test_mirror), what a strategy sees of it (tests/unit/engine).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

import pytest

from holdfast.app.live.books import follow_books
from holdfast.app.markets import mirror
from holdfast.domain.event import BookSeen
from holdfast.domain.market import BookLevels, Level
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.gate import Gate
from tests.support.exchange import BTC_USDT, on_loop
from tests.support.stand_in import StandIn, stand_in
from tests.support.waiting import until

SYMBOL = "BTC/USDT"


class Followed:
    """What the engine was told."""

    def __init__(self, source: StandIn, levels: int) -> None:
        self.source = source
        self.levels = levels
        self.told: list[BookLevels] = []

    def take(self, event: BookSeen) -> None:
        self.told.append(event.book)

    @property
    def is_known(self) -> bool:
        return bool(self.told and self.told[-1].bids)

    def expected(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best levels as the exchange has them."""
        rows = self.source.ladder("BTCUSDT").rows(self.levels)
        bids, asks = (
            tuple((Decimal(price), Decimal(size)) for price, size in rows[side])
            for side in ("bids", "asks")
        )
        return bids, asks

    async def caught_up(self) -> None:
        """Until what was told last is what the exchange has."""

        def agrees() -> bool:
            return bool(self.told) and (self.told[-1].bids, self.told[-1].asks) == self.expected()

        await until(agrees, "the book that was sent")

    async def step_to_change(self) -> None:
        """Send up to and with the next change of the book."""
        kind = ""
        while kind != "depthUpdate":
            await self.source.step()
            kind = self.source.messages[self.source.sent - 1].kind


@asynccontextmanager
async def followed(levels: int) -> AsyncIterator[Followed]:
    """Books of so many levels, as soon as they are known."""
    async with stand_in("BTCUSDT") as source:
        world = Followed(source, levels)
        following = asyncio.create_task(
            follow_books(
                Endpoints(
                    rest_url=source.url,
                    stream_url=f"{source.url.replace('http', 'ws', 1)}/stream",
                ),
                Gate(ServerClock(time.monotonic_ns, time.time_ns)),
                instruments={SYMBOL: BTC_USDT},
                wanted={SYMBOL: levels},
                broke=lambda: None, take=world.take,
            )
        )
        try:
            await until(lambda: source.is_followed, "a subscription")
            await world.step_to_change()
            await until(lambda: world.is_known, "a book")
            yield world
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


@on_loop
async def test_the_levels_told_are_those_of_the_exchange_after_every_change() -> None:
    async with followed(20) as world:
        for _ in range(60):
            await world.step_to_change()
            await world.caught_up()
            assert world.told[-1].at_ns > 0
            assert len(world.told[-1].bids) == 20
        assert not any("/trades" in path for path in world.source.asked)


@on_loop
async def test_where_a_change_was_missed_no_book_is_shown_until_it_is_known_again() -> None:
    async with followed(5) as world:
        for _ in range(20):  # the first changes are in the snapshot already
            await world.step_to_change()
        await world.caught_up()
        world.source.drop = 1
        await world.step_to_change()
        count = len(world.told)
        await world.step_to_change()
        await until(lambda: len(world.told) > count, "the loss")
        assert world.told[count] == BookLevels(0, SYMBOL)
        await until(lambda: world.is_known, "a new snapshot")
        await world.step_to_change()
        await world.caught_up()


@on_loop
async def test_when_the_market_leaves_the_levels_of_its_snapshot_another_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mirror, "DEPTH_LEVELS", 30)
    async with followed(20) as world:
        asked = world.source.asked
        while sum("/depth" in path for path in asked) < 2:
            await world.step_to_change()
            await asyncio.sleep(0)
            assert world.source.sent < len(world.source.messages), "it never moved so far"
        await until(lambda: world.is_known, "a new snapshot")
        await world.step_to_change()
        await world.caught_up()


@on_loop
async def test_nothing_is_opened_where_nobody_looks() -> None:
    nowhere = Endpoints(rest_url="http://127.0.0.1:9", stream_url="ws://127.0.0.1:9")
    gate = Gate(ServerClock(time.monotonic_ns, time.time_ns))
    await follow_books(
        nowhere, gate, instruments={}, wanted={}, broke=lambda: None, take=lambda _: None
    )
