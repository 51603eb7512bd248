"""An operator's review: what it shows, books and releases, and what it leaves alone."""

from __future__ import annotations

import asyncio
import itertools
from decimal import Decimal

import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import (
    Adjustment,
    CommandTaken,
    Quarantined,
    Reconciled,
    Released,
)
from holdfast.domain.order import OrderState
from holdfast.errors import RetryableError
from holdfast.execution import reconcile
from holdfast.execution.drift import Review
from holdfast.ledger.portfolio import Position
from holdfast.venues.port import Balance, Purpose
from tests.support.drift import (
    QUARANTINE,
    accepted,
    holding,
    of_somebody,
    review,
    shows,
    twice,
    worth,
)
from tests.support.exchange import on_loop, on_virtual_loop
from tests.support.execution_world import fill, report, world


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way here, so nothing is waited for."""
    monkeypatch.setattr(reconcile, "REVIEW_S", 0.0)


@on_loop
async def test_a_review_tells_what_differs_and_books_nothing_that_was_not_accepted() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="1000", ETH="3")
    await at.reconciler.review(review())
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
        await twice(at)
        shows(at, looks.split())
        await at.reconciler.review(review())
        assert at.of_kind(Reconciled)[-1].agreed is not finds
        assert set(at.account.quarantine) == ({"USDT"} if finds else set())

    run()


@on_loop
async def test_a_review_that_never_settles_is_asked_again_and_tells_nothing() -> None:
    at = await world(QUARANTINE)
    shows(at, itertools.cycle(["1003", "1000"]))
    with pytest.raises(RetryableError, match="in a row"):
        await at.reconciler.review(review())
    assert not at.of_kind(CommandTaken)
    assert not at.of_kind(Reconciled)


@on_loop
async def test_what_is_accepted_is_booked_with_actor_and_evidence_and_released() -> None:
    at = await world(QUARANTINE)
    at.venue.holds(USDT="990", ETH="3")
    await twice(at)
    await at.reconciler.review(review("ETH", reason="airdrop, ticket 7"))
    (came,) = accepted(at)
    assert (came.asset, came.amount) == ("ETH", Decimal(3))
    assert came.evidence == "ETH: journal 0, exchange 3, difference 3; airdrop, ticket 7; by ana"
    assert set(at.account.quarantine) == {"USDT"}
    assert at.of_kind(Reconciled)[-1].agreed is False
    await at.reconciler.review(review("USDT", reason="dust, ticket 8"))
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
    await at.reconciler.review(review("USDT", reason="withdrawn, ticket 9"))
    (went,) = accepted(at)
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
    order = of_somebody(report(at.attempt(1), OrderState.NEW, executed="0"))
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
    shows(at, itertools.chain(["990"] * 2, itertools.repeat("890")))

    await at.reconciler.review(review("USDT", reason="withdrawn, ticket 9"))

    (went,) = accepted(at)
    assert (went.asset, went.amount) == ("USDT", Decimal(-10))
    assert went.evidence.startswith("USDT: journal 900, exchange 890, difference -10;")


@on_loop
async def test_a_review_waits_for_orders_that_may_move_what_was_accepted() -> None:
    """It would be told as taken, and nothing of it compared or booked."""
    at = await world(QUARANTINE)
    at.venue.holds(USDT="990")
    attempt = await at.arm(1)
    with pytest.raises(RetryableError, match="USDT"):
        await at.reconciler.review(review("USDT", reason="withdrawn, ticket 9"))
    assert not at.of_kind(CommandTaken)
    await at.books.report(report(attempt, OrderState.CANCELLED, executed="0"), "reply")
    await at.reconciler.review(review("USDT", reason="withdrawn, ticket 9"))
    assert [each.amount for each in accepted(at)] == [Decimal(-10)]


@on_virtual_loop
async def test_what_was_sold_by_hand_can_be_taken_off_the_bot_that_held_it() -> None:
    at = await holding()
    at.venue.holds(BTC="0.25", USDT="900")
    await at.reconciler.review(review("BTC", bot="bot", reason="moved to cold storage"))
    position = at.account.bots["bot"].positions["BTC/USDT"]
    assert (position.quantity, position.average_price) == (Decimal("0.25"), Decimal(100))
    assert position.pnl(Decimal(100)) == 0, "neither gain nor loss"
    assert at.account.holdings["BTC"] == Decimal("0.25")
    assert [a.symbol for a in at.of_kind(Adjustment)] == ["BTC/USDT"]


@on_virtual_loop
async def test_what_came_for_a_sale_by_hand_is_no_deposit() -> None:
    at = await holding()
    at.rates["BTC"] = Decimal(100)
    at.venue.holds(BTC="0.25", USDT="985")
    await at.reconciler.review(review("BTC", "USDT", bot="bot", reason="sold by hand"))
    assert not accepted(at)
    assert worth(at) == Decimal("1.01")


@on_virtual_loop
async def test_what_is_missing_goes_off_the_position_that_holds_it() -> None:
    """A bot that once traded the asset for another one has an empty position there still."""
    at = await holding()
    position = at.account.bots["bot"].positions.pop("BTC/USDT")
    at.account.bots["bot"].positions |= {"BTC/EUR": Position(), "BTC/USDT": position}
    at.venue.holds(BTC="0.25", USDT="900")
    await at.reconciler.review(review("BTC", bot="bot", reason="moved to cold storage"))
    assert position.quantity == Decimal("0.25")


@on_virtual_loop
async def test_what_a_named_bot_did_not_hold_is_money_that_went() -> None:
    at = await holding()
    at.venue.holds(BTC="1", USDT="800")
    await at.reconciler.review(review("USDT", bot="bot", reason="withdrawn"))
    assert [flow.amount for flow in accepted(at)] == [Decimal(-100)]


@on_loop
async def test_a_symbol_stays_in_quarantine_while_an_order_of_somebody_is_open_there() -> None:
    at = await world(QUARANTINE)
    strange = of_somebody(report(at.attempt(1), OrderState.NEW, executed="0"))
    at.venue.open = [strange]
    await at.reconciler.at_start()
    await at.reconciler.review(review())
    assert set(at.account.quarantine) == {"BTC/USDT"}
    at.venue.open = []
    await at.reconciler.review(review(reason="cancelled it"))
    assert at.account.quarantine == {}
    assert at.of_kind(Released)[-1].evidence == "reviewed: cancelled it"
