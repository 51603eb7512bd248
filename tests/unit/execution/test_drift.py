"""Quarantine: what differs from the exchange gets nothing more until that is explained."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from decimal import Decimal

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    UNKNOWN,
    Adjustment,
    AnyFact,
    CashFlow,
    CommandTaken,
    Filled,
    Halted,
    Quarantined,
    Reconciled,
    Released,
)
from holdfast.domain.order import OrderState, Side
from holdfast.errors import RetryableError
from holdfast.execution import reconcile
from holdfast.execution.drift import LATE_S, Review
from holdfast.journal.port import Outcome
from holdfast.ledger.portfolio import Position
from holdfast.ledger.state import from_bytes, to_bytes
from holdfast.venues.port import Balance, MoneyMoved, OrderReport, Purpose
from tests.support.engine_world import BTC
from tests.support.exchange import on_loop, on_virtual_loop
from tests.support.execution_world import ExecutionWorld, fill, report, world

QUARANTINE = ReconcilePolicy.QUARANTINE
_ids = itertools.count(1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way here, so nothing is waited for."""
    monkeypatch.setattr(reconcile, "REVIEW_S", 0.0)


async def _twice(at: ExecutionWorld) -> list[str]:
    await at.reconciler.in_passing()
    return await at.reconciler.in_passing()


async def _holding(policy: ReconcilePolicy = QUARANTINE) -> ExecutionWorld:
    """An account whose bot bought one BTC for 100 USDT."""
    at = await world(policy)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(5)]
    at.venue.holds(BTC="1", USDT="900")
    await asyncio.sleep(LATE_S + 1)  # until then balances may be told as they were before
    return at


def _review(*assets: str, **more: str) -> Review:
    return Review(command_id=f"c{next(_ids)}", by="ana", assets=frozenset(assets), **more)


@on_loop
async def test_a_lasting_difference_puts_its_asset_in_quarantine_once_and_halts_nothing() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1000", ETH="3")
    for _ in range(5):
        await _twice(at)
    assert at.account.quarantine == {"ETH": "ETH: journal 0, exchange 3, difference 3"}
    assert len(at.of_kind(Quarantined)) == 1
    assert at.of_kind(Reconciled)[-1].agreed is False
    assert not at.of_kind(Halted)


@on_loop
async def test_it_ends_by_itself_when_the_balance_agrees_again() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1050")
    await _twice(at)
    assert set(at.account.quarantine) == {"USDT"}
    await at.reconciler.moved(MoneyMoved("USDT", Decimal(50), 1))
    await at.reconciler.in_passing()
    assert at.account.quarantine == {}
    assert [r.by for r in at.of_kind(Released)] == ["reconcile"]


@on_loop
async def test_it_ends_by_itself_although_an_order_has_closed_before_each_comparison() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1050")
    await _twice(at)
    at.venue.holds(USDT="1000")
    await at.books.report(report(await at.arm(1), OrderState.CANCELLED, executed="0"), "reply")
    await at.reconciler.in_passing()
    assert at.account.quarantine == {}
    assert not at.account.unsettled()


@on_loop
async def test_one_difference_that_ends_while_another_stays_settles_nothing() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1050", ETH="3")
    await _twice(at)
    at.venue.holds(USDT="1000", ETH="3")
    await at.reconciler.in_passing()
    assert set(at.account.quarantine) == {"ETH"}
    assert at.of_kind(Reconciled)[-1].agreed is False


@on_virtual_loop
async def test_a_trade_that_nobody_told_of_explains_a_difference_and_its_symbol_waits() -> None:
    at = await _holding()
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
    await at.books.report(_of_somebody(strange), "stream")
    assert set(at.account.quarantine) == {"BTC/USDT"}
    assert not at.of_kind(Halted)


def _of_somebody(told: OrderReport) -> OrderReport:
    return msgspec.structs.replace(told, cid="web_1")


# -- money that moved while nobody was told --------------------------------------------------------


def _accepted(at: ExecutionWorld) -> list[CashFlow]:
    return [flow for flow in at.of_kind(CashFlow) if flow.reason == UNKNOWN]


def _worth(at: ExecutionWorld) -> Decimal:
    """Of a unit of the account."""
    equity = at.account.equity(at.rates)
    assert equity is not None
    return at.account.units.price(equity)


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
        before = _worth(at)
        at.venue.holds(**held)
        if by == "review":
            await at.reconciler.review(_review(*held, reason="ticket 9"))
        elif by == "adopt":
            await _twice(at)
        else:
            await at.reconciler.at_start()
        assert at.account.holdings == {asset: Decimal(text) for asset, text in held.items()}
        assert abs(_worth(at) - before) < Decimal("1e-20")
        assert not at.of_kind(Adjustment)

    run()


