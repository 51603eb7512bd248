"""Reconciling: what nobody here did is booked with its evidence, halts, or is left alone."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    UNKNOWN,
    AttemptMoved,
    CashFlow,
    Filled,
    ForeignOrder,
    Ghost,
    Halted,
    Reconciled,
    Restored,
    Resumed,
)
from holdfast.domain.order import AttemptState, OrderState, Side
from holdfast.errors import CorruptionError
from holdfast.execution.drift import LATE_S
from holdfast.venues.port import Balance, MoneyMoved, Purpose
from tests.support.exchange import ETH_USDT, on_virtual_loop
from tests.support.execution_world import START_MS, ExecutionWorld, fill, report, world

HALT, ADOPT, IGNORE = ReconcilePolicy.HALT, ReconcilePolicy.ADOPT, ReconcilePolicy.IGNORE
BNB = msgspec.structs.replace(ETH_USDT, symbol="BNB/USDT", venue_symbol="BNBUSDT", base="BNB")
DEPOSIT = MoneyMoved("USDT", Decimal(50), 1_767_225_606_000_000_000)


def _holds(at: ExecutionWorld, **amounts: str) -> None:
    """What the exchange says the account has."""
    at.venue.held = {a: Balance(a, Decimal(text), Decimal(0)) for a, text in amounts.items()}


def _flows(at: ExecutionWorld) -> list[Decimal]:
    """Money that came or went since the account was opened."""
    return [flow.amount for flow in at.of_kind(CashFlow)[1:]]


async def _traded(policy: ReconcilePolicy) -> ExecutionWorld:
    """An account with one booked trade, and one more at the exchange by an order of somebody."""
    at = await world(policy)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(5), fill(6, "8")]
    _holds(at, BTC="2", USDT="800")
    return at


# -- money that moves without a fill ---------------------------------------------------------------


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


# -- balances in passing ---------------------------------------------------------------------------


@on_virtual_loop
async def test_a_difference_counts_when_it_is_seen_twice_in_a_row() -> None:
    at = await world(HALT)
    _holds(at, USDT="1007")

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
        _holds(at, USDT=amount)
        assert await at.reconciler.in_passing() == []

    assert at.account.halted == ""


@on_virtual_loop
async def test_balances_as_they_were_before_a_trade_are_late_and_no_difference() -> None:
    """A bot that trades the same quantity again and again leaves the same difference each time."""
    at = await world(HALT)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    _holds(at, USDT="1000")

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
    _holds(at, USDT="1007")

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
    _holds(at, USDT="1007")

    for _ in range(6):
        await at.reconciler.in_passing()

    assert len(at.of_kind(Halted)) == 1


@on_virtual_loop
async def test_what_a_doubt_may_still_move_is_not_compared() -> None:
    at = await world(HALT)
    await at.doubt(1)
    _holds(at, USDT="900", BTC="1")

    for _ in range(3):
        assert await at.reconciler.in_passing() == []


@on_virtual_loop
async def test_an_asset_that_fees_may_be_taken_in_is_not_compared_while_an_order_may_execute() -> (
    None
):
    at = await world(HALT)
    await at.reconciler.moved(MoneyMoved("BNB", Decimal(1), 1))
    order = await at.doubt(1)
    _holds(at, USDT="900", BTC="1", BNB="0.999")

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
    _holds(at, USDT="900", BTC="1", BNB="0.99")
    found = await at.reconciler.compared()
    assert found is not None
    assert [each.asset for each in found[0]] == ["BNB"]

    attempt = await at.arm(1)
    told = fill(5, cid=attempt.cid)
    paid = msgspec.structs.replace(told, fee=Decimal("0.001"), fee_asset="BNB")
    await at.books.report(report(attempt, fills=(paid,)), "reply")
    _holds(at, USDT="800", BTC="2", BNB="0.99")
    assert await at.reconciler.compared() == ([], frozenset({"BTC", "USDT", "BNB"}))


async def _asks_again(at: ExecutionWorld) -> bool:
    """Whether another look is asked for after the next one."""
    await at.reconciler.in_passing()
    return at.reconciler.asks_again


@on_virtual_loop
async def test_another_look_is_asked_for_until_one_leaves_nothing_open() -> None:
    at = await world(HALT)
    assert not await _asks_again(at), "all agrees"

    _holds(at, USDT="1007")
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
    _holds(at, USDT="1050")
    assert not await _asks_again(at)


@on_virtual_loop
async def test_what_a_trade_explains_is_looked_at_again() -> None:
    at = await _traded(ReconcilePolicy.QUARANTINE)
    assert await _asks_again(at), "seen once"
    assert await _asks_again(at), "it is booked"
    assert not await _asks_again(at)
    assert at.account.holdings["BTC"] == 2


# -- trades and orders of nobody, at the start -----------------------------------------------------


@on_virtual_loop
async def test_a_trade_of_nobody_halts_an_account_under_the_policy_halt() -> None:
    at = await _traded(HALT)

    assert not await at.reconciler.at_start()

    assert at.account.halted == "trade 6 of order 8: BUY BTC/USDT"
    assert len(at.of_kind(Filled)) == 1


@on_virtual_loop
async def test_a_trade_of_nobody_is_booked_without_a_bot_under_the_policy_adopt() -> None:
    at = await _traded(ADOPT)

    assert await at.reconciler.at_start()

    assert [each.bot for each in at.of_kind(Filled)] == ["bot", ""]
    assert at.account.holdings["BTC"] == 2
    assert _flows(at) == []


@on_virtual_loop
async def test_a_trade_of_nobody_is_left_alone_under_the_policy_ignore() -> None:
    at = await _traded(IGNORE)

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
        at = await _traded(policy)
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
    at = await _traded(HALT)
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
    _holds(at, BTC="2501", USDT="-249100")

    assert await at.reconciler.at_start()

    assert at.account.holdings["BTC"] == 2501


def test_a_trade_that_shows_before_its_order_is_nobody_s_only_when_that_cannot_be_named() -> None:
    """Its order may be one that was declared absent: then it is a ghost, and people hear of it."""

    @on_virtual_loop
    async def run(policy: ReconcilePolicy) -> None:
        at = await _traded(policy)
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
        _holds(at, USDT="1000")

        starting = asyncio.create_task(at.reconciler.at_start())
        await asyncio.sleep(1.9)
        _holds(at, BTC="1", USDT="900")
        assert await starting

        assert (at.account.halted, _flows(at)) == ("", [])

    run()


@on_virtual_loop
async def test_a_balance_that_stays_as_it_is_counts_when_a_start_has_waited() -> None:
    at = await world(ADOPT)
    _holds(at, USDT="1050")
    assert await at.reconciler.at_start()
    assert _flows(at) == [Decimal(50)]


# -- the lost time before a backup was restored ----------------------------------------------------


async def _restored(policy: ReconcilePolicy = HALT, held: int = 0) -> ExecutionWorld:
    """A journal of which a person has said that it is all there is; `bot` holds so many BTC."""
    at = await world(policy)
    for number in range(1, held + 1):
        bought = await at.arm(number)
        told = fill(number, f"{number}", cid=bought.cid)
        await at.books.report(report(bought, order_id=f"{number}", fills=(told,)), "reply")
    at.venue.trades = [fill(number, f"{number}") for number in range(1, held + 1)]
    await at.recorder.record(
        Restored(generation=2, since_ms=START_MS, until_ms=START_MS + 60_000, lost=3, by="ana")
    )
    return at


def _lost(
    at: ExecutionWorld, *sides: Side, placed_ms: int = START_MS + 1, first: int = 11
) -> list[str]:
    """Trades of orders that the journal has no row of; their ids."""
    cids = []
    for number, side in enumerate(sides, first):
        at.venue.trades.append(fill(number, f"{number}", side=side))
        told = report(at.attempt(1000 + number, side=side), order_id=f"{number}")
        told = msgspec.structs.replace(told, placed_ns=placed_ms * 1_000_000)
        at.venue.owners["BTC/USDT", f"{number}"] = told
        cids.append(told.cid)
    return cids


@pytest.mark.parametrize("policy", list(ReconcilePolicy))
def test_trades_of_the_lost_time_are_booked_as_nobodys_whatever_the_policy(
    policy: ReconcilePolicy,
) -> None:
    @on_virtual_loop
    async def run() -> None:
        at = await _restored(policy)
        cids = _lost(at, Side.BUY, Side.SELL, Side.BUY)
        _holds(at, BTC="1", USDT="900")

        assert not await at.reconciler.at_start(), "they are told of"

        booked = at.of_kind(Filled)
        assert [each.fill.cid for each in booked] == cids
        assert {each.bot for each in booked} == {""}
        assert at.account.holdings == {"USDT": Decimal(900), "BTC": Decimal(1)}
        assert _flows(at) == []
        assert "1 BTC/USDT bought in the lost time: no bot's" in at.of_kind(Reconciled)[-1].findings
        assert at.account.generation == 2

    run()


@pytest.mark.parametrize("late_ms", [1, 60_000])
def test_an_order_without_a_row_that_came_after_the_lost_time_refuses_the_journal(
    late_ms: int,
) -> None:
    @on_virtual_loop
    async def run() -> None:
        at = await _restored()
        _lost(at, Side.BUY, placed_ms=START_MS + 60_000 + late_ms)

        with pytest.raises(CorruptionError, match="`holdfast db restored`"):
            await at.reconciler.at_start()

    run()


@on_virtual_loop
async def test_orders_of_ours_without_a_row_are_noted_each_and_halt_once() -> None:
    at = await _restored()
    for number in (7, 8, 9):
        await at.books.report(report(at.attempt(number), OrderState.NEW, executed="0"), "stream")

    assert [note.ours for note in at.of_kind(ForeignOrder)] == [True] * 3
    assert len([one for one in at.of_kind(Halted) if "journal behind" in one.reason]) == 1
    await at.recorder.record(Resumed(by="ana"))
    await at.books.report(report(at.attempt(10), OrderState.NEW, executed="0"), "stream")
    assert at.account.halted.startswith("journal behind exchange: order ")


@on_virtual_loop
async def test_an_order_without_a_row_whose_time_nobody_knows_refuses_the_journal() -> None:
    at = await _restored()
    _lost(at, Side.BUY, placed_ms=0)

    with pytest.raises(CorruptionError, match="journal behind exchange"):
        await at.reconciler.at_start()


@pytest.mark.parametrize(
    ("sides", "left"),
    [
        ((Side.SELL,), 1),
        ((Side.SELL, Side.BUY), 2),  # what was sold was bought again
        ((Side.BUY, Side.SELL, Side.SELL), 1),
        ((Side.SELL, Side.SELL, Side.SELL), 0),  # one of them sold what was nobody's
    ],
)
def test_what_the_lost_time_sold_of_a_position_is_taken_off_it(
    sides: tuple[Side, ...], left: int
) -> None:
    @on_virtual_loop
    async def run() -> None:
        at = await _restored(held=2)
        _lost(at, *sides)
        bought = 2 + sum(1 if side is Side.BUY else -1 for side in sides)
        _holds(at, BTC=str(bought), USDT=str(1000 - 100 * bought))

        await at.reconciler.at_start()

        assert at.account.bot("bot").held("BTC/USDT") == left
        assert at.account.holdings["BTC"] == bought
        await at.reborn().reconciler.at_start()
        assert at.account.bot("bot").held("BTC/USDT") == left, "taken off once"

    run()


@on_virtual_loop
async def test_a_start_that_was_cut_short_takes_off_what_the_one_before_it_booked() -> None:
    at = await _restored(held=1)
    _lost(at, Side.SELL)
    _holds(at, USDT="1000")
    await at.reconciler._strangers.trades("BTC/USDT")
    assert at.account.bot("bot").held("BTC/USDT") == 1

    await at.reborn().reconciler.at_start(hurried=True)

    assert at.account.bot("bot").held("BTC/USDT") == 0
    assert at.account.holdings.get("BTC") == 0


@on_virtual_loop
async def test_a_lost_sale_that_shows_later_is_taken_off_at_once() -> None:
    at = await _restored(held=1)
    await asyncio.sleep(LATE_S + 1)
    _holds(at, BTC="1", USDT="900")
    assert await at.reconciler.at_start()
    _lost(at, Side.SELL)
    _holds(at, USDT="1000")

    for _ in range(3):
        await at.reconciler.in_passing()

    assert at.account.bot("bot").held("BTC/USDT") == 0
    assert at.account.holdings == {"USDT": Decimal(1000), "BTC": Decimal(0)}
    assert _flows(at) == []


@on_virtual_loop
async def test_an_open_order_of_the_lost_time_is_named_and_falls_to_the_policy() -> None:
    for policy in (HALT, ADOPT, IGNORE):
        at = await _restored(policy)
        resting = report(at.attempt(9), OrderState.NEW, executed="0")
        resting = msgspec.structs.replace(resting, placed_ns=START_MS * 1_000_000)
        at.venue.open = [resting]

        assert not await at.reconciler.at_start()

        (told,) = at.of_kind(ForeignOrder)
        (finding,) = at.of_kind(Reconciled)[-1].findings
        assert (told.ours, told.policy) == (False, policy.value)
        assert f"open order {resting.cid} of the lost time" in finding
        assert bool(at.account.halted) is (policy is HALT)


# -- side by side ----------------------------------------------------------------------------------
