"""Books: each execution is booked once, on the order that it belongs to."""

from __future__ import annotations

import asyncio
from typing import Any

from holdfast.domain.fact import AttemptMoved, Filled, Ghost
from holdfast.domain.order import AttemptState, OrderState
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Head
from tests.support.exchange import on_loop
from tests.support.execution_world import fill, report, world


@on_loop
async def test_a_trade_is_booked_on_the_order_of_its_own_symbol() -> None:
    """Exchanges count the orders of each symbol from one, so that their ids repeat."""
    at = await world()
    bitcoin, ether = await at.arm(1, "BTC/USDT"), await at.arm(2, "ETH/USDT")
    await at.books.report(report(bitcoin, order_id="7"), "reply")
    await at.books.report(report(ether, order_id="7"), "reply")

    strangers = await at.books.fills([fill(1, "7", "BTC/USDT"), fill(1, "7", "ETH/USDT")], "trades")

    assert strangers == []
    booked = {(each.fill.symbol, each.fill.cid) for each in at.of_kind(Filled)}
    assert booked == {("BTC/USDT", bitcoin.cid), ("ETH/USDT", ether.cid)}


@on_loop
async def test_an_execution_that_is_told_three_ways_is_booked_once() -> None:
    at = await world()
    attempt = await at.arm(1)
    told = report(attempt, fills=(fill(5, cid=attempt.cid),))

    await at.books.report(told, "stream")
    await at.books.report(told, "reply")
    await at.books.fills([fill(5)], "trades")

    assert len(at.of_kind(Filled)) == 1
    assert at.account.holdings["BTC"] == 1


class SlowStore(MemoryStore):
    """Commits when it is told to, as a store does that stalls."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def commit_at_once(self, *_args: Any) -> None:
        """Never: all commits take their time."""

    async def commit(self, head: Head, groups: Any, at_ns: int) -> Any:
        await self.goes_on.wait()
        return self.commit_now(head, groups, at_ns)


@on_loop
async def test_a_report_that_is_cancelled_on_its_way_to_the_journal_is_not_made_again() -> None:
    """Two facts that both acknowledge an attempt would be a stream that nobody can fold."""
    store = SlowStore()
    at = await world(store=store)
    attempt = await at.arm(1)
    store.goes_on.clear()
    reply = asyncio.create_task(at.books.report(report(attempt), "reply"))
    await asyncio.sleep(0)
    reply.cancel()  # the process is to lead no more
    stream = asyncio.create_task(at.books.report(report(attempt), "stream"))
    for _ in range(5):
        await asyncio.sleep(0)
    store.goes_on.set()
    await stream
    await at.drain()

    assert reply.cancelled()
    moved = [fact for fact in at.of_kind(AttemptMoved) if fact.cid == attempt.cid]
    assert [fact.evidence for fact in moved] == ["reply"]
    assert at.broken == []


@on_loop
async def test_who_waits_for_an_attempt_keeps_others_out_whatever_comes_between() -> None:
    """In the turn in which one report has ended and the next has not begun, nobody holds it."""
    store = SlowStore()
    at = await world(store=store)
    order = await at.doubt(1)
    told = report(order.armed, OrderState.NEW, executed="0")
    ends = asyncio.Event()

    async def first() -> None:
        async with at.books._alone(order.armed.cid):
            await ends.wait()
        for number in range(100):  # and of many another attempt, in the same turn
            async with at.books._alone(str(number)):
                pass

    firstly = asyncio.create_task(first())
    await asyncio.sleep(0)
    stream = asyncio.create_task(at.books.report(told, "stream"))
    await asyncio.sleep(0)
    store.goes_on.clear()
    ends.set()
    await firstly
    query = asyncio.create_task(at.books.report(told, "query by id"))
    for _ in range(5):
        await asyncio.sleep(0)
    store.goes_on.set()
    await asyncio.gather(stream, query)
    await at.drain()

    moved = [m for m in at.of_kind(AttemptMoved) if m.state is AttemptState.ACKED]
    assert [fact.evidence for fact in moved] == ["stream"]
    assert at.broken == []
    assert len(at.books._locks) <= 1, "what nobody holds is kept for nobody"


@on_loop
async def test_old_news_of_an_order_changes_nothing() -> None:
    at = await world()
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    before = len(at.facts)

    await at.books.report(report(attempt, OrderState.NEW, executed="0"), "query by id")

    assert len(at.facts) == before


@on_loop
async def test_a_request_that_executed_twice_is_booked_twice_and_alarmed_once() -> None:
    """Ids are unique among open orders only: a copy made on the way may execute after the first."""
    at = await world()
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")

    second = report(attempt, order_id="8", fills=(fill(6, "8", cid=attempt.cid),))
    await at.books.report(second, "stream")
    await at.books.report(second, "open orders")

    assert at.account.holdings["BTC"] == 2
    assert [ghost.evidence for ghost in at.of_kind(Ghost)] == [
        "stream: order 8 has the id of order 7"
    ]
    assert at.account.halted == "ghost"


@on_loop
async def test_polling_alone_finds_the_trade_of_a_request_that_executed_twice() -> None:
    at = await world()
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(5), fill(6, "8")]
    at.venue.owners["BTC/USDT", "8"] = report(attempt, order_id="8")

    assert await at.sweep.trades("BTC/USDT") == []

    assert at.account.holdings["BTC"] == 2
    assert at.account.halted == "ghost"
