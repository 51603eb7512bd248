"""The read model beside a real node: everything that the API asks is answered from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from holdfast.api.ports import NotThereError, Which
from holdfast.api.shapes.trading import OrderCondition
from holdfast.app.view.open import View, viewing
from holdfast.config import load
from holdfast.errors import RetryableError
from holdfast.platform.identity.values import Grant, Principal, Role
from tests.support.exchange import on_loop
from tests.support.node import ACCOUNT, QUOTER
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S

T = TypeVar("T")

ADMIN = Principal(user_id="1", name="ada", role=Role.ADMIN, scopes=Role.ADMIN.scopes)
STRANGER = Principal(
    user_id="2", name="bea", role=Role.TRADER, scopes=Role.TRADER.scopes, grants=(Grant("other"),)
)


async def until_true(ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool]) -> T:
    """The first answer that holds."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + PATIENCE_S
    while True:
        try:
            found = await ask()
        except RetryableError:
            found = None
        if found is not None and holds(found):
            return found
        assert loop.time() < deadline_s, found
        await asyncio.sleep(0.05)


@pytest.mark.slow
@on_loop
async def test_everything_that_is_asked_of_a_trading_node_is_answered(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        node = made.node((QUOTER,))
        config = load(node.config, {})
        async with viewing(config) as view:
            await node.start()
            reads = view.reads
            overview = await until_true(
                lambda: reads.overview(ADMIN), lambda o: o.sentence.startswith("Trading normally.")
            )
            assert overview.leaders
            assert overview.equity is not None
            assert overview.positions[ACCOUNT] <= view.model.journals.accounts[ACCOUNT].state.seq

            fills = await until_true(
                lambda: reads.fills(ADMIN, Which(), None, 50), lambda part: len(part.items) >= 4
            )
            assert fills.items[0].bot == "quoter"
            filled = await reads.orders(ADMIN, Which(condition=OrderCondition.FILLED), None, 500)
            assert {one.condition for one in filled.items} == {OrderCondition.FILLED}
            await until_true(
                lambda: reads.orders(ADMIN, Which(), None, 500), lambda part: len(part.items) >= 8
            )
            orders = await reads.orders(ADMIN, Which(), None, 3)
            assert len(orders.items) == 3
            assert orders.end is not None
            more = await reads.orders(ADMIN, Which(), orders.end, 3)
            assert more.items[0].seq < orders.items[-1].seq
            story = await reads.order(ADMIN, ACCOUNT, fills.items[0].cid or "")
            kinds = [entry.kind for entry in story.timeline]
            assert kinds[0] == "armed"
            assert "attempt" in kinds
            await _asks_for_the_rest(view)
            await _hears_what_happens(view)
            assert await reads.accounts(STRANGER) == ()
            with pytest.raises(NotThereError):
                await reads.order(STRANGER, ACCOUNT, story.order.cid)
        await made.ended_well(node)


async def _asks_for_the_rest(view: View) -> None:
    reads = view.reads
    (bot,) = await reads.bots(ADMIN)
    assert (bot.name, bot.condition.value, bot.symbols) == ("quoter", "running", ("BTC/USDT",))
    detail = await reads.bot(ADMIN, ACCOUNT, "quoter")
    assert detail.params["quantity"] == "0.8"
    log = await until_true(
        lambda: reads.bot_log(ADMIN, ACCOUNT, "quoter", None, 5), lambda part: bool(part.items)
    )
    assert log.items[0].told.endswith(".")
    (price,) = await reads.prices(ADMIN, ["BTC/USDT"])
    assert price.age_s < PATIENCE_S
    candles = await reads.candles("BTC/USDT", "1s", 10, since=None, until=None)
    assert 0 < len(candles.items) <= 10
    with pytest.raises(NotThereError):
        await reads.candles("DOGE/USDT", "1s", 10, since=None, until=None)
    cluster = await until_true(
        lambda: reads.cluster(ADMIN), lambda found: bool(found.leadership[0].leader)
    )
    assert [n.is_live for n in cluster.nodes] == [True]
    failovers = await until_true(
        lambda: reads.failovers(ADMIN, None, None, 5), lambda part: bool(part.items)
    )
    assert failovers.items[-1].why == "first start"
    balances = {b.asset: b for b in await reads.balances(ADMIN)}
    assert "USDT" in balances
    assert (await reads.account(ADMIN, ACCOUNT)).api_key == "env:NODE_KEY"
    series = await reads.equity(ADMIN, ACCOUNT, None, 100, since=None, until=None)
    assert series.reporting == "USDT"
    conditions = await reads.conditions()
    assert conditions["exchange_connected"] is True


async def _hears_what_happens(view: View) -> None:
    """As it happens, and after an absence from where one was."""
    stream = view.feeds.subscribe(ADMIN, ("orders",), {})
    async for frame in stream:
        if frame.topic == "orders":
            seq = frame.seq
            break
    await stream.aclose()
    again = view.feeds.subscribe(ADMIN, ("orders",), {ACCOUNT: seq - 1})
    async for frame in again:
        if frame.topic == "orders":
            assert frame.seq >= seq
            break
    await again.aclose()