@pytest.mark.parametrize("by", ["adopt", "review"])
def test_money_whose_balance_was_accepted_is_not_booked_again_when_it_is_told_late(by: str) -> None:
    @on_loop
    async def run() -> None:
        at = await world(QUARANTINE if by == "review" else ReconcilePolicy.ADOPT)
        at.pass_s(60)
        at.venue.holds(USDT="1100")
        await (at.reconciler.review(_review("USDT")) if by == "review" else _twice(at))
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
    await _twice(at)
    assert at.account.holdings["USDT"] == 1100
    assert not _accepted(at)


# -- an operator's review --------------------------------------------------------------------------


@on_loop
async def test_a_review_tells_what_differs_and_books_nothing_that_was_not_accepted() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1000", ETH="3")
    await at.reconciler.review(_review())
    taken, told = at.facts[-2:]
    assert isinstance(taken, CommandTaken)
    assert isinstance(told, Reconciled)
    assert (told.agreed, told.findings) == (False, ("ETH: journal 0, exchange 3, difference 3",))
    assert at.account.holdings == {"USDT": Decimal(1000)}


@pytest.mark.parametrize(
    ("looks", "finds"),
    [("1003 1000 1003 1003", True), ("1000 1003 1000 1000", False), ("1003 1004 1003 1003", True)],
)
def test_a_review_goes_by_what_two_looks_in_a_row_show(looks: str, finds: bool) -> None:
    """Whichever way they differ: one look may be late, and tell of a difference or hide it."""

    @on_loop
    async def run() -> None:
        at = await world(QUARANTINE)
        at.venue.holds(USDT="1003")
        await _twice(at)
        _shows(at, looks.split())
        await at.reconciler.review(_review())
        assert at.of_kind(Reconciled)[-1].agreed is not finds
        assert set(at.account.quarantine) == ({"USDT"} if finds else set())

    run()


@on_loop
async def test_a_review_that_never_settles_is_asked_again_and_tells_nothing() -> None:
    at = await world(QUARANTINE)
    _shows(at, itertools.cycle(["1003", "1000"]))
    with pytest.raises(RetryableError, match="in a row"):
        await at.reconciler.review(_review())
    assert not at.of_kind(CommandTaken)
    assert not at.of_kind(Reconciled)


def _shows(at: ExecutionWorld, looks: Iterable[str]) -> None:
    """What the exchange says of USDT, one look after the other."""
    amounts = iter(looks)

    async def look(_purpose: Purpose) -> dict[str, Balance]:
        return {"USDT": Balance("USDT", Decimal(next(amounts)), Decimal(0))}

    at.venue.balances = look  # type: ignore[method-assign]


@on_loop
async def test_what_is_accepted_is_booked_with_actor_and_evidence_and_released() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="990", ETH="3")
    await _twice(at)
    await at.reconciler.review(_review("ETH", reason="airdrop, ticket 7"))
    (came,) = _accepted(at)
    assert (came.asset, came.amount) == ("ETH", Decimal(3))
    assert came.evidence == "ETH: journal 0, exchange 3, difference 3; airdrop, ticket 7; by ana"
    assert set(at.account.quarantine) == {"USDT"}
    assert at.of_kind(Reconciled)[-1].agreed is False
    await at.reconciler.review(_review("USDT", reason="dust, ticket 8"))
    assert at.account.quarantine == {}
    assert at.of_kind(Reconciled)[-1].agreed is True


@on_loop
async def test_what_is_accepted_is_adjusted_while_bots_trade_on() -> None:
    """The amounts move between the two looks; what they differ by does not."""
    at = await world(QUARANTINE)
    at.venue.holds(USDT="990")
    look = at.venue.balances
    looks = itertools.count(1)

    async def trading(_purpose: Purpose) -> dict[str, Balance]:
        if next(looks) == 2:
            attempt = await at.arm(1)
            await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
            at.venue.trades = [fill(5)]
            at.venue.holds(BTC="1", USDT="890")
        return await look(_purpose)

    at.venue.balances = trading  # type: ignore[method-assign]
    await at.reconciler.review(_review("USDT", reason="withdrawn, ticket 9"))
    (went,) = _accepted(at)
    assert (went.asset, went.amount) == ("USDT", Decimal(-10))
    assert at.account.holdings["USDT"] == Decimal(890)
    assert at.of_kind(Reconciled)[-1].agreed is True


@on_virtual_loop
async def test_a_review_releases_nothing_that_came_while_it_looked() -> None:
    at = await world(ReconcilePolicy.QUARANTINE)
    await at.recorder.record(Quarantined(what="ETH", by="ana", evidence="before"))
    reviewing = asyncio.create_task(
        at.reconciler.review(Review(command_id="c1", by="ana", reason="look"))
    )
    await asyncio.sleep(0.3)  # it has asked for orders, and looks at balances
    order = _of_somebody(report(at.attempt(1), OrderState.NEW, executed="0"))
    at.venue.open = [order]
    await at.books.report(order, "stream")
    await reviewing
    assert [released.what for released in at.of_kind(Released)] == ["ETH"]
    assert list(at.account.quarantine) == ["BTC/USDT"]


