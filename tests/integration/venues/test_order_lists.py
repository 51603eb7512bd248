"""Order lists through the native adapter: placed whole or not at all, answered for every order.

Against the local exchange, whose best bid is 59,999 and whose best ask is 60,000.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side, TimeInForce
from holdfast.venues.port import (
    Answer,
    ListedOrder,
    ListPlacement,
    ListReport,
    OrderReport,
    Purpose,
    VenueEvent,
    Verdict,
)
from tests.integration.venues.test_binance_contract import binance_stage
from tests.support.venue_stage import (
    EXECUTED_UNHEARD,
    LOST_UNHEARD,
    ROOMY_MS,
    SYMBOL,
    Stage,
    cancellation,
    next_event,
    place,
    spec,
    window_under,
)

OCO = "/api/v3/orderList/oco"


def sell(kind: OrderType, *, price: str | None = None, stop: str | None = None) -> OrderSpec:
    return OrderSpec(
        symbol=SYMBOL,
        side=Side.SELL,
        type=kind,
        quantity=Decimal(1),
        price=Decimal(price) if price else None,
        stop_price=Decimal(stop) if stop else None,
    )


def pair(above: str = "61000", below: str = "59000") -> tuple[ListedOrder, ...]:
    return (
        ListedOrder("above-1", sell(OrderType.LIMIT_MAKER, price=above)),
        ListedOrder("below-1", sell(OrderType.STOP_LOSS, stop=below)),
    )


async def place_list(
    stage: Stage, orders: tuple[ListedOrder, ...], *, window_ms: int = ROOMY_MS
) -> Verdict:
    now_ms = time.time_ns() // 1_000_000
    wanted = ListPlacement("list-1", orders, now_ms, window_ms, Purpose.REDUCE)
    return await stage.venue.place_list(wanted, lambda: None)


def run(act: Callable[[Stage], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with binance_stage() as stage:
            try:
                await act(stage)
            finally:
                await stage.venue.close()

    asyncio.run(scenario())


def states(reports: tuple[OrderReport, ...]) -> dict[str, OrderState]:
    return {report.cid: report.state for report in reports}


async def told(stage: Stage, cid: str) -> OrderState:
    report = await stage.venue.order(SYMBOL, cid, Purpose.RESOLVE)
    assert report is not None
    return report.state


def test_a_pair_rests_and_takes_its_quantity_once() -> None:
    async def act(stage: Stage) -> None:
        verdict = await place_list(stage, pair())
        assert verdict.answer is Answer.ACKED
        assert states(verdict.reports) == {"above-1": OrderState.NEW, "below-1": OrderState.NEW}
        held = await stage.venue.balances(Purpose.RESOLVE)
        assert held["BTC"].locked == 1
        found = await stage.venue.order_list("list-1", Purpose.RESOLVE)
        assert found is not None
        assert (found.list_cid, found.is_over) == ("list-1", False)
        assert set(found.cids) == {"above-1", "below-1"}
        for instrument in await stage.venue.instruments((SYMBOL,)):
            assert instrument.takes_lists

    run(act)


def test_a_list_that_nobody_placed_is_none() -> None:
    async def act(stage: Stage) -> None:
        assert await stage.venue.order_list("never-1", Purpose.RESOLVE) is None

    run(act)


@pytest.mark.parametrize("target", ["above-1", "below-1"])
def test_a_cancel_of_either_order_ends_both_and_tells_of_both(target: str) -> None:
    async def act(stage: Stage) -> None:
        await place_list(stage, pair())
        verdict = await stage.venue.cancel(cancellation(target))
        assert verdict.answer is Answer.ACKED
        assert verdict.report is not None
        assert verdict.report.cid == target
        over = {"above-1": OrderState.CANCELLED, "below-1": OrderState.CANCELLED}
        assert states(verdict.reports) == over
        assert {cid: await told(stage, cid) for cid in over} == over
        other = next(cid for cid in over if cid != target)
        assert (await stage.venue.cancel(cancellation(other))).answer is Answer.ABSENT
        found = await stage.venue.order_list("list-1", Purpose.RESOLVE)
        assert found is not None
        assert found.is_over

    run(act)


def test_a_stop_that_triggers_ends_the_take_profit() -> None:
    async def act(stage: Stage) -> None:
        await place_list(stage, pair(below="59998.5"))
        await place(stage.venue, "push-1", spec(Side.SELL, quantity="2"))
        stop = await stage.venue.order(SYMBOL, "below-1", Purpose.RESOLVE)
        assert stop is not None
        assert stop.executed > 0
        assert await told(stage, "above-1") is OrderState.EXPIRED

    run(act)


@pytest.mark.parametrize(
    ("orders", "final"),
    [
        (pair(above="59000", below="58000"), False),  # the market is through the limit
        (pair(above="62000", below="61000"), False),  # and through the stop
        ((*pair()[:1], ListedOrder("above-1", pair()[1].spec)), False),  # one id for both
        ((ListedOrder("above-1", pair()[1].spec), ListedOrder("below-1", pair()[1].spec)), None),
    ],
)
def test_a_pair_that_does_not_fit_leaves_nothing(
    orders: tuple[ListedOrder, ...], final: bool | None
) -> None:
    async def act(stage: Stage) -> None:
        verdict = await place_list(stage, orders)
        assert verdict.answer in {Answer.REJECTED, Answer.EXISTS}, verdict
        if final is not None:
            assert verdict.final is final
        assert await stage.venue.open_orders(SYMBOL, Purpose.RESOLVE) == []

    run(act)


def test_the_id_of_an_open_list_again_says_that_it_exists() -> None:
    async def act(stage: Stage) -> None:
        await place_list(stage, pair())
        assert (await place_list(stage, pair())).answer is Answer.EXISTS
        assert len(await stage.venue.open_orders(SYMBOL, Purpose.RESOLVE)) == 2

    run(act)


@pytest.mark.parametrize(("kind", "params"), [*EXECUTED_UNHEARD, *LOST_UNHEARD])
def test_a_list_without_a_good_reply_is_unknown(kind: str, params: dict[str, Any]) -> None:
    async def act(stage: Stage) -> None:
        await stage.venue.time()  # a warm connection, as in trade
        stage.fault(kind, method="POST", path=OCO, **params)
        verdict = await place_list(stage, pair(), window_ms=window_under(kind))
        assert verdict.answer is Answer.UNKNOWN
        stage.lift()
        there = (kind, params) in EXECUTED_UNHEARD
        for cid in ("above-1", "below-1"):
            found = await stage.venue.order(SYMBOL, cid, Purpose.RESOLVE)
            assert (found is not None) is there

    run(act)


def test_where_nobody_listens_a_list_is_not_sent() -> None:
    async def act(stage: Stage) -> None:
        await stage.stop()
        left: list[bool] = []
        now_ms = time.time_ns() // 1_000_000
        wanted = ListPlacement("list-1", pair(), now_ms, ROOMY_MS, Purpose.REDUCE)
        verdict = await stage.venue.place_list(wanted, lambda: left.append(True))
        assert (verdict.answer, left) == (Answer.NOT_SENT, [])

    run(act)


def test_the_stream_tells_of_a_lists_orders_and_of_its_end() -> None:
    async def act(stage: Stage) -> None:
        await stage.venue.instruments((SYMBOL,))
        events = stage.venue.events()
        await next_event(events, lambda _: True)  # it is up
        await place_list(stage, pair())
        seen: list[VenueEvent] = []
        while len(seen) < 3:
            seen.append(await next_event(events, lambda e: isinstance(e, OrderReport | ListReport)))
        orders = tuple(event for event in seen if isinstance(event, OrderReport))
        lists = [event for event in seen if isinstance(event, ListReport)]
        assert states(orders) == {"above-1": OrderState.NEW, "below-1": OrderState.NEW}
        assert [(each.list_cid, each.is_over) for each in lists] == [("list-1", False)]
        await stage.venue.cancel(cancellation("below-1"))
        over = await next_event(events, lambda e: isinstance(e, ListReport))
        assert isinstance(over, ListReport)
        assert over.is_over

    run(act)


def test_a_pair_behind_an_order_waits_for_it() -> None:
    async def act(stage: Stage) -> None:
        entry = OrderSpec(
            symbol=SYMBOL,
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal(1),
            price=Decimal(50_000),
            time_in_force=TimeInForce.GTC,
        )
        verdict = await place_list(stage, (ListedOrder("entry-1", entry), *pair()))
        assert verdict.answer is Answer.ACKED
        assert states(verdict.reports) == {
            "entry-1": OrderState.NEW,
            "above-1": OrderState.PENDING_NEW,
            "below-1": OrderState.PENDING_NEW,
        }
        ended = await stage.venue.cancel(cancellation("entry-1"))
        assert set(states(ended.reports)) >= {"entry-1"}
        assert await told(stage, "above-1") in {OrderState.CANCELLED, OrderState.EXPIRED}

    run(act)
