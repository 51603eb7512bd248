"""Order lists: armed together, sent once, answered for both, resolved each by its own id."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.action import Approved, Arm, Proposed
from holdfast.domain.fact import Armed, AttemptMoved, Ghost
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    client_order_id,
)
from holdfast.execution.evidence import HORIZON_MS
from holdfast.execution.resolve import Step, next_step
from holdfast.venues.budget import LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Answer, OrderReport, Verdict
from tests.support.exchange import on_loop
from tests.support.execution_world import ONE, TAG, WINDOW_MS, ExecutionWorld, fill, world
from tests.support.waiting import until

INTENT = "00000000-0000-5000-8000-000000000007"
ABOVE = OrderSpec(
    symbol="BTC/USDT",
    side=Side.SELL,
    type=OrderType.LIMIT_MAKER,
    quantity=ONE,
    price=Decimal(110),
)
BELOW = OrderSpec(
    symbol="BTC/USDT",
    side=Side.SELL,
    type=OrderType.STOP_LOSS,
    quantity=ONE,
    stop_price=Decimal(90),
)
ARM = Arm(
    None,
    (
        Approved(
            Proposed(
                bot="bot",
                intent_id=INTENT,
                n=1,
                leg="BTC/USDT|exits",
                seq=0,
                decision=1,
                spec=ABOVE,
                reduces=True,
                price=Decimal(110),
                mate=BELOW,
            ),
            "BTC",
            ONE,
        ),
    ),
)


def cid(part: int) -> str:
    return client_order_id(
        tag=TAG, account="main", generation=1, intent_id=INTENT, n=1, part=part
    )


def told(
    part: int,
    state: OrderState = OrderState.NEW,
    *,
    executed: str = "0",
    named: str = "",
) -> OrderReport:
    """A report on an order of the list, perhaps under another id."""
    return OrderReport(
        symbol="BTC/USDT",
        cid=named or cid(part),
        order_id=str(part),
        side=Side.SELL,
        state=state,
        quantity=ONE,
        executed=Decimal(executed),
        price=(ABOVE, BELOW)[part - 1].price,
    )


async def sent(verdict: Verdict) -> ExecutionWorld:
    """A world in which the list was armed, sent, and answered so."""
    at = await world()
    at.venue.on_list = verdict
    at.desk.arm(ARM)
    await until(lambda: len(at.of_kind(AttemptMoved)) == 2, "an answer about both orders")
    return at


def acked() -> Verdict:
    return Verdict(answer=Answer.ACKED, report=told(1), others=(told(2),))


def states(at: ExecutionWorld) -> list[AttemptState]:
    orders = [at.account.order(cid(part)) for part in (1, 2)]
    return [order.state for order in orders if order is not None]


@on_loop
async def test_both_orders_are_one_group_with_one_deadline_and_leave_in_one_request() -> None:
    at = await sent(acked())
    above, below = at.of_kind(Armed)
    assert (above.cid, below.cid) == (cid(1), cid(2))
    assert above.list_cid == below.list_cid == cid(0)
    (placed,) = at.venue.lists
    assert placed.list_cid == cid(0)
    assert [(each.cid, each.spec) for each in placed.orders] == [(cid(1), ABOVE), (cid(2), BELOW)]
    for armed in (above, below):
        assert (placed.timestamp_ms, placed.window_ms) == (armed.timestamp_ms, armed.window_ms)
    assert states(at) == [AttemptState.ACKED] * 2
    assert at.account.reserved("BTC") == ONE


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict(answer=Answer.UNKNOWN), AttemptState.IN_DOUBT),
        (Verdict(answer=Answer.EXISTS), AttemptState.IN_DOUBT),
        (Verdict(answer=Answer.NOT_SENT), AttemptState.IN_DOUBT),  # though a byte has left
        (Verdict(answer=Answer.REJECTED), AttemptState.REJECTED),
    ],
)
def test_what_is_said_of_a_list_is_said_of_both(verdict: Verdict, state: AttemptState) -> None:
    @on_loop
    async def run() -> None:
        assert states(await sent(verdict)) == [state] * 2

    run()


@on_loop
async def test_a_list_that_the_rate_budget_has_no_room_for_is_not_armed_in_part() -> None:
    at = await world()
    limits = (RateLimit(LimitKind.ORDERS, 10_000, 1),)
    at.venue.rates = RateBudget(limits)
    at.desk.arm(ARM)
    await until(lambda: bool(at.failed), "a refusal")
    assert at.of_kind(Armed) == []
    assert at.failed[0].intent_ids == (INTENT,)


@on_loop
async def test_each_order_of_a_list_in_doubt_is_found_by_its_own_id() -> None:
    at = await sent(Verdict(answer=Answer.UNKNOWN))
    at.venue.orders[cid(2)] = told(2)
    await at.resolver.settle("BTC/USDT")
    assert states(at) == [AttemptState.IN_DOUBT, AttemptState.ACKED]
    at.venue.orders[cid(1)] = told(1, OrderState.FILLED, executed="1")
    await at.resolver.settle("BTC/USDT")
    assert states(at) == [AttemptState.ACKED] * 2


@on_loop
async def test_a_list_that_never_came_is_absent_order_by_order_each_with_its_barrier() -> None:
    at = await sent(Verdict(answer=Answer.UNKNOWN))
    at.pass_s((HORIZON_MS + WINDOW_MS) / 1000 + 1)
    await at.resolver.settle("BTC/USDT")
    assert states(at) == [AttemptState.NEVER_EXECUTED] * 2
    assert at.venue.cancelled == [cid(1), cid(2)]
    assert at.account.reserved("BTC") == 0


@on_loop
async def test_a_barrier_that_finds_one_order_tells_of_both() -> None:
    at = await sent(Verdict(answer=Answer.UNKNOWN))
    at.pass_s((HORIZON_MS + WINDOW_MS) / 1000 + 1)
    ended = tuple(told(part, OrderState.CANCELLED) for part in (1, 2))
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=ended[0], others=ended[1:])
    await at.resolver.settle("BTC/USDT")
    assert states(at) == [AttemptState.ACKED] * 2
    assert at.venue.cancelled == [cid(1)]
    assert not at.account.live


@on_loop
async def test_no_cancel_ends_a_list_in_doubt_before_it_is_about_to_be_declared_absent() -> None:
    """The wish may still want it, the stop as much as the limit."""
    at = await sent(Verdict(answer=Answer.UNKNOWN))
    for order in at.resolver.open_doubts():
        deadline_ms = order.armed.timestamp_ms + order.armed.window_ms
        assert next_step(order, deadline_ms + 1, barrier_done=False) is Step.ASK
        late_ms = deadline_ms + HORIZON_MS - 1
        assert next_step(order, late_ms, barrier_done=False) is Step.BARRIER


@on_loop
async def test_a_cancel_of_one_order_books_the_end_of_both() -> None:
    at = await sent(acked())
    ended = tuple(told(part, OrderState.CANCELLED) for part in (2, 1))
    at.venue.on_cancel = Verdict(answer=Answer.ACKED, report=ended[0], others=ended[1:])
    await at.desk.cancel_once(at.account.live[cid(2)].armed, barrier=False)
    assert not at.account.live
    assert at.account.free("BTC") == at.account.holdings.get("BTC", 0)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("part", [1, 2])
def test_a_cancels_id_names_both_orders_and_the_right_one_is_meant(part: int, known: bool) -> None:
    """Some answers about a cancelled order name it by the id of its cancel."""

    @on_loop
    async def run() -> None:
        at = await sent(acked() if known else Verdict(answer=Answer.UNKNOWN))
        await at.desk.cancel_once(at.of_kind(Armed)[0], barrier=True)
        (cancel,) = at.venue.cancels
        report = told(part, OrderState.CANCELLED, executed="0.4", named=cancel.cid)
        await at.books.report(report, "order of a trade")
        order = at.account.live[cid(part)]
        assert (order.order_id, order.executed) == (str(part), Decimal("0.4"))
        assert at.of_kind(Ghost) == []

    run()


@on_loop
async def test_a_trade_of_a_list_in_doubt_finds_its_order_under_the_cancels_id() -> None:
    at = await sent(Verdict(answer=Answer.UNKNOWN))
    await at.desk.cancel_once(at.of_kind(Armed)[1], barrier=True)
    (cancel,) = at.venue.cancels
    report = told(1, OrderState.CANCELLED, executed="1", named=cancel.cid)
    at.venue.owners["BTC/USDT", "1"] = report
    at.venue.trades = [fill(5, "1", side=Side.SELL)]
    await at.sweep.trades("BTC/USDT")
    order = at.account.order(cid(1))
    assert order is not None
    assert (order.state, order.booked) == (AttemptState.ACKED, ONE)
    assert at.of_kind(Ghost) == []


@on_loop
async def test_what_one_order_books_is_taken_off_the_other() -> None:
    at = await sent(acked())
    partly = msgspec.structs.replace(
        told(1, OrderState.PARTIALLY_FILLED, executed="1"), fills=(fill(5, "1", side=Side.SELL),)
    )
    half = msgspec.structs.replace(partly.fills[0], quantity=Decimal("0.4"), cid=cid(1))
    await at.books.report(
        msgspec.structs.replace(partly, executed=Decimal("0.4"), fills=(half,)), "stream"
    )
    assert at.account.reserved("BTC") == Decimal("0.6")
    assert at.account.live[cid(2)].outstanding == Decimal("0.6")


@on_loop
async def test_a_process_that_begins_doubts_both_orders_that_another_armed() -> None:
    at = await world()
    armed = (await sent(acked())).of_kind(Armed)
    await at.recorder.record(*armed)
    assert await at.reconciler.doubt_what_was_armed("another boot") == 2
    assert [moved.state for moved in at.of_kind(AttemptMoved)] == [AttemptState.IN_DOUBT] * 2
