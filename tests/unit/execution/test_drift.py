"""Quarantine: what differs from the exchange gets nothing more until that is explained."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    Adjustment,
    AnyFact,
    CashFlow,
    Filled,
    Halted,
    Quarantined,
    Reconciled,
    Released,
)
from holdfast.domain.order import OrderState, Side
from holdfast.execution import reconcile
from holdfast.journal.port import Outcome
from holdfast.ledger.state import from_bytes, to_bytes
from holdfast.venues.port import MoneyMoved
from tests.support.drift import (
    QUARANTINE,
    accepted,
    holding,
    of_somebody,
    review,
    twice,
    worth,
)
from tests.support.engine_world import BTC
from tests.support.exchange import on_loop, on_virtual_loop
from tests.support.execution_world import fill, report, world


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way here, so nothing is waited for."""
    monkeypatch.setattr(reconcile, "REVIEW_S", 0.0)


@on_loop
async def test_a_lasting_difference_puts_its_asset_in_quarantine_once_and_halts_nothing() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1000", ETH="3")
    for _ in range(5):
        await twice(at)
    assert at.account.quarantine == {"ETH": "ETH: journal 0, exchange 3, difference 3"}
    assert len(at.of_kind(Quarantined)) == 1
    assert at.of_kind(Reconciled)[-1].agreed is False
    assert not at.of_kind(Halted)


@on_loop
async def test_it_ends_by_itself_when_the_balance_agrees_again() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1050")
    await twice(at)
    assert set(at.account.quarantine) == {"USDT"}
    await at.reconciler.moved(MoneyMoved("USDT", Decimal(50), 1))
    await at.reconciler.in_passing()
    assert at.account.quarantine == {}
    assert [r.by for r in at.of_kind(Released)] == ["reconcile"]


@on_loop
async def test_it_ends_by_itself_although_an_order_has_closed_before_each_comparison() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1050")
    await twice(at)
    at.venue.holds(USDT="1000")
    await at.books.report(report(await at.arm(1), OrderState.CANCELLED, executed="0"), "reply")
    await at.reconciler.in_passing()
    assert at.account.quarantine == {}
    assert not at.account.unsettled()


@on_loop
async def test_one_difference_that_ends_while_another_stays_settles_nothing() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1050", ETH="3")
    await twice(at)
    at.venue.holds(USDT="1000", ETH="3")
    await at.reconciler.in_passing()
    assert set(at.account.quarantine) == {"ETH"}
    assert at.of_kind(Reconciled)[-1].agreed is False


@on_virtual_loop
async def test_a_trade_that_nobody_told_of_explains_a_difference_and_its_symbol_waits() -> None:
    at = await holding()
    at.venue.trades.append(fill(6, "99"))
    at.venue.holds(BTC="2", USDT="800")
    for _ in range(3):
        await at.reconciler.in_passing()
    assert [f.bot for f in at.of_kind(Filled)] == ["bot", ""]
    assert at.account.holdings == {"BTC": Decimal(2), "USDT": Decimal(800)}
    assert set(at.account.quarantine) == {"BTC/USDT"}


@on_loop
async def test_an_order_of_somebody_else_puts_its_symbol_in_quarantine() -> None:
    at = await world(QUARANTINE)
    strange = report(at.attempt(1), OrderState.NEW, executed="0")
    await at.books.report(of_somebody(strange), "stream")
    assert set(at.account.quarantine) == {"BTC/USDT"}
    assert not at.of_kind(Halted)


@pytest.mark.parametrize("by", ["adopt", "adopt at the start", "review"])
@pytest.mark.parametrize("held", [{"USDT": "650"}, {"USDT": "1500"}, {"USDT": "300", "BTC": "9"}])
def test_money_that_moved_while_nobody_was_told_is_neither_profit_nor_loss(
    by: str, held: dict[str, str]
) -> None:
    @on_virtual_loop
    async def run() -> None:
        at = await world(QUARANTINE if by == "review" else ReconcilePolicy.ADOPT)
        at.rates["BTC"] = Decimal(120)
        at.account.units.mark(1, Decimal(1100), {}, new_day=True)
        await at.recorder.record(
            CashFlow(asset="USDT", amount=Decimal(100), reason="opening", evidence="", at_ns=0)
        )
        before = worth(at)
        at.venue.holds(**held)
        if by == "review":
            await at.reconciler.review(review(*held, reason="ticket 9"))
        elif by == "adopt":
            await twice(at)
        else:
            await at.reconciler.at_start()
        assert at.account.holdings == {asset: Decimal(text) for asset, text in held.items()}
        assert abs(worth(at) - before) < Decimal("1e-20")
        assert not at.of_kind(Adjustment)

    run()


