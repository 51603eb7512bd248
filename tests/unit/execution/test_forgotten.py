"""Attempts that closed longer ago than the fold remembers: known as ours, and never in silence."""

from __future__ import annotations

import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import Armed, AttemptMoved, Filled, ForeignOrder, Ghost
from holdfast.domain.order import AttemptState, OrderState
from tests.support.exchange import on_loop
from tests.support.execution_world import ExecutionWorld, fill, report, world


async def _forgotten(at: ExecutionWorld) -> Armed:
    """An attempt that was declared never executed, more orders ago than the fold remembers."""
    order = await at.doubt(1)
    await at.recorder.record(
        AttemptMoved(cid=order.armed.cid, state=AttemptState.NEVER_EXECUTED, evidence="absent")
    )
    await at.forget(order.armed)
    return order.armed


@pytest.mark.parametrize("policy", list(ReconcilePolicy))
def test_a_late_trade_found_at_the_start_is_a_ghost_and_no_journal_behind(
    policy: ReconcilePolicy,
) -> None:
    @on_loop
    async def run() -> None:
        at = await world(policy)
        late = await _forgotten(at)
        at.venue.trades = [fill(6, "8")]
        at.venue.owners["BTC/USDT", "8"] = report(late, order_id="8")
        at.venue.holds(BTC="1", USDT="900")

        assert await at.reconciler.at_start()

        assert [(each.bot, each.fill.cid) for each in at.of_kind(Filled)] == [("bot", late.cid)]
        assert [ghost.cid for ghost in at.of_kind(Ghost)] == [late.cid]
        assert at.account.halted == "ghost"
        assert at.account.bot("bot").position("BTC/USDT").quantity == 1

    run()


@on_loop
async def test_a_late_trade_that_comes_by_the_stream_is_booked_and_said_once() -> None:
    at = await world()
    late = await _forgotten(at)
    told = report(late, OrderState.PARTIALLY_FILLED, fills=(fill(6, cid=late.cid),))

    assert await at.books.report(told, "stream")
    assert await at.books.report(told, "stream")
    more = fill(7, cid=late.cid)
    assert await at.books.fills([more, more], "trades") == []

    assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["6", "7"]
    assert len(at.of_kind(Ghost)) == 1


@on_loop
async def test_an_open_order_of_a_forgotten_attempt_is_a_ghost_and_no_stranger() -> None:
    at = await world()
    late = await _forgotten(at)
    at.venue.open = [report(late, OrderState.NEW, executed="0")]

    assert await at.reconciler.at_start()

    assert [ghost.cid for ghost in at.of_kind(Ghost)] == [late.cid]
    assert at.of_kind(ForeignOrder) == []
    assert at.account.halted == "ghost"


@on_loop
async def test_trades_that_were_booked_before_it_was_forgotten_are_no_ghost() -> None:
    """Another process booked them; this one has only the journal to know it by."""
    at = await world()
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    await at.forget(attempt)
    books = at.new_books()

    await books.fills([fill(5, cid=attempt.cid)], "trades")
    await books.report(report(attempt), "stream")

    assert at.of_kind(Ghost) == []
    assert len(at.of_kind(Filled)) == 1
    assert at.account.halted == ""


@on_loop
async def test_a_cancelled_order_that_is_named_by_its_cancel_is_known() -> None:
    """Some answers about a cancelled order show the id of the cancel as the order's own."""
    at = await world()
    order = await at.doubt(1)
    await at.desk.cancel_once(order.armed, barrier=True)
    (cancel,) = at.venue.cancels
    at.venue.trades = [fill(6, "8")]
    cancelled = report(order.armed, OrderState.CANCELLED, order_id="8")
    at.venue.owners["BTC/USDT", "8"] = type(cancelled)(
        **{f: getattr(cancelled, f) for f in cancelled.__struct_fields__ if f != "cid"},
        cid=cancel.cid,
    )
    at.venue.holds(BTC="1", USDT="900")

    assert await at.reconciler.at_start()

    assert order.state.value == "ACKED"
    assert [each.fill.cid for each in at.of_kind(Filled)] == [order.armed.cid]
    assert at.of_kind(Ghost) == []
