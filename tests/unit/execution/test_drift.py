"""Quarantine: what differs from the exchange gets nothing more until that is explained."""

from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    Adjustment,
    CommandTaken,
    Filled,
    Halted,
    Quarantined,
    Reconciled,
    Released,
)
from holdfast.domain.order import OrderState
from holdfast.execution import reconcile
from holdfast.execution.drift import Review
from holdfast.venues.port import Balance, MoneyMoved, OrderReport, Purpose
from tests.support.exchange import on_loop
from tests.support.execution_world import ExecutionWorld, fill, report, world

QUARANTINE = ReconcilePolicy.QUARANTINE
_ids = itertools.count(1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way here, so nothing is waited for."""
    monkeypatch.setattr(reconcile, "REVIEW_S", 0.0)


def _holds(at: ExecutionWorld, **amounts: str) -> None:
    at.venue.held = {a: Balance(a, Decimal(text), Decimal(0)) for a, text in amounts.items()}


async def _twice(at: ExecutionWorld) -> list[str]:
    await at.reconciler.in_passing()
    return await at.reconciler.in_passing()


async def _holding(policy: ReconcilePolicy = QUARANTINE) -> ExecutionWorld:
    """An account whose bot bought one BTC for 100 USDT."""
    at = await world(policy)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(5)]
    _holds(at, BTC="1", USDT="900")
    return at


def _review(*assets: str, **more: str) -> Review:
    return Review(command_id=f"c{next(_ids)}", by="ana", assets=frozenset(assets), **more)


@on_loop
async def test_a_lasting_difference_puts_its_asset_in_quarantine_once_and_halts_nothing() -> None:
    at = await world(QUARANTINE)
    _holds(at, USDT="1000", ETH="3")
    for _ in range(5):
        await _twice(at)
    assert at.account.quarantine == {"ETH": "ETH: journal 0, exchange 3, difference 3"}
    assert len(at.of_kind(Quarantined)) == 1
    assert at.of_kind(Reconciled)[-1].agreed is False
    assert not at.of_kind(Halted)


@on_loop
async def test_it_ends_by_itself_when_the_balance_agrees_again() -> None:
    at = await world(QUARANTINE)
    _holds(at, USDT="1050")
    await _twice(at)
    assert set(at.account.quarantine) == {"USDT"}
    await at.reconciler.moved(MoneyMoved("USDT", Decimal(50), 1))
    await at.reconciler.in_passing()
    assert at.account.quarantine == {}
    assert [r.by for r in at.of_kind(Released)] == ["reconcile"]


@on_loop
async def test_it_ends_by_itself_although_an_order_has_closed_before_each_comparison() -> None:
    at = await world(QUARANTINE)
    _holds(at, USDT="1050")
    await _twice(at)
    _holds(at, USDT="1000")
    await at.books.report(report(await at.arm(1), OrderState.CANCELLED, executed="0"), "reply")
    await at.reconciler.in_passing()
    assert at.account.quarantine == {}
    assert not at.account.unsettled()


@on_loop
async def test_one_difference_that_ends_while_another_stays_settles_nothing() -> None:
    at = await world(QUARANTINE)
    _holds(at, USDT="1050", ETH="3")
    await _twice(at)
    _holds(at, USDT="1000", ETH="3")
    await at.reconciler.in_passing()
    assert set(at.account.quarantine) == {"ETH"}
    assert at.of_kind(Reconciled)[-1].agreed is False


@on_loop
async def test_a_trade_that_nobody_told_of_explains_a_difference_and_its_symbol_waits() -> None:
    at = await _holding()
    at.venue.trades.append(fill(6, "99"))
    _holds(at, BTC="2", USDT="800")
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


# -- an operator's review --------------------------------------------------------------------------


@on_loop
async def test_a_review_tells_what_differs_and_books_nothing_that_was_not_accepted() -> None:
    at = await world(QUARANTINE)
    _holds(at, USDT="1000", ETH="3")
    await at.reconciler.review(_review())
    taken, told = at.facts[-2:]
    assert isinstance(taken, CommandTaken)
    assert isinstance(told, Reconciled)
    assert (told.agreed, told.findings) == (False, ("ETH: journal 0, exchange 3, difference 3",))
    assert at.account.holdings == {"USDT": Decimal(1000)}


@on_loop
async def test_what_is_accepted_is_adjusted_with_actor_and_evidence_and_released() -> None:
    at = await world(QUARANTINE)
    _holds(at, USDT="990", ETH="3")
    await _twice(at)
    await at.reconciler.review(_review("ETH", reason="airdrop, ticket 7"))
    (adjusted,) = at.of_kind(Adjustment)
    assert (adjusted.asset, adjusted.amount, adjusted.actor) == ("ETH", Decimal(3), "ana")
    assert adjusted.evidence == "ETH: journal 0, exchange 3, difference 3; airdrop, ticket 7"
    assert set(at.account.quarantine) == {"USDT"}
    assert at.of_kind(Reconciled)[-1].agreed is False
    await at.reconciler.review(_review("USDT", reason="dust, ticket 8"))
    assert at.account.quarantine == {}
    assert at.of_kind(Reconciled)[-1].agreed is True


@on_loop
async def test_what_is_accepted_is_adjusted_while_bots_trade_on() -> None:
    """The amounts move between the two looks; what they differ by does not."""
    at = await world(QUARANTINE)
    _holds(at, USDT="990")
    look = at.venue.balances
    looks = itertools.count(1)

    async def trading(_purpose: Purpose) -> dict[str, Balance]:
        if next(looks) == 2:
            attempt = await at.arm(1)
            await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
            at.venue.trades = [fill(5)]
            _holds(at, BTC="1", USDT="890")
        return await look(_purpose)

    at.venue.balances = trading  # type: ignore[method-assign]
    await at.reconciler.review(_review("USDT", reason="withdrawn, ticket 9"))
    (adjusted,) = at.of_kind(Adjustment)
    assert (adjusted.asset, adjusted.amount) == ("USDT", Decimal(-10))
    assert at.account.holdings["USDT"] == Decimal(890)
    assert at.of_kind(Reconciled)[-1].agreed is True


@on_loop
async def test_what_was_sold_by_hand_can_be_taken_off_the_bot_that_held_it() -> None:
    at = await _holding()
    _holds(at, BTC="0.25", USDT="900")
    await at.reconciler.review(_review("BTC", bot="bot", reason="moved to cold storage"))
    position = at.account.bots["bot"].positions["BTC/USDT"]
    assert (position.quantity, position.average_price) == (Decimal("0.25"), Decimal(100))
    assert position.pnl(Decimal(100)) == 0, "neither gain nor loss"
    assert at.account.holdings["BTC"] == Decimal("0.25")


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