@pytest.mark.parametrize("by", ["adopt", "review"])
def test_money_whose_balance_was_accepted_is_not_booked_again_when_it_is_told_late(by: str) -> None:
    @on_loop
    async def run() -> None:
        at = await world(QUARANTINE if by == "review" else ReconcilePolicy.ADOPT)
        at.pass_s(60)
        at.venue.holds(USDT="1100")
        await (at.reconciler.review(review("USDT")) if by == "review" else twice(at))
        told_ns = at.clock.earliest_ms() * 1_000_000
        for amount in (70, 30):  # one difference may be of several movements
            assert not await at.reconciler.moved(
                MoneyMoved("USDT", Decimal(amount), told_ns - 1_000_000_000)
            )
        assert at.account.holdings["USDT"] == 1100
        assert await at.reconciler.moved(MoneyMoved("USDT", Decimal(5), told_ns + 1))
        assert await at.reconciler.moved(MoneyMoved("ETH", Decimal(5), told_ns - 1))
        assert at.account.holdings == {"USDT": Decimal(1105), "ETH": Decimal(5)}
        assert from_bytes(to_bytes(at.account)) == at.account, "a new process knows it as well"

    run()


@on_loop
async def test_money_that_moved_between_the_looks_is_booked_when_it_is_told() -> None:
    """What lasts was there at the first look; what came since is no part of it."""
    at = await world(ReconcilePolicy.ADOPT)
    at.venue.holds(USDT="1100")
    await at.reconciler.in_passing()
    at.pass_s(10)
    came_ns = at.clock.earliest_ms() * 1_000_000
    at.pass_s(10)
    await at.reconciler.in_passing()
    assert at.account.holdings["USDT"] == 1100
    assert await at.reconciler.moved(MoneyMoved("USDT", Decimal(5), came_ns))


@on_loop
async def test_money_that_is_being_booked_is_no_difference_meanwhile() -> None:
    at = await world(ReconcilePolicy.ADOPT)
    at.pass_s(60)
    at.venue.holds(USDT="1100")
    await at.reconciler.in_passing()
    came = MoneyMoved("USDT", Decimal(100), at.clock.earliest_ms() * 1_000_000 - 1)
    record, written = at.recorder.record, asyncio.Event()

    async def slow(*facts: AnyFact, flush: bool = True) -> Outcome:
        if isinstance(facts[0], CashFlow):
            await written.wait()
        return await record(*facts, flush=flush)

    at.recorder.record = slow  # type: ignore[method-assign]
    telling = asyncio.create_task(at.reconciler.moved(came))
    await asyncio.sleep(0)
    await at.reconciler.in_passing()
    written.set()
    await telling
    await twice(at)
    assert at.account.holdings["USDT"] == 1100
    assert not accepted(at)


@on_virtual_loop
async def test_a_difference_that_balances_told_late_may_explain_in_part_halts_nothing_yet() -> None:
    at = await world(ReconcilePolicy.HALT)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.holds(BTC="1", USDT="990")
    assert await twice(at) == []
    at.venue.holds(BTC="1", USDT="890")
    (found,) = await twice(at)
    assert found == "USDT: journal 900, exchange 890, difference -10"


@on_virtual_loop
async def test_dust_beside_balances_that_are_told_late_is_no_difference() -> None:
    at = await world(ReconcilePolicy.HALT)
    at.account.instruments["BTC/USDT"] = BTC
    dust = BTC.quantity_step * Decimal("0.4")
    for number, side, usdt in ((1, Side.BUY, "900"), (2, Side.SELL, "1000")):
        late = at.account.holdings.get("BTC", Decimal(0)) + dust
        attempt = await at.arm(number, side=side)
        done = fill(number, cid=attempt.cid, side=side, order_id=str(number))
        at.venue.trades.append(done)
        told = report(attempt, order_id=str(number), fills=(done,))
        await at.books.report(told, "reply")
        at.venue.holds(BTC=str(late), USDT=usdt)
        assert await at.reconciler.in_passing() == []
        await asyncio.sleep(3)
    assert at.account.halted == ""


@on_virtual_loop
async def test_what_differs_for_long_halts_although_a_bot_trades_before_each_look() -> None:
    at = await world(ReconcilePolicy.HALT)
    for number in range(1, 12):
        side = Side.BUY if number % 2 else Side.SELL
        attempt = await at.arm(number, side=side)
        done = fill(number, cid=attempt.cid, side=side, order_id=str(number))
        at.venue.trades.append(done)
        told = report(attempt, order_id=str(number), fills=(done,))
        await at.books.report(told, "reply")
        if side is Side.SELL:
            at.venue.holds(USDT="990")
            await at.reconciler.in_passing()
            await asyncio.sleep(4)
    assert at.account.halted.startswith("USDT: journal 1000, exchange 990,")
