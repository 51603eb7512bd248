"""A protective order is taken back when another can be placed in its stead, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.action import CancelOrder
from holdfast.domain.fact import Armed, CancelArmed, Filled
from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side
from holdfast.execution.clock import MAX_AGE_S
from holdfast.ledger.state import STOP
from holdfast.venues.budget import CEILING, LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Answer, Purpose, Verdict
from tests.support.exchange import on_virtual_loop
from tests.support.execution_world import ONE, ExecutionWorld, fill, report, world
from tests.support.scripted_venue import ORDER, START_MS

LIMIT = 20
BAN_S = 60.0


async def _protected(*, held: bool = True) -> tuple[ExecutionWorld, Armed]:
    """An account with a bot's stop at the exchange, and the position that it protects."""
    at = await world()
    at.venue.rates = RateBudget([RateLimit(LimitKind.ORDERS, 10_000, LIMIT)])
    if held:
        await at.recorder.record(Filled(fill=fill(1), bot="bot"))
    stop = await _resting(at, 2, f"BTC/USDT|{STOP}")
    at.venue.on_cancel = Verdict(
        answer=Answer.ACKED,
        report=report(stop, OrderState.CANCELLED, order_id="2", executed="0"),
    )
    return at, stop


async def _resting(at: ExecutionWorld, number: int, leg: str) -> Armed:
    """An order to sell that the exchange has."""
    spec = OrderSpec(
        symbol="BTC/USDT", side=Side.SELL, type=OrderType.STOP_LOSS, quantity=ONE,
        stop_price=Decimal(95),
    )  # fmt: skip
    attempt = msgspec.structs.replace(at.attempt(number), leg=leg, spec=spec, reduces=True)
    await at.recorder.record(attempt)
    resting = report(attempt, OrderState.NEW, order_id=str(number), executed="0")
    await at.books.report(resting, "reply")
    return attempt


async def _take_back(at: ExecutionWorld, attempt: Armed, for_s: float = 0.1) -> None:
    at.desk.cancel(CancelOrder(attempt.cid))
    await asyncio.sleep(for_s)
    await at.drain()


def _block(at: ExecutionWorld) -> None:
    assert at.venue.rates is not None
    at.venue.rates.block(LimitKind.ORDERS, BAN_S, 0)


def _use_up(at: ExecutionWorld) -> None:
    assert at.venue.rates is not None
    at.venue.rates.spend(ORDER.times(int(LIMIT * CEILING[Purpose.REDUCE])), START_MS)


@pytest.mark.parametrize("spoil", [_block, _use_up])
@on_virtual_loop
async def test_a_stop_stays_while_no_order_may_be_placed(
    spoil: Callable[[ExecutionWorld], None],
) -> None:
    at, stop = await _protected()
    spoil(at)
    assert at.venue.delay_s(Purpose.CANCEL) == 0

    for _ in range(3):  # the engine asks again
        await _take_back(at, stop, for_s=5)

    assert at.venue.cancelled == []
    assert at.of_kind(CancelArmed) == []
    assert at.account.live[stop.cid].is_working


@on_virtual_loop
async def test_a_stop_is_taken_back_as_soon_as_there_is_room_again() -> None:
    at, stop = await _protected()
    _block(at)
    await _take_back(at, stop, for_s=5)
    await _take_back(at, stop, for_s=1.5)
    at.venue.rates = None
    await asyncio.sleep(0.5)
    await at.drain()
    assert at.venue.cancelled == [stop.cid]


@on_virtual_loop
async def test_a_stop_that_was_wanted_away_a_while_ago_is_left_alone_when_room_is_there_again(
) -> None:
    at, stop = await _protected()
    _block(at)
    await _take_back(at, stop, for_s=5)
    at.venue.rates = None
    await asyncio.sleep(BAN_S)
    assert at.venue.cancelled == []


@on_virtual_loop
async def test_a_stop_that_executed_while_there_was_no_room_is_not_taken_back() -> None:
    at, stop = await _protected()
    _block(at)
    await _take_back(at, stop, for_s=1)
    await at.books.report(report(stop, OrderState.FILLED, order_id="2"), "stream")
    at.venue.rates = None
    await asyncio.sleep(5)
    assert at.venue.cancelled == []


@on_virtual_loop
async def test_what_protects_nothing_is_taken_back_whatever_may_be_placed() -> None:
    at, stop = await _protected(held=False)
    _block(at)
    await _take_back(at, stop)
    assert at.venue.cancelled == [stop.cid]


@on_virtual_loop
async def test_other_orders_are_taken_back_whatever_may_be_placed() -> None:
    at, _ = await _protected()
    ask = await _resting(at, 3, "BTC/USDT")
    _block(at)
    await _take_back(at, ask)
    assert at.venue.cancelled == [ask.cid]


@on_virtual_loop
async def test_two_stops_are_not_taken_back_together_for_the_room_of_one() -> None:
    at, first = await _protected()
    second = await _resting(at, 3, f"BTC/USDT|{STOP}")
    assert at.venue.rates is not None
    at.venue.rates.spend(ORDER.times(int(LIMIT * CEILING[Purpose.REDUCE]) - 1), START_MS)
    at.desk.cancel(CancelOrder(first.cid))
    await _take_back(at, second)
    assert at.venue.cancelled == []


@on_virtual_loop
async def test_more_stops_than_ever_fit_at_once_are_taken_back_all_the_same() -> None:
    at, first = await _protected()
    stops = [first, *[await _resting(at, n, f"BTC/USDT|{STOP}") for n in range(3, 2 * LIMIT)]]
    for stop in stops:
        at.desk.cancel(CancelOrder(stop.cid))
    await asyncio.sleep(0.1)
    await at.drain()
    assert len(at.venue.cancelled) == len(stops)


@on_virtual_loop
async def test_a_stop_stays_while_the_exchanges_time_is_not_known() -> None:
    """Nothing could be signed to be placed in its stead."""
    at, stop = await _protected()
    at.pass_s(MAX_AGE_S + 1)
    await _take_back(at, stop)
    assert at.venue.cancelled == []
    at.clock.take(at.sample())
    await _take_back(at, stop)
    assert at.venue.cancelled == [stop.cid]
