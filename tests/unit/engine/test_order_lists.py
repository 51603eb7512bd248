"""Stop and take-profit as one list: when they rest together, and what becomes of both."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.event import QuoteSeen
from holdfast.domain.fact import Armed, Halted, HaltLevel
from holdfast.domain.market import Quote
from holdfast.domain.order import OrderState, OrderType, Side
from holdfast.ledger.state import LiveOrder
from holdfast.strategy import FLAT, Percent, Target
from tests.support.engine_world import BTC, World

D = Decimal
ONE = Decimal(1)
SAFE = Target(quantity=ONE, stop=Percent(2), take_profit=Percent(4))
Placed = tuple[OrderType, Decimal, Decimal | None]


def holding(wish: Target = SAFE) -> World:
    """A world with order lists, in which the wish was bought at 100 and protected."""
    world = World(lists=True)
    world.wish(wish)
    world.bar()
    world.settle()
    world.check()
    return world


def entered(wish: Target = SAFE) -> tuple[World, list[Armed]]:
    """A world in which the wish was bought, and the list is armed and not answered."""
    world = World(lists=True)
    world.wish(wish)
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid, ONE)
    return world, world.arm()


def unprotected(price: int | str) -> World:
    """What was bought at 100 has lost its protection, and the market is elsewhere by now."""
    world = World(lists=True)
    world.wish(SAFE)
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid, ONE)
    world.arming.clear()
    world.prices["BTC/USDT"] = D(price)
    world.restart()
    world.settle()
    return world


def exit_of(world: World, what: str) -> LiveOrder:
    (order,) = [order for order in world.account.live.values() if order.exit == what]
    return order


def resting(world: World) -> list[Placed]:
    """Type, quantity and price of what protects, as the venue has it."""
    specs = [o.armed.spec for o in world.working() if o.exit]
    return [(spec.type, spec.quantity, spec.price or spec.stop_price) for spec in specs]


def pair(quantity: Decimal = ONE, take: int = 104, stop: str = "98") -> list[Placed]:
    return [
        (OrderType.LIMIT_MAKER, quantity, D(take)), (OrderType.STOP_LOSS, quantity, D(stop)),
    ]  # fmt: skip


def quote(world: World, price: int | str) -> None:
    world.prices["BTC/USDT"] = D(price)
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", D(price), D(price))))


def market_sells(world: World) -> list[Decimal]:
    return [
        a.spec.quantity
        for a in world.armed
        if a.spec.side is Side.SELL and a.spec.type is OrderType.MARKET
    ]


def test_stop_and_take_profit_rest_as_one_list_armed_together_under_one_intent() -> None:
    world, (above, below) = entered()
    assert above.list_cid == below.list_cid
    assert (above.part, below.part) == (1, 2)
    assert (above.intent_id, above.n) == (below.intent_id, below.n)
    assert len({above.cid, below.cid, above.list_cid}) == 3
    world.settle()
    assert resting(world) == pair()
    assert world.bar(price=101) == []
    world.check()


def test_the_pair_takes_its_quantity_once() -> None:
    world = holding()
    assert world.account.reserved("BTC") == ONE
    assert world.account.free("BTC") == 0
    world.fill(exit_of(world, "take_profit").armed.cid, D("0.3"))
    assert world.account.reserved("BTC") == D("0.7")
    world.check()


def test_without_lists_at_the_venue_or_for_the_symbol_the_stop_rests_alone() -> None:
    closed = msgspec.structs.replace(BTC, takes_lists=False)
    for world in (World(), World(lists=True, instruments=(closed,))):
        world.wish(SAFE)
        world.bar()
        world.settle()
        assert resting(world) == pair()[1:]


def test_without_a_take_profit_the_stop_rests_alone() -> None:
    assert resting(holding(Target(quantity=ONE, stop=Percent(2)))) == pair()[1:]


def test_without_a_stop_the_take_profit_is_watched() -> None:
    world = holding(Target(quantity=ONE, take_profit=Percent(4)))
    assert resting(world) == []
    quote(world, 104)
    world.settle()
    assert world.held() == 0


def test_a_take_profit_that_executes_ends_the_position_and_the_stop() -> None:
    world = holding()
    quote(world, 105)
    assert not world.arming  # the venue does it
    assert not world.cancelling
    world.fill(exit_of(world, "take_profit").armed.cid, ONE)
    world.settle()
    assert (world.held(), resting(world), market_sells(world)) == (D(0), [], [])
    state = world.account.bots["bot"]
    assert state.last_exits["BTC/USDT"].reason == "take_profit"
    assert state.spent == {"BTC/USDT": ""}
    world.bar(price=100)
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_stop_that_executes_ends_the_position_and_the_take_profit() -> None:
    world = holding()
    world.bar(price=97)
    world.fill(exit_of(world, "stop").armed.cid, ONE)
    world.settle()
    assert (world.held(), resting(world), market_sells(world)) == (D(0), [], [])
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "stop"
    world.check()


@pytest.mark.parametrize("told_of_the_stop_first", [True, False])
def test_what_a_partly_filled_take_profit_leaves_is_sold_at_market(
    told_of_the_stop_first: bool,
) -> None:
    """The venue has ended the stop: nothing protects the rest."""
    world = holding()
    above, below = exit_of(world, "take_profit").armed.cid, exit_of(world, "stop").armed.cid
    if told_of_the_stop_first:
        world.execute(above, D("0.3"))
        world.report(below)
        assert list(world.cancelling) == [above]
        world.report(above)
        world.book(above)
    else:
        world.fill(above, D("0.3"))
    assert list(world.cancelling) == [above]
    world.settle()
    assert (world.held(), market_sells(world)) == (D(0), [D("0.7")])
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "take_profit"
    world.check()


def test_a_partly_filled_take_profit_of_a_stopped_bot_gets_its_stop_back() -> None:
    world = holding()
    world.ask("stop", bot="bot")
    world.fill(exit_of(world, "take_profit").armed.cid, D("0.3"))
    world.settle()
    assert resting(world) == pair(D("0.7"))
    world.check()


def test_to_leave_the_list_is_taken_back_with_one_cancel() -> None:
    world = holding()
    above = exit_of(world, "take_profit").armed.cid
    world.wish(FLAT)
    world.bar()
    world.arm()
    assert list(world.cancelling) == [above]
    world.settle()
    assert (world.held(), market_sells(world)) == (D(0), [ONE])
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "wish"
    world.check()


def test_the_list_follows_what_is_held() -> None:
    world = holding(Target(quantity=D(3), stop=Percent(2), take_profit=Percent(4)))
    assert resting(world) == pair(D(3))
    world.wish(SAFE)
    world.bar()
    world.settle()
    assert (world.held(), resting(world)) == (ONE, pair())
    world.check()


def test_a_trailing_stop_takes_the_list_along() -> None:
    world = holding(
        Target(quantity=ONE, stop=Percent(10), take_profit=Percent(40), trail=True)
    )
    world.bar(price=120)
    world.settle()
    assert resting(world) == pair(ONE, 140, "108")
    world.check()


@pytest.mark.parametrize("price", ["103.9", "104", "110"])
def test_a_take_profit_next_to_the_market_is_not_risked_together_with_the_stop(price: str) -> None:
    world = unprotected(price)
    if D(price) < 104:
        assert resting(world) == pair()[1:]
    else:
        assert (world.held(), market_sells(world)) == (D(0), [ONE])
    world.check()


def test_where_the_market_is_through_the_stop_it_sells_at_once() -> None:
    world = unprotected(97)
    assert (world.held(), market_sells(world)) == (D(0), [ONE])
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "stop"
    world.check()


def test_after_a_refused_list_the_stop_rests_alone_and_the_take_profit_is_watched() -> None:
    world, armed = entered()
    for part in armed:
        world.reject(part.cid, final=False)
    world.tick(5)
    assert not world.arming
    for part in armed:
        world.close_reject(part.cid)
    world.seconds_until_arming()
    world.settle()
    assert resting(world) == pair()[1:]
    quote(world, 104)
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_list_in_doubt_counts_as_present_and_is_resolved_order_by_order() -> None:
    world, (above, below) = entered()
    world.doubt(above.cid)
    world.doubt(below.cid)
    quote(world, 105)
    world.tick(5)
    assert not world.arming
    quote(world, 101)
    world.never(above.cid)
    world.tick(5)
    assert not world.arming
    assert world.account.reserved("BTC") == ONE
    world.never(below.cid)
    world.seconds_until_arming()
    (again, _) = world.arm()
    assert (again.intent_id, again.n, again.part) == (above.intent_id, 2, 1)
    world.settle()
    assert resting(world) == pair()
    world.check()


def test_a_list_that_proved_absent_leaves_the_take_profit_to_the_engine_meanwhile() -> None:
    world, armed = entered()
    for part in armed:
        world.doubt(part.cid)
    quote(world, 105)
    for part in armed:
        world.never(part.cid)
    world.tick(1)
    quote(world, 105)
    world.settle()
    assert (world.held(), market_sells(world)) == (D(0), [ONE])
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "take_profit"
    world.check()


def test_a_take_profit_found_executed_after_a_doubt_is_booked_once() -> None:
    world, (above, below) = entered()
    world.doubt(above.cid)
    world.ack(below.cid)
    world.execute(above.cid, ONE)
    world.ack(above.cid)
    world.settle()
    assert (world.held(), market_sells(world)) == (D(0), [])
    world.check()


def test_after_a_restart_the_list_is_known_and_not_placed_twice() -> None:
    world = holding()
    world.restart(from_snapshot=False)
    world.bar()
    world.settle()
    assert resting(world) == pair()
    assert len([a for a in world.armed if a.list_cid]) == 2
    world.check()


def test_a_list_that_the_venue_ended_is_placed_again() -> None:
    world = holding()
    world.end(exit_of(world, "stop").armed.cid, OrderState.EXPIRED)
    world.settle()
    assert resting(world) == pair()
    world.check()


def test_a_position_too_large_for_one_order_has_several_lists() -> None:
    world = holding(Target(quantity=D(2500), stop=Percent(2), take_profit=Percent(4)))
    assert resting(world) == [*pair(D(1000)), *pair(D(1000)), *pair(D(500))]
    assert world.account.reserved("BTC") == 2500
    world.wish(FLAT)
    world.bar()
    world.arm()
    assert len(world.cancelling) == 3
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_halt_leaves_the_list_where_it_is() -> None:
    world = holding()
    world.ask("halt")
    world.bar()
    world.settle()
    assert resting(world) == pair()
    world.check()


@pytest.mark.parametrize("seen", ["while it is taken back", "after a time without anybody"])
def test_flatten_sells_what_a_take_profit_that_has_begun_to_execute_leaves(seen: str) -> None:
    world = holding()
    above, below = exit_of(world, "take_profit").armed.cid, exit_of(world, "stop").armed.cid
    if seen == "while it is taken back":
        world.ask("halt", level="flatten")
        world.cancel(answered=False)  # lost on its way
        world.execute(above, D("0.3"))
        world.report(below)
        world.report(above)
    else:
        world.execute(above, D("0.3"))
        world.commit(Halted(level=HaltLevel.FLATTEN, reason="lunch", by="ana"))
        world.arming.clear()
        world.cancelling.clear()
        world.restart(from_snapshot=False)
        world.settle()
    world.book(above)
    world.tick(4)  # a cancel is asked for again
    world.settle()
    assert (world.held(), market_sells(world)) == (D(0), [D("0.7")])
    world.check()
