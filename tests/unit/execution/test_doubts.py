"""The resolver and the desk over a scripted venue: evidence ends a doubt, absence takes time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from holdfast.domain.action import Approved, Arm, Proposed
from holdfast.domain.fact import Armed, AttemptMoved, CancelArmed, Filled
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderSpec, OrderState, OrderType, Side
from holdfast.errors import RejectedError, RetryableError
from holdfast.execution import points
from holdfast.execution.evidence import HORIZON_MS
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group, Head, Outcome
from holdfast.ledger.state import LiveOrder
from holdfast.simulation.loop import VirtualLoop
from holdfast.venues.port import Answer, OrderReport, Placement, Purpose, Verdict
from tests.support.exchange import on_loop
from tests.support.execution_world import ONE, WINDOW_MS, ExecutionWorld, fill, report, world
from tests.support.waiting import PATIENCE_S, until

AFTER_HORIZON_S = (HORIZON_MS + WINDOW_MS) / 1000 * 1.011 + 0.1  # by a clock that may gain


def _state(order: LiveOrder) -> AttemptState:
    return order.state


def _states(at: ExecutionWorld) -> list[AttemptState]:
    return [moved.state for moved in at.of_kind(AttemptMoved)]


@on_loop
async def test_absence_is_concluded_after_the_horizon_and_a_barrier_never_before() -> None:
    at = await world()
    order = await at.doubt(1)

    at.pass_s(HORIZON_MS / 1000)
    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.IN_DOUBT

    at.pass_s(AFTER_HORIZON_S - HORIZON_MS / 1000)
    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.NEVER_EXECUTED
    assert at.venue.cancelled == [order.armed.cid]


@on_loop
async def test_that_an_order_is_archived_proves_nothing_soon_or_by_itself() -> None:
    at = await world()
    order = await at.doubt(1)
    at.venue.archived = {order.armed.cid}

    at.pass_s(HORIZON_MS / 1000)  # Binance has said so of orders that were new
    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.IN_DOUBT

    at.pass_s(AFTER_HORIZON_S - HORIZON_MS / 1000)
    at.venue.open = [report(order.armed, OrderState.NEW, executed="0")]
    await at.resolver.settle("BTC/USDT")
    assert (_state(order), order.order_state) == (AttemptState.ACKED, OrderState.NEW)


@on_loop
async def test_an_archived_order_that_nothing_else_shows_has_ended_and_was_there() -> None:
    at = await world()
    order = await at.doubt(1)
    at.venue.archived = {order.armed.cid}
    at.pass_s(AFTER_HORIZON_S)

    at.venue.on_cancel = Verdict(answer=Answer.UNKNOWN)
    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.IN_DOUBT  # the engine has not said yet that it is not open

    at.venue.on_cancel = Verdict(answer=Answer.ABSENT)
    await at.resolver.settle("BTC/USDT")
    assert (_state(order), order.order_state) == (AttemptState.ACKED, OrderState.EXPIRED)
    assert (order.executed, order.outstanding) == (ZERO, ZERO)
    assert order.armed.cid not in at.account.live


@on_loop
async def test_an_archived_order_whose_trade_is_listed_has_executed() -> None:
    at = await world()
    order = await at.doubt(1)
    at.venue.archived = {order.armed.cid}
    at.venue.trades = [fill(5, "8")]
    at.pass_s(AFTER_HORIZON_S)
    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.IN_DOUBT  # whose the trade is cannot be told yet

    at.venue.owners["BTC/USDT", "8"] = report(order.armed, order_id="8")
    await at.resolver.settle("BTC/USDT")
    assert (_state(order), order.order_state) == (AttemptState.ACKED, OrderState.FILLED)


@on_loop
async def test_a_refusal_of_an_order_that_was_archived_was_none() -> None:
    at = await world()
    attempt = await at.arm(1)
    await at.recorder.record(AttemptMoved(cid=attempt.cid, state=AttemptState.REJECTED))
    at.venue.archived = {attempt.cid}
    at.pass_s(AFTER_HORIZON_S)
    await at.resolver.settle("BTC/USDT")
    order = at.account.order(attempt.cid)
    assert order is not None
    assert (order.state, order.order_state) == (AttemptState.ACKED, OrderState.EXPIRED)


@on_loop
async def test_a_stop_that_is_not_to_be_seen_yet_is_not_taken_back_before_absence_is_near() -> None:
    """It may be good, and the position would be without it."""
    at = await world()
    attempt = at.attempt(1, side=Side.SELL)
    spec = msgspec.structs.replace(attempt.spec, type=OrderType.STOP_LOSS, stop_price=ONE)
    attempt = msgspec.structs.replace(attempt, spec=spec)
    doubted = AttemptMoved(cid=attempt.cid, state=AttemptState.IN_DOUBT)
    await at.recorder.record(attempt, doubted)

    at.pass_s(WINDOW_MS / 1000 + 1)
    await at.resolver.settle("BTC/USDT")
    assert at.venue.cancelled == []

    at.venue.orders[attempt.cid] = report(attempt, OrderState.NEW, executed="0")
    await at.resolver.settle("BTC/USDT")
    assert _state(at.account.live[attempt.cid]) is AttemptState.ACKED


@on_loop
async def test_a_trade_whose_order_carries_our_id_ends_a_doubt_at_once() -> None:
    """Neither the query by id nor the open orders show it yet; the trade list does."""
    at = await world()
    order = await at.doubt(1)
    at.venue.trades = [fill(5, "8")]
    at.venue.owners["BTC/USDT", "8"] = report(order.armed, order_id="8")

    await at.resolver.settle("BTC/USDT")

    assert _state(order) is AttemptState.ACKED
    assert [each.fill.trade_id for each in at.of_kind(Filled)] == ["5"]


@on_loop
async def test_a_trade_that_the_exchange_cannot_name_yet_keeps_a_doubt_open() -> None:
    at = await world()
    order = await at.doubt(1)
    at.venue.trades = [fill(5, "8")]
    at.pass_s(AFTER_HORIZON_S)

    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.IN_DOUBT

    at.venue.owners["BTC/USDT", "8"] = report(order.armed, order_id="8")
    await at.resolver.settle("BTC/USDT")
    assert _state(order) is AttemptState.ACKED


@on_loop
async def test_a_thousand_trades_of_others_hide_no_trade_of_ours() -> None:
    at = await world()
    order = await at.doubt(1)
    at.venue.trades = [fill(number, "99", side=Side.SELL) for number in range(1, 1100)]
    at.venue.trades.append(fill(1100, "8"))
    other = at.attempt(7)
    hand = report(other, order_id="99")
    at.venue.owners["BTC/USDT", "99"] = type(hand)(
        **{f: getattr(hand, f) for f in hand.__struct_fields__ if f != "cid"}, cid="hand"
    )
    at.venue.owners["BTC/USDT", "8"] = report(order.armed, order_id="8")

    await at.resolver.settle("BTC/USDT")

    assert _state(order) is AttemptState.ACKED


def test_a_question_that_is_not_answered_holds_up_no_other_symbol() -> None:
    """In virtual time."""

    async def course() -> None:
        at = await world()
        await at.doubt(1, "BTC/USDT")
        other = await at.doubt(2, "ETH/USDT")

        async def unanswered(_symbol: str, cid: str, _purpose: Purpose) -> OrderReport | None:
            if cid != other.armed.cid:
                await asyncio.sleep(5)
                raise RetryableError("seen: no answer")
            return at.venue.orders.get(cid)

        at.venue.order = unanswered  # type: ignore[method-assign]
        resolving = asyncio.create_task(at.resolver.run())
        await asyncio.sleep(1)
        at.venue.orders[other.armed.cid] = report(other.armed)
        await asyncio.sleep(1)
        assert _state(other) is AttemptState.ACKED
        resolving.cancel()
        await asyncio.wait({resolving})

    loop = VirtualLoop()
    loop.run_until_complete(course())
    loop.close()


# -- the desk --------------------------------------------------------------------------------------


def _arm_of_one(number: int) -> Arm:
    proposed = Proposed(
        bot="bot",
        intent_id=f"00000000-0000-5000-8000-{number:012d}",
        n=1,
        leg="BTC/USDT",
        seq=0,
        decision=number,
        spec=OrderSpec(symbol="BTC/USDT", side=Side.BUY, type=OrderType.MARKET, quantity=ONE),
        reduces=False,
        price=ONE,
    )
    return Arm(None, (Approved(proposed, "USDT", ZERO),))


class Elsewhere(MemoryStore):
    """Commits while the event loop turns, as on a slow disk."""

    def commit_at_once(
        self, _head: Head, _groups: Sequence[Group], _at_ns: int
    ) -> tuple[Head, list[Outcome]] | None:
        return None


@on_loop
async def test_what_is_being_armed_while_the_desk_closes_is_known_not_to_have_been_sent() -> None:
    at = await world(store=Elsewhere())

    at.desk.arm(_arm_of_one(1))
    await asyncio.sleep(0)  # it is on its way to the journal
    await at.desk.close(PATIENCE_S)

    assert at.venue.placed == []
    assert _states(at) == [AttemptState.NOT_SENT]
    assert at.of_kind(AttemptMoved)[0].evidence == "this node is stopping"


@on_loop
async def test_a_reply_that_comes_while_the_desk_closes_is_waited_for() -> None:
    at = await world()

    async def late(placement: Placement) -> Verdict:
        await asyncio.sleep(0.1)
        armed = at.account.live[placement.cid].armed
        return Verdict(answer=Answer.ACKED, report=report(armed))

    at.venue.on_place = late
    at.desk.arm(_arm_of_one(1))
    while not at.venue.placed:
        await asyncio.sleep(0)
    await at.desk.close(PATIENCE_S)

    assert _states(at) == [AttemptState.ACKED]


@pytest.mark.parametrize("point", [points.ARMED, points.SENDING, points.REPLIED])
@on_loop
async def test_what_breaks_on_its_way_is_in_doubt_and_not_nobody_s(point: str) -> None:
    at = await world()
    short = [point]

    def reach(passed: str) -> None:
        if passed in short:
            short.remove(passed)
            raise MemoryError

    at.desk._reach = reach
    at.desk.arm(_arm_of_one(1))
    await until(lambda: bool(at.of_kind(AttemptMoved)), "that it is noticed")

    assert _states(at) == [AttemptState.IN_DOUBT]
    assert [order.in_doubt for order in at.account.live.values()] == [True]
    await at.desk.close(PATIENCE_S)


@on_loop
async def test_of_two_cancels_at_the_same_moment_only_the_one_with_a_row_is_sent() -> None:
    at = await world()
    order = await at.doubt(1)

    verdicts = await asyncio.gather(
        at.desk.cancel_once(order.armed, barrier=True),
        at.desk.cancel_once(order.armed, barrier=True),
    )

    assert [verdict.answer for verdict in verdicts] == [Answer.ABSENT, Answer.NOT_SENT]
    assert len(at.venue.cancelled) == len(at.of_kind(CancelArmed)) == 1


@on_loop
async def test_a_cancel_of_an_unknown_order_survives_a_venue_that_refuses_questions() -> None:
    at = await world()
    attempt = await at.arm(1)
    at.venue.raised = RejectedError("-2015", "Invalid API-key")

    verdict = await at.desk.cancel_once(attempt, barrier=False)

    assert verdict.answer is Answer.ABSENT
    assert at.account.live[attempt.cid].state is AttemptState.ARMED


@on_loop
async def test_a_doubt_that_arises_after_the_gate_still_keeps_an_entry_from_being_armed() -> None:
    at = await world()
    doubt = await at.doubt(1)

    at.desk.arm(_arm_of_one(2))
    await at.drain()

    assert [attempt.cid for attempt in at.of_kind(Armed)] == [doubt.armed.cid]
    assert at.venue.placed == []
