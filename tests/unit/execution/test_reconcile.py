"""Reconciling: money that moves without a fill is booked, and balances are compared.

Not here: orders and trades of nobody (test_strangers), how holdings differ (test_differences), what
is in quarantine (test_drift).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import UNKNOWN, CashFlow, Halted, Reconciled
from holdfast.domain.order import OrderState
from holdfast.execution.drift import LATE_S
from holdfast.venues.port import Balance, MoneyMoved, Purpose
from tests.support.exchange import ETH_USDT, on_virtual_loop
from tests.support.execution_world import ExecutionWorld, fill, report, traded, world

HALT, ADOPT, IGNORE = ReconcilePolicy.HALT, ReconcilePolicy.ADOPT, ReconcilePolicy.IGNORE
BNB = msgspec.structs.replace(ETH_USDT, symbol="BNB/USDT", venue_symbol="BNBUSDT", base="BNB")
DEPOSIT = MoneyMoved("USDT", Decimal(50), 1_767_225_606_000_000_000)


@on_virtual_loop
async def test_a_deposit_is_booked_once_however_often_the_stream_tells_it() -> None:
    at = await world()

    assert await at.reconciler.moved(DEPOSIT)
    assert not await at.reconciler.moved(DEPOSIT)

    flows = at.of_kind(CashFlow)[1:]
    assert [(flow.amount, flow.reason) for flow in flows] == [(Decimal(50), "deposit")]
    assert at.account.holdings["USDT"] == 1050


@on_virtual_loop
async def test_money_that_left_is_a_withdrawal() -> None:
    at = await world()

    await at.reconciler.moved(MoneyMoved("USDT", Decimal(-30), 1))

    assert at.of_kind(CashFlow)[-1].reason == "withdrawal"
    assert at.account.holdings["USDT"] == 970


@on_virtual_loop
async def test_a_difference_counts_when_it_is_seen_twice_in_a_row() -> None:
    at = await world(HALT)
    at.venue.holds(USDT="1007")

    assert await at.reconciler.in_passing() == []
    assert at.account.halted == ""
    found = await at.reconciler.in_passing()

    assert found == ["USDT: journal 1000, exchange 1007, difference 7"]
    assert at.account.halted == found[0]
    assert at.of_kind(Reconciled)[-1].agreed is False


@on_virtual_loop
async def test_a_difference_that_changes_or_goes_is_a_report_on_its_way() -> None:
    at = await world(HALT)

    for amount in ("1007", "1000", "1007", "1008", "1000"):
        at.venue.holds(USDT=amount)
        assert await at.reconciler.in_passing() == []

    assert at.account.halted == ""


@on_virtual_loop
async def test_balances_as_they_were_before_a_trade_are_late_and_no_difference() -> None:
    """A bot that trades the same quantity again and again leaves the same difference each time."""
    at = await world(HALT)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.holds(USDT="1000")

    for _ in range(3):
        assert await at.reconciler.in_passing() == []
    assert at.account.halted == ""

    await asyncio.sleep(LATE_S + 1)  # it stays as it was: that is no lateness any more
    await at.reconciler.in_passing()
    assert await at.reconciler.in_passing() != []
    assert at.account.halted != ""


@on_virtual_loop
async def test_a_lasting_difference_is_said_once_and_adopted_when_that_is_the_policy() -> None:
    at = await world(ADOPT)
    at.venue.holds(USDT="1007")

    for _ in range(5):
        await at.reconciler.in_passing()

    (came,) = at.of_kind(CashFlow)[1:]
    assert (came.amount, came.reason) == (Decimal(7), UNKNOWN)
    assert came.evidence.endswith("difference 7; by reconcile policy adopt")
    assert at.account.holdings["USDT"] == 1007
    assert at.account.halted == ""


@on_virtual_loop
async def test_a_halt_by_a_difference_is_not_written_again_at_every_comparison() -> None:
    at = await world(HALT)
    at.venue.holds(USDT="1007")

    for _ in range(6):
        await at.reconciler.in_passing()

    assert len(at.of_kind(Halted)) == 1


@on_virtual_loop
async def test_what_a_doubt_may_still_move_is_not_compared() -> None:
    at = await world(HALT)
    await at.doubt(1)
    at.venue.holds(USDT="900", BTC="1")

    for _ in range(3):
        assert await at.reconciler.in_passing() == []


@on_virtual_loop
async def test_an_asset_that_fees_may_be_taken_in_is_not_compared_while_an_order_may_execute() -> (
    None
):
    at = await world(HALT)
    await at.reconciler.moved(MoneyMoved("BNB", Decimal(1), 1))
    order = await at.doubt(1)
    at.venue.holds(USDT="900", BTC="1", BNB="0.999")

    assert await at.reconciler.at_start()
    for _ in range(3):
        assert await at.reconciler.in_passing() == []

    paid = msgspec.structs.replace(
        fill(5, cid=order.armed.cid), fee=Decimal("0.0005"), fee_asset="BNB"
    )
    await at.books.report(report(order.armed, fills=(paid,)), "query by id")
    await asyncio.sleep(LATE_S + 1)
    await at.reconciler.in_passing()
    (found,) = await at.reconciler.in_passing()
    assert found.startswith("BNB: journal 0.9995, exchange 0.999,"), "now nothing may"


@on_virtual_loop
async def test_an_asset_that_is_traded_counts_as_one_of_fees_once_a_bot_has_paid_in_it() -> None:
    at = await world(HALT)
    at.account.instruments["BNB/USDT"] = BNB
    await at.reconciler.moved(MoneyMoved("BNB", Decimal(1), 1))
    await at.doubt(2)
    at.venue.holds(USDT="900", BTC="1", BNB="0.99")
    found = await at.reconciler.compared()
    assert found is not None
    assert [each.asset for each in found[0]] == ["BNB"]

    attempt = await at.arm(1)
    told = fill(5, cid=attempt.cid)
    paid = msgspec.structs.replace(told, fee=Decimal("0.001"), fee_asset="BNB")
    await at.books.report(report(attempt, fills=(paid,)), "reply")
    at.venue.holds(USDT="800", BTC="2", BNB="0.99")
    assert await at.reconciler.compared() == ([], frozenset({"BTC", "USDT", "BNB"}))


async def _asks_again(at: ExecutionWorld) -> bool:
    """Whether another look is asked for after the next one."""
    await at.reconciler.in_passing()
    return at.reconciler.asks_again


@on_virtual_loop
async def test_another_look_is_asked_for_until_one_leaves_nothing_open() -> None:
    at = await world(HALT)
    assert not await _asks_again(at), "all agrees"

    at.venue.holds(USDT="1007")
    assert await _asks_again(at), "seen once"
    assert not await _asks_again(at), "seen twice, and told"

    order = await at.doubt(1)
    assert await _asks_again(at), "it may yet move"
    await at.books.report(report(order.armed, OrderState.CANCELLED, executed="0"), "query by id")
    assert await _asks_again(at), "seen once"
    assert not await _asks_again(at)


@on_virtual_loop
async def test_a_look_that_came_to_nothing_is_asked_for_again() -> None:
    at = await world(HALT)
    assert not await _asks_again(at)
    look = at.venue.balances

    async def moving(_purpose: Purpose) -> dict[str, Balance]:
        await at.reconciler.moved(DEPOSIT)
        return await look(_purpose)

    at.venue.balances = moving  # type: ignore[method-assign]
    assert await _asks_again(at), "something happened meanwhile"
    at.venue.balances = look  # type: ignore[method-assign]
    at.venue.holds(USDT="1050")
    assert not await _asks_again(at)


@on_virtual_loop
async def test_what_a_trade_explains_is_looked_at_again() -> None:
    at = await traded(ReconcilePolicy.QUARANTINE)
    assert await _asks_again(at), "seen once"
    assert await _asks_again(at), "it is booked"
    assert not await _asks_again(at)
    assert at.account.holdings["BTC"] == 2


@pytest.mark.parametrize("policy", [HALT, ADOPT])
def test_a_start_a_moment_after_a_trade_waits_for_balances_that_are_told_late(
    policy: ReconcilePolicy,
) -> None:
    """Another process has booked it: this one knows of no trade that could explain them."""

    @on_virtual_loop
    async def run() -> None:
        before = await world(policy)
        attempt = await before.arm(1)
        await before.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
        at = before.reborn()
        at.venue.trades = [fill(5)]
        at.venue.holds(USDT="1000")

        starting = asyncio.create_task(at.reconciler.at_start())
        await asyncio.sleep(1.9)
        at.venue.holds(BTC="1", USDT="900")
        assert await starting

        assert (at.account.halted, at.flows()) == ("", [])

    run()


@on_virtual_loop
async def test_a_balance_that_stays_as_it_is_counts_when_a_start_has_waited() -> None:
    at = await world(ADOPT)
    at.venue.holds(USDT="1050")
    assert await at.reconciler.at_start()
    assert at.flows() == [Decimal(50)]
