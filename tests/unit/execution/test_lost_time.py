"""The lost time before a backup was restored: its trades are booked, its sales taken off positions.

Not here: orders and trades of nobody in other times (test_strangers).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from holdfast.config import ReconcilePolicy
from holdfast.domain.fact import Filled, ForeignOrder, Halted, Reconciled, Restored, Resumed
from holdfast.domain.order import OrderState, Side
from holdfast.errors import CorruptionError
from holdfast.execution.drift import LATE_S
from tests.support.exchange import on_virtual_loop
from tests.support.execution_world import ExecutionWorld, fill, report, world
from tests.support.scripted_venue import START_MS

HALT, ADOPT, IGNORE = ReconcilePolicy.HALT, ReconcilePolicy.ADOPT, ReconcilePolicy.IGNORE


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
        at.venue.holds(BTC="1", USDT="900")

        assert not await at.reconciler.at_start(), "they are told of"

        booked = at.of_kind(Filled)
        assert [each.fill.cid for each in booked] == cids
        assert {each.bot for each in booked} == {""}
        assert at.account.holdings == {"USDT": Decimal(900), "BTC": Decimal(1)}
        assert at.flows() == []
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
        at.venue.holds(BTC=str(bought), USDT=str(1000 - 100 * bought))

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
    at.venue.holds(USDT="1000")
    await at.reconciler._strangers.trades("BTC/USDT")
    assert at.account.bot("bot").held("BTC/USDT") == 1

    await at.reborn().reconciler.at_start(hurried=True)

    assert at.account.bot("bot").held("BTC/USDT") == 0
    assert at.account.holdings.get("BTC") == 0


@on_virtual_loop
async def test_a_lost_sale_that_shows_later_is_taken_off_at_once() -> None:
    at = await _restored(held=1)
    await asyncio.sleep(LATE_S + 1)
    at.venue.holds(BTC="1", USDT="900")
    assert await at.reconciler.at_start()
    _lost(at, Side.SELL)
    at.venue.holds(USDT="1000")

    for _ in range(3):
        await at.reconciler.in_passing()

    assert at.account.bot("bot").held("BTC/USDT") == 0
    assert at.account.holdings == {"USDT": Decimal(1000), "BTC": Decimal(0)}
    assert at.flows() == []


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