@on_virtual_loop
async def test_a_review_books_no_trade_that_balances_do_not_show_yet() -> None:
    """Told two seconds late, they differ by what a bot has just bought as well, look after look."""
    at = await world(QUARANTINE)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    _shows(at, itertools.chain(["990"] * 2, itertools.repeat("890")))

    await at.reconciler.review(_review("USDT", reason="withdrawn, ticket 9"))

    (went,) = _accepted(at)
    assert (went.asset, went.amount) == ("USDT", Decimal(-10))
    assert went.evidence.startswith("USDT: journal 900, exchange 890, difference -10;")


@on_virtual_loop
async def test_a_difference_that_balances_told_late_may_explain_in_part_halts_nothing_yet() -> None:
    at = await world(ReconcilePolicy.HALT)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.holds(BTC="1", USDT="990")
    assert await _twice(at) == []
    at.venue.holds(BTC="1", USDT="890")
    (found,) = await _twice(at)
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


@on_loop
async def test_a_review_waits_for_orders_that_may_move_what_was_accepted() -> None:
    """It would be told as taken, and nothing of it compared or booked."""
    at = await world(QUARANTINE)
    at.venue.holds(USDT="990")
    attempt = await at.arm(1)
    with pytest.raises(RetryableError, match="USDT"):
        await at.reconciler.review(_review("USDT", reason="withdrawn, ticket 9"))
    assert not at.of_kind(CommandTaken)
    await at.books.report(report(attempt, OrderState.CANCELLED, executed="0"), "reply")
    await at.reconciler.review(_review("USDT", reason="withdrawn, ticket 9"))
    assert [each.amount for each in _accepted(at)] == [Decimal(-10)]


@on_virtual_loop
async def test_what_was_sold_by_hand_can_be_taken_off_the_bot_that_held_it() -> None:
    at = await _holding()
    at.venue.holds(BTC="0.25", USDT="900")
    await at.reconciler.review(_review("BTC", bot="bot", reason="moved to cold storage"))
    position = at.account.bots["bot"].positions["BTC/USDT"]
    assert (position.quantity, position.average_price) == (Decimal("0.25"), Decimal(100))
    assert position.pnl(Decimal(100)) == 0, "neither gain nor loss"
    assert at.account.holdings["BTC"] == Decimal("0.25")
    assert [a.symbol for a in at.of_kind(Adjustment)] == ["BTC/USDT"]


@on_virtual_loop
async def test_what_came_for_a_sale_by_hand_is_no_deposit() -> None:
    at = await _holding()
    at.rates["BTC"] = Decimal(100)
    at.venue.holds(BTC="0.25", USDT="985")
    await at.reconciler.review(_review("BTC", "USDT", bot="bot", reason="sold by hand"))
    assert not _accepted(at)
    assert _worth(at) == Decimal("1.01")


@on_virtual_loop
async def test_what_is_missing_goes_off_the_position_that_holds_it() -> None:
    """A bot that once traded the asset for another one has an empty position there still."""
    at = await _holding()
    position = at.account.bots["bot"].positions.pop("BTC/USDT")
    at.account.bots["bot"].positions |= {"BTC/EUR": Position(), "BTC/USDT": position}
    at.venue.holds(BTC="0.25", USDT="900")
    await at.reconciler.review(_review("BTC", bot="bot", reason="moved to cold storage"))
    assert position.quantity == Decimal("0.25")


@on_virtual_loop
async def test_what_a_named_bot_did_not_hold_is_money_that_went() -> None:
    at = await _holding()
    at.venue.holds(BTC="1", USDT="800")
    await at.reconciler.review(_review("USDT", bot="bot", reason="withdrawn"))
    assert [flow.amount for flow in _accepted(at)] == [Decimal(-100)]


@on_loop
async def test_a_symbol_stays_in_quarantine_while_an_order_of_somebody_is_open_there() -> None:
    at = await world(QUARANTINE)
    strange = _of_somebody(report(at.attempt(1), OrderState.NEW, executed="0"))
    at.venue.open = [strange]
    await at.reconciler.at_start()
    await at.reconciler.review(_review())
    assert set(at.account.quarantine) == {"BTC/USDT"}
    at.venue.open = []
    await at.reconciler.review(_review(reason="cancelled it"))
    assert at.account.quarantine == {}
    assert at.of_kind(Released)[-1].evidence == "reviewed: cancelled it"
