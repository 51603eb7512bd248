"""Strangers: orders and trades at the exchange, found at the start, that no row stands for.

Not here: those of the time before a backup was restored (test_lost_time), trades of attempts that
the fold has forgotten (test_forgotten), balances (test_reconcile).
"""

from __future__ import annotations

import asyncio

import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import AttemptMoved, Filled, ForeignOrder, Ghost
from holdfast.domain.order import AttemptState, OrderState
from holdfast.errors import CorruptionError
from tests.support.exchange import on_virtual_loop
from tests.support.execution_world import fill, report, traded, world

HALT, ADOPT, IGNORE = ReconcilePolicy.HALT, ReconcilePolicy.ADOPT, ReconcilePolicy.IGNORE


@on_virtual_loop
async def test_a_trade_of_nobody_halts_an_account_under_the_policy_halt() -> None:
    at = await traded(HALT)

    assert not await at.reconciler.at_start()

    assert at.account.halted == "trade 6 of order 8: BUY BTC/USDT"
    assert len(at.of_kind(Filled)) == 1


@on_virtual_loop
async def test_a_trade_of_nobody_is_booked_without_a_bot_under_the_policy_adopt() -> None:
    at = await traded(ADOPT)

    assert await at.reconciler.at_start()

    assert [each.bot for each in at.of_kind(Filled)] == ["bot", ""]
    assert at.account.holdings["BTC"] == 2
    assert at.flows() == []


@on_virtual_loop
async def test_a_trade_of_nobody_is_left_alone_under_the_policy_ignore() -> None:
    at = await traded(IGNORE)

    assert await at.reconciler.at_start()

    assert at.account.holdings["BTC"] == 1
    assert at.account.halted == ""


@pytest.mark.parametrize("policy", list(ReconcilePolicy))
def test_a_trade_of_an_order_of_ours_without_a_row_refuses_the_journal(
    policy: ReconcilePolicy,
) -> None:
    """Filled and gone from the open orders, so that only the trade leads to it."""

    @on_virtual_loop
    async def run() -> None:
        at = await traded(policy)
        lost = at.attempt(9)  # the journal that is there now never had it
        at.venue.owners["BTC/USDT", "8"] = report(lost, order_id="8")

        with pytest.raises(CorruptionError, match=f"journal behind exchange: order {lost.cid}"):
            await at.reconciler.at_start()
        assert "journal behind exchange" in at.account.halted

    run()


@on_virtual_loop
async def test_a_journal_without_any_trade_may_be_behind_as_well() -> None:
    at = await world(IGNORE)
    await at.books.report(report(await at.arm(1), OrderState.CANCELLED, executed="0"), "reply")
    lost = at.attempt(9)
    at.venue.trades = [fill(6, "8")]
    at.venue.owners["BTC/USDT", "8"] = report(lost, order_id="8")

    with pytest.raises(CorruptionError, match=f"order {lost.cid}"):
        await at.reconciler.at_start()


@on_virtual_loop
async def test_a_foreign_open_order_is_noted_once_and_with_what_was_done_about_it() -> None:
    for policy, halts in ((HALT, True), (ADOPT, False), (IGNORE, False)):
        at = await world(policy)
        other = at.attempt(9)
        by_hand = report(other, OrderState.NEW, executed="0")
        by_hand = type(by_hand)(
            **{f: getattr(by_hand, f) for f in by_hand.__struct_fields__ if f != "cid"}, cid="hand"
        )
        at.venue.open = [by_hand]

        agreed = await at.reconciler.at_start()

        assert agreed is not halts
        assert [note.policy for note in at.of_kind(ForeignOrder)] == [policy.value]
        assert bool(at.account.halted) is halts


@on_virtual_loop
async def test_an_open_order_of_ours_without_a_row_refuses_the_journal() -> None:
    at = await world(IGNORE)
    lost = at.attempt(9)
    at.venue.open = [report(lost, OrderState.NEW, executed="0")]

    with pytest.raises(CorruptionError, match="find the newer journal"):
        await at.reconciler.at_start()


@on_virtual_loop
async def test_a_trade_may_belong_to_an_attempt_in_doubt_and_is_booked_on_it() -> None:
    at = await traded(HALT)
    order = await at.doubt(2)
    at.venue.owners["BTC/USDT", "8"] = report(order.armed, order_id="8")

    assert await at.reconciler.at_start()

    assert at.of_kind(Filled)[-1].fill.cid == order.armed.cid
    assert at.account.halted == ""


@on_virtual_loop
async def test_more_trades_than_one_page_holds_are_all_booked() -> None:
    at = await world(ADOPT)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(1, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(number, "99") for number in range(1, 2502)]
    at.venue.holds(BTC="2501", USDT="-249100")

    assert await at.reconciler.at_start()

    assert at.account.holdings["BTC"] == 2501


def test_a_trade_that_shows_before_its_order_is_nobody_s_only_when_that_cannot_be_named() -> None:
    """Its order may be one that was declared absent: then it is a ghost, and people hear of it."""

    @on_virtual_loop
    async def run(policy: ReconcilePolicy) -> None:
        at = await traded(policy)
        order = await at.doubt(2)
        absent = AttemptMoved(cid=order.armed.cid, state=AttemptState.NEVER_EXECUTED)
        await at.recorder.record(absent)

        starting = asyncio.create_task(at.reconciler.at_start())
        await asyncio.sleep(1.9)
        assert len(at.of_kind(Filled)) == 1
        at.venue.owners["BTC/USDT", "8"] = report(order.armed, order_id="8")
        assert await starting

        assert [ghost.cid for ghost in at.of_kind(Ghost)] == [order.armed.cid]
        booked = at.of_kind(Filled)[-1]
        assert (booked.bot, booked.fill.cid) == ("bot", order.armed.cid)
        assert at.account.halted

    for policy in ReconcilePolicy:
        run(policy)
