"""The sweep's loop: how soon it asks again, and that it ends whenever it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest

from holdfast.domain.event import Committed
from holdfast.domain.fact import Filled, OrderMoved
from holdfast.domain.fill import Fill
from holdfast.domain.order import OrderState
from holdfast.errors import RetryableError
from holdfast.execution.evidence import HORIZON_MS
from holdfast.execution.sweep import side_by_side
from holdfast.simulation.loop import VirtualLoop
from holdfast.venues.port import ArchivedError, OrderReport, Purpose
from tests.support.exchange import on_loop
from tests.support.execution_world import WINDOW_MS, fill, report, world

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
    """The stream delivers, but what it said before it was there is not repeated: a bot whose order
    has executed does nothing until its trades are booked.
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
        await asyncio.wait({sweeping})

    _in_virtual_time(course())


def test_trades_that_are_never_listed_are_asked_for_less_and_less_often() -> None:
    async def course() -> None:
        at = await world()
        order = await at.doubt(1)
        at.venue.orders[order.armed.cid] = report(order.armed)
        await at.resolver.settle("BTC/USDT")
        asked = 0

        async def never(*_which: Any, **_from: Any) -> list[Fill]:
            nonlocal asked
            asked += 1
            return []

        at.venue.fills = never  # type: ignore[method-assign]
        sweeping = asyncio.create_task(at.sweep.run())
        await asyncio.sleep(60)
        assert asked == 3 + 10  # after 1, 3 and 7 s, and then every five
        sweeping.cancel()
        await asyncio.wait({sweeping})

    _in_virtual_time(course())


@pytest.mark.parametrize(("executed", "is_asked"), [("1", False), ("2", True)])
@on_loop
async def test_only_what_executed_without_its_fills_is_asked_for_at_once(
    executed: str, *, is_asked: bool
) -> None:
    """A round costs a question for every symbol with a resting order, and each fill is told."""
    at = await world()
    attempt = await at.arm(1, price=Decimal(100))
    await at.books.report(report(attempt, OrderState.NEW, executed="0"), "reply")
    hurried: list[bool] = []
    at.sweep.hurry = lambda: hurried.append(True)  # type: ignore[method-assign]
    fold = at.recorder._on_committed

    def committed(event: Committed) -> None:
        fold(event)
        at.sweep.committed(event)

    at.recorder._on_committed = committed
    told = report(
        attempt, OrderState.PARTIALLY_FILLED, executed=executed, fills=(fill(5, cid=attempt.cid),)
    )
    await at.books.report(told, "stream")

    assert [type(fact) for fact in at.facts[-2:]] == [OrderMoved, Filled]
    assert hurried == ([True] if is_asked else [])


@on_loop
async def test_a_question_that_fails_ends_the_others_and_leaves_no_cancel_behind() -> None:
    others = asyncio.Event()

    async def unanswered() -> list[str]:
        raise RetryableError("no answer")

    async def slow() -> list[str]:
        try:
            return await asyncio.Future()
        finally:
            others.set()

    with pytest.raises(RetryableError, match="no answer"):
        await side_by_side([slow(), unanswered()])
    assert others.is_set()
    asking = asyncio.current_task()
    assert asking is not None
    assert asking.cancelling() == 0, "the next timeout would take itself for a cancel"


def test_a_symbol_whose_question_is_not_answered_holds_up_no_other() -> None:
    async def course() -> None:
        at = await world()
        orders = [await at.doubt(1, "BTC/USDT"), await at.doubt(2, "ETH/USDT")]
        for number, order in enumerate(orders):
            at.venue.orders[order.armed.cid] = report(order.armed, order_id=str(number))
            await at.resolver.settle(order.armed.spec.symbol)
        at.venue.trades = [fill(5, "1", "ETH/USDT")]

        async def unanswered(symbol: str, _purpose: Purpose) -> list[OrderReport]:
            if symbol == "BTC/USDT":
                await asyncio.sleep(5)
                raise RetryableError("seen: no answer")
            return []

        at.venue.open_orders = unanswered  # type: ignore[method-assign]
        sweeping = asyncio.create_task(at.sweep.run())
        at.sweep.hurry()
        await asyncio.sleep(0.5)
        assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["5"]
        sweeping.cancel()
        await asyncio.wait({sweeping})

    _in_virtual_time(course())


def _in_virtual_time(course: Coroutine[Any, Any, None]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(course)
    finally:
        loop.close()


@on_loop
async def test_a_resting_order_that_was_archived_meanwhile_is_not_open_for_ever() -> None:
    """It was cancelled, or expired, while nobody looked, longer ago than the exchange keeps it."""
    at = await world()
    attempt = await at.arm(1, price=Decimal(100))
    await at.books.report(report(attempt, OrderState.NEW, executed="0"), "reply")
    at.venue.archived = {attempt.cid}
    at.pass_s(HORIZON_MS / 1000)  # Binance has said so of orders that were new
    await at.sweep.round()
    order = at.account.live[attempt.cid]
    assert order.is_working

    at.pass_s(WINDOW_MS / 1000 + 0.3)
    at.venue.open = [report(attempt, OrderState.NEW, executed="0")]
    await at.sweep.round()
    assert order.is_working

    at.venue.open = []
    await at.sweep.round()
    assert (order.order_state, order.outstanding) == (OrderState.EXPIRED, Decimal(0))
    assert attempt.cid not in at.account.live


@on_loop
async def test_an_order_that_has_executed_in_part_is_not_ended_by_a_word_that_denies_it() -> None:
    at = await world()
    attempt = await at.arm(1, price=Decimal(100))
    await at.books.report(report(attempt, OrderState.PARTIALLY_FILLED, executed="0.5"), "reply")
    at.venue.archived = {attempt.cid}
    at.pass_s(60)
    await at.sweep.round()
    assert at.account.live[attempt.cid].is_working


@on_loop
async def test_a_trade_of_an_order_that_is_said_to_be_archived_is_nobody_s_yet() -> None:
    at = await world()

    async def archived(*_which: Any) -> OrderReport | None:
        raise ArchivedError("-2026", "scripted")

    at.venue.order_by_id = archived  # type: ignore[assignment, method-assign]
    at.venue.trades = [fill(5)]
    (stranger,) = await at.sweep.trades("BTC/USDT")
    assert (stranger.fill.trade_id, stranger.cid) == ("5", "")
