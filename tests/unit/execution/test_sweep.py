"""The sweep's loop: how soon it asks again, and that it ends whenever it is told to."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.domain.fact import Filled
from holdfast.simulation.loop import VirtualLoop
from tests.support.exchange import on_loop
from tests.support.execution_world import fill, report, world

TURNS = 20


@pytest.mark.parametrize("turns", range(6))
def test_a_cancel_that_comes_together_with_news_is_not_swallowed(turns: int) -> None:
    @on_loop
    async def run() -> None:
        at = await world()
        loop = asyncio.create_task(at.sweep.run())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        at.sweep.hurry()
        for _ in range(turns):
            await asyncio.sleep(0)
        loop.cancel()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        ended = loop.done()
        loop.cancel()
        await asyncio.wait({loop})
        assert ended

    run()


def test_trades_that_the_exchange_lists_late_are_asked_for_again_within_a_second() -> None:
    """In virtual time. The stream delivers, but what it said before it was there is not repeated:
    a bot whose order has executed does nothing until its trades are booked.
    """

    async def course() -> None:
        at = await world()
        order = await at.doubt(1)
        at.venue.orders[order.armed.cid] = report(order.armed)
        sweeping = asyncio.create_task(at.sweep.run())
        await at.resolver.settle("BTC/USDT")  # found, and its trades are not listed yet
        at.sweep.hurry()
        await asyncio.sleep(0.5)
        at.venue.trades = [fill(5)]
        assert at.of_kind(Filled) == []
        await asyncio.sleep(1.0)
        assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["5"]
        sweeping.cancel()

    loop = VirtualLoop()
    loop.run_until_complete(course())
    loop.close()
