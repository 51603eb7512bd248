"""Orders of ours that no attempt stands for: alarmed, cancelled by their own id, and booked."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from holdfast.domain.fact import Armed, AttemptMoved, CancelArmed, Filled, Ghost, OrderMoved
from holdfast.domain.order import AttemptState, OrderState
from holdfast.errors import RetryableError
from holdfast.venues.port import Answer, OrderReport, Verdict
from tests.support.exchange import on_loop
from tests.support.execution_world import ExecutionWorld, fill, report, world

PRICE = Decimal(100)
GONE = "0"


async def _doubled(at: ExecutionWorld) -> tuple[Armed, OrderReport]:
    """A limit order that has filled as order 7, and the open copy of its request, order 8."""
    attempt = await at.arm(1, price=PRICE)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    return attempt, report(attempt, OrderState.NEW, order_id="8", executed=GONE)


def _cancelled(copy: OrderReport, executed: str = GONE) -> OrderReport:
    fields = {f: getattr(copy, f) for f in copy.__struct_fields__}
    return OrderReport(
        **{**fields, "state": OrderState.CANCELLED, "executed": Decimal(executed)}
    )


@on_loop
async def test_an_open_copy_is_alarmed_and_cancelled_by_its_own_id() -> None:
    at = await world()
    attempt, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(copy))

    await at.books.report(copy, "stream")
    await at.resolver.end_strays()

    assert [(c.target, c.order_id) for c in at.venue.cancels] == [(attempt.cid, "8")]
    (row,) = at.of_kind(CancelArmed)
    assert (row.cid, row.target, row.order_id) == (at.venue.cancels[0].cid, attempt.cid, "8")
    assert len(at.of_kind(Ghost)) == 1
    assert at.account.halted == "ghost"
    await at.resolver.end_strays()
    assert len(at.venue.cancels) == 1  # it is over


@on_loop
async def test_what_a_copy_executed_before_its_cancel_is_booked() -> None:
    at = await world()
    attempt, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(copy, executed="1"))

    await at.books.report(copy, "open orders")
    await at.resolver.end_strays()  # the trade is not visible yet
    assert at.account.holdings["BTC"] == 1
    at.venue.trades = [fill(5), fill(6, "8")]
    at.venue.owners["BTC/USDT", "8"] = _cancelled(copy, executed="1")
    await at.resolver.end_strays()

    assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["5", "6"]
    assert at.of_kind(Filled)[-1].fill.cid == attempt.cid
    assert len(at.venue.cancels) == 1
    assert at.books.strays.due() == []


@on_loop
async def test_the_first_order_ends_although_its_copy_has_executed_more() -> None:
    at = await world()
    attempt = await at.arm(1, price=PRICE)
    await at.books.report(report(attempt, OrderState.NEW, executed=GONE), "reply")
    copy = report(attempt, order_id="8", fills=(fill(6, "8", cid=attempt.cid),))
    await at.books.report(copy, "stream")
    assert attempt.cid in at.account.live

    await at.books.report(report(attempt, OrderState.CANCELLED, executed=GONE), "stream")

    assert attempt.cid not in at.account.live
    assert at.account.holdings["BTC"] == 1
    assert at.broken == []


@on_loop
async def test_what_a_copy_executes_takes_nothing_off_what_the_first_order_needs() -> None:
    at = await world()
    attempt = await at.arm(1, price=PRICE)
    await at.books.report(report(attempt, OrderState.NEW, executed=GONE), "reply")
    copy = report(attempt, order_id="8", fills=(fill(6, "8", cid=attempt.cid),))
    await at.books.report(copy, "stream")

    first = at.account.live[attempt.cid]
    assert (first.executed, first.outstanding) == (Decimal(0), Decimal(1))
    assert at.account.reserved("USDT") == attempt.reserve

    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "stream")
    assert attempt.cid not in at.account.live
    assert (at.account.reserved("USDT"), at.account.holdings["BTC"]) == (Decimal(0), Decimal(2))


@on_loop
async def test_a_copy_that_has_ended_meanwhile_is_asked_for_by_its_own_id() -> None:
    """Unknown order says nothing of what it executed; the newest order of the id may be another."""
    at = await world()
    _, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.ABSENT)
    at.venue.owners["BTC/USDT", "8"] = _cancelled(copy, executed="1")
    at.venue.trades = [fill(5), fill(6, "8")]

    await at.books.report(copy, "stream")
    await at.resolver.end_strays()

    assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["5", "6"]
    assert at.books.strays.due() == []


@on_loop
async def test_a_cancel_without_an_answer_is_repeated_as_a_row_of_its_own() -> None:
    at = await world()
    _, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.UNKNOWN)

    await at.books.report(copy, "stream")
    for _ in range(3):
        await at.resolver.end_strays()

    assert len({cancel.cid for cancel in at.venue.cancels}) == 3
    assert len(at.of_kind(CancelArmed)) == 3


@on_loop
async def test_a_new_process_goes_on_cancelling_what_is_still_open() -> None:
    """The ids of the cancels that the process before it sent are taken."""
    at = await world()
    _, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.UNKNOWN)
    await at.books.report(copy, "stream")
    await at.resolver.end_strays()

    again = at.reborn()
    at.venue.open = [copy]
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(copy))
    await again.sweep.symbol("BTC/USDT")
    while again.books.strays.due():
        await again.resolver.end_strays()

    assert len({cancel.cid for cancel in at.venue.cancels}) == len(at.venue.cancels) == 2
    assert len(at.of_kind(Ghost)) == 1


@on_loop
async def test_an_exchange_that_does_not_answer_is_asked_again() -> None:
    at = await world()
    _, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(copy, executed="1"))
    at.venue.on_trades = RetryableError("seen: nothing; expected: trades; do: ask again")

    await at.books.report(copy, "stream")
    await at.resolver.end_strays()

    assert [stray.order_id for stray in at.books.strays.due()] == ["8"]


@on_loop
async def test_the_resolver_is_woken_by_an_open_copy() -> None:
    at = await world()
    _, copy = await _doubled(at)
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(copy))
    running = asyncio.create_task(at.resolver.run())
    await asyncio.sleep(0)

    await at.books.report(copy, "stream")
    async with asyncio.timeout(5):
        while at.books.strays.due():
            await asyncio.sleep(0)
    running.cancel()

    assert len(at.venue.cancels) == 1


@on_loop
async def test_the_first_order_is_still_followed_while_its_copy_is_open() -> None:
    """Both carry one id: an open copy must not pass for the order that has filled unseen."""
    at = await world()
    attempt = await at.arm(1, price=PRICE)
    await at.books.report(report(attempt, OrderState.NEW, executed=GONE), "reply")
    copy = report(attempt, OrderState.NEW, order_id="8", executed=GONE)
    at.venue.open = [copy]
    at.venue.orders[attempt.cid] = copy  # the newest of that id
    at.venue.owners["BTC/USDT", "7"] = report(attempt)
    at.venue.trades = [fill(5)]

    await at.sweep.symbol("BTC/USDT")
    await at.sweep.symbol("BTC/USDT")

    assert [moved.state for moved in at.of_kind(OrderMoved)] == [OrderState.FILLED]
    assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["5"]


@on_loop
async def test_an_open_order_that_was_declared_not_sent_is_cancelled() -> None:
    at = await world()
    attempt = await at.arm(1, price=PRICE)
    await at.recorder.record(
        AttemptMoved(cid=attempt.cid, state=AttemptState.NOT_SENT, evidence="a test")
    )
    stray = report(attempt, OrderState.NEW, executed=GONE)
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(stray))

    await at.books.report(stray, "open orders")
    await at.resolver.end_strays()

    assert [cancel.order_id for cancel in at.venue.cancels] == ["7"]
    assert at.books.strays.due() == []


@on_loop
async def test_an_open_order_of_a_forgotten_attempt_is_cancelled() -> None:
    at = await world()
    attempt, copy = await _doubled(at)
    await at.forget(attempt)
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=_cancelled(copy))

    await at.books.report(copy, "open orders")
    await at.resolver.end_strays()

    assert [(c.target, c.order_id) for c in at.venue.cancels] == [(attempt.cid, "8")]
    assert at.books.strays.due() == []
