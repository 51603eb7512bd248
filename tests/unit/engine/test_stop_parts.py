"""A stop of several orders: what splits it, what is added to it, and what the venue refuses of it.

Not here: where a stop is put (test_exits), lists of which there are several (test_order_lists).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.event import BarClosed
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import OrderType
from holdfast.ledger.state import LiveOrder
from holdfast.strategy import Percent, Target
from tests.support.engine_wishes import ONE
from tests.support.engine_world import BTC, FREE_LIMITS, World, bot

D = Decimal
MOST_STOPS = 5
"""As many as Binance takes on a symbol (MAX_NUM_ALGO_ORDERS)."""


def at_most(quantity: str) -> Instrument:
    """A market whose orders are no larger than that."""
    return msgspec.structs.replace(BTC, max_quantity=D(quantity))


def holding(quantity: str, instrument: Instrument, *, lists: bool = False) -> World:
    """A world in which so much was bought at 100, and protected where the venue let it be."""
    world = World(instruments=(instrument,), lists=lists)
    take_profit = Percent(4) if lists else None
    world.wish(Target(quantity=D(quantity), stop=Percent(2), take_profit=take_profit))
    world.bar()
    return world


def stops(world: World) -> list[LiveOrder]:
    return [order for order in world.working() if order.exit == "stop"]


def parts(world: World) -> list[Decimal]:
    return [order.armed.spec.quantity for order in stops(world)]


def pass_time(
    world: World, seconds: int, most: int = MOST_STOPS, refused: dict[str, int] | None = None
) -> int:
    """Seconds without any stop, where the venue takes no more of them than it does.

    Args:
        refused: for how many seconds each refusal is provisional; of an earlier call.
    """
    bare, refused = 0, {} if refused is None else refused
    for _ in range(seconds):
        while world.arming:
            world.arm()
        while world.cancelling:
            world.cancel()
        for cid, attempt in list(world.unanswered.items()):
            is_stop = attempt.spec.stop_price is not None or bool(attempt.list_cid)
            mates = [o for o in stops(world) if o.armed.list_cid == attempt.list_cid != ""]
            if not is_stop:
                world.ack(cid, attempt.spec.quantity)
            elif mates or len(stops(world)) < most:
                world.ack(cid)
            else:
                world.reject(cid, final=False)
                refused[cid] = 15
        for cid in list(refused):
            refused[cid] -= 1
            if not refused[cid]:
                world.close_reject(cid)
                del refused[cid]
        world.tick(1)
        bare += not stops(world)
    return bare


def test_a_limit_on_the_notional_of_an_order_splits_no_stop() -> None:
    """It binds what adds exposure, and venues take few stops."""
    tight = msgspec.structs.replace(FREE_LIMITS, max_order_notional=D(103))
    world = World(bot(limits=tight))
    for held in (1, 2, 3):
        world.wish(Target(quantity=D(held), stop=Percent(2)))
        world.bar()
        world.settle()
        assert parts(world) == [D(held)]
    assert world.refusals == []
    world.check()


def test_more_parts_than_are_placed_at_a_time_are_placed_and_stay() -> None:
    world = holding("18", at_most("1"))
    world.settle()
    assert parts(world) == [ONE] * 18
    armed = len(world.armed)
    for _ in range(3):
        assert world.bar() == []
    assert len(world.armed) == armed
    world.check()


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("held", ["6", "17"])
def test_what_the_venue_refuses_of_a_stop_costs_its_other_parts_nothing(
    held: str, lists: bool
) -> None:
    world = holding(held, at_most("1"), lists=lists)
    bare = pass_time(world, 60)
    assert world.held() == D(held)
    assert parts(world) == [ONE] * MOST_STOPS
    assert bare <= 1
    armed = len(world.armed)
    assert pass_time(world, 300) == 0
    assert parts(world) == [ONE] * MOST_STOPS
    assert len(world.armed) - armed <= 16, "one is asked for, and then less and less often"
    world.check()


def test_what_was_refused_of_a_stop_is_placed_as_soon_as_the_venue_takes_it() -> None:
    world = holding("7", at_most("1"))
    pass_time(world, 60)
    for _ in range(60):
        world.tick(1)
        for cid in list(world.account.live):
            if cid not in world.venue and cid not in world.unanswered:
                world.close_reject(cid)
        world.settle()
    assert parts(world) == [ONE] * 7
    world.check()


def test_a_part_that_is_as_large_as_it_may_be_stays_where_more_is_bought() -> None:
    world = holding("1200", BTC)
    world.settle()
    (first, second) = stops(world)
    assert parts(world) == [D(1000), D(200)]
    world.wish(Target(quantity=D(1300), stop=Percent(2)))
    world.bar()
    world.settle()
    assert parts(world) == [D(1000), D(300)]
    assert stops(world)[0] is first
    assert second.armed.cid not in world.account.live
    world.wish(Target(quantity=D(2250), stop=Percent(2)))
    world.bar()
    world.settle()
    assert parts(world) == [D(1000), D(300), D(950)], "two orders take no fewer"
    world.check()


def test_what_is_too_little_for_a_part_of_its_own_moves_nothing() -> None:
    world = holding("2.059", at_most("1"))
    for _ in range(3):
        while world.arming:
            world.arm()
        for cid, attempt in list(world.unanswered.items()):
            if attempt.spec.type is OrderType.STOP_LOSS:
                world.ack(cid)
            else:
                fee = D("0.049") if attempt.spec.quantity < 1 else D(0)
                world.ack(cid, attempt.spec.quantity, fee=fee, fee_asset="BTC")
    world.settle()
    assert world.held() == D("2.01")
    assert parts(world) == [ONE, ONE]
    armed = len(world.armed)
    for _ in range(3):
        assert world.bar() == []
    assert len(world.armed) == armed
    world.check()


def test_what_a_stop_does_not_cover_yet_is_sold_at_once_where_the_market_is_through_it() -> None:
    """The stop rests where it is: the venue sees to it, and a sale of it would be another one."""
    world = World()
    world.wish(Target(quantity=D(2), limit=D(100), stop=Percent(2)))
    world.bar()
    world.settle()
    (entry,) = world.working()
    world.fill(entry.armed.cid, ONE)
    world.settle()
    (stop,) = stops(world)
    world.prices["BTC/USDT"] = D(97)
    world.take(BarClosed(world.bar_at(D(97))))
    world.fill(entry.armed.cid, ONE)
    (sale,) = world.arm()
    assert (sale.spec.type, sale.spec.quantity) == (OrderType.MARKET, ONE)
    assert stop.is_working
    assert not world.cancelling
    world.fill(stop.armed.cid, ONE)
    world.settle()
    assert world.held() == 0
    world.check()


def test_nothing_is_placed_beside_a_stop_that_gives_way_to_a_sale() -> None:
    """An entry of the wish before fills while both are on their way."""
    world = World(instruments=(at_most("1"),))
    world.wish(Target(quantity=D(2), limit=D(99), stop=Percent(2)))
    world.bar()
    world.settle()
    one, other = (order.armed.cid for order in world.working())
    world.fill(one, ONE)
    world.settle()
    (stop,) = stops(world)
    world.wish(Target(quantity=D("0.5"), stop=Percent(2)))
    world.bar()
    world.arm()
    while world.cancelling:
        world.cancel(answered=False)
    world.fill(other, ONE)
    assert stop.is_working
    assert not world.arming
    world.tick(4)  # a cancel is asked for again
    world.settle()
    assert (world.held(), parts(world)) == (D("0.5"), [D("0.5")])
    world.check()


def test_a_stop_that_was_refused_grows_with_its_position_and_is_one_order_then() -> None:
    """Slots of the venue are full at first; more is bought meanwhile, and one becomes free."""
    world = World()
    world.wish(Target(quantity=ONE, limit=D(100), stop=Percent(2)))
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid)
    world.fill(entry.cid, D("0.3"))
    refused: dict[str, int] = {}
    pass_time(world, 3, 0, refused)
    world.fill(entry.cid, D("0.5"))
    pass_time(world, 30, 0, refused)
    pass_time(world, 60, 1, refused)
    assert parts(world) == [D("0.8")]
    count = len(world.armed)
    assert pass_time(world, 300, 1, refused) == 0
    assert len(world.armed) == count
