"""Stops and take-profits: where they are put, what they follow, and what comes after them."""

from __future__ import annotations

import pytest

from holdfast.domain.event import BarClosed
from holdfast.domain.order import OrderType, Side
from holdfast.ledger.state import Exits, LiveOrder
from holdfast.strategy import FLAT, Level, Percent, Quotes, Target
from tests.support.engine_world import World
from tests.support.exits import ONE, SAFE, D, holding, quote, sells, spec_of, stop_of


def test_a_stop_rests_at_its_distance_from_the_first_fill() -> None:
    world = holding()
    assert spec_of(world) == (OrderType.STOP_LOSS, ONE, D(98))
    assert world.account.bots["bot"].exits == {"BTC/USDT": Exits(D(98), D(104))}
    assert world.bar(price=101) == []
    world.check()


DIP = Target(quantity=ONE, limit=D(97), stop=Percent(5), take_profit=Percent(2))


def falling() -> tuple[World, LiveOrder]:
    """A bid rests at 97 and the market was seen at 100."""
    world = World()
    world.wish(DIP)
    world.bar()
    world.settle()
    (entry,) = world.working()
    return world, entry


def test_a_purchase_that_no_quote_has_explained_yet_is_not_sold_again_at_the_price_before() -> None:
    world, entry = falling()
    world.tick(2)
    world.fill(entry.armed.cid, ONE)
    world.take(BarClosed(world.bar_at(D(100))))  # it closed before the fill, and comes after it
    world.settle()
    assert [(order.type, order.stop_price) for order in sells(world)] == [
        (OrderType.STOP_LOSS, D("92.15"))
    ]
    quote(world, 99)
    world.settle()
    assert world.held() == 0, "the take-profit is taken where a quote comes to it"


def test_a_purchase_that_is_booked_late_sets_no_price_back() -> None:
    world, entry = falling()
    bought_ns = world.now_ns
    world.tick(2)
    quote(world, 99)
    world.engine.marks.bought("BTC/USDT", D(97), bought_ns)
    assert world.engine.prices["BTC/USDT"] == 99
    world.engine.marks.bought("BTC/USDT", D(103), world.now_ns + 1)
    assert world.engine.prices["BTC/USDT"] == 99, "what an order had to pay is not what is bid"
    assert entry.armed.cid in world.account.live


def test_exits_stay_where_the_first_fill_put_them() -> None:
    world = holding(Target(quantity=ONE, stop=Percent(2)))
    world.wish(Target(quantity=D(3), stop=Percent(2)))
    world.bar(price=110)
    world.settle()
    assert world.held() == 3
    assert spec_of(world) == (OrderType.STOP_LOSS, D(3), D(98))
    world.check()


def test_the_stop_follows_what_is_held() -> None:
    world = World()
    world.wish(Target(quantity=D(2), limit=D(99), stop=Percent(2)))
    world.bar()
    world.settle()
    (entry,) = world.working()
    world.fill(entry.armed.cid, ONE)
    world.settle()
    assert spec_of(world)[1:] == (ONE, D("97.02"))
    world.fill(entry.armed.cid, ONE)
    world.settle()
    assert spec_of(world)[1:] == (D(2), D("97.02"))
    world.check()


def test_a_fired_stop_spends_the_wish_until_another_episode() -> None:
    world = holding()
    world.bar(price=97)
    world.fill(stop_of(world).armed.cid, ONE)
    world.settle()
    assert (world.held(), world.account.bots["bot"].exits) == (D(0), {})
    last = world.account.bots["bot"].last_exits["BTC/USDT"]
    assert (last.reason, last.price) == ("stop", D(97))
    for _ in range(3):
        world.bar(price=100)
        world.settle()
    assert (world.held(), len(world.decided)) == (D(0), 1)
    world.wish(Target(quantity=ONE, stop=Percent(2), episode="two"))
    world.bar()
    world.settle()
    assert world.held() == 1
    world.check()


def test_a_fired_stop_spends_the_wish_until_it_was_flat() -> None:
    world = holding()
    world.fill(stop_of(world).armed.cid, ONE)
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle()
    world.wish(SAFE)
    world.bar()
    world.settle()
    assert world.held() == 1
    world.check()


def test_to_leave_the_stop_is_taken_back_first_because_it_locks_what_it_would_sell() -> None:
    world = holding()
    stop = stop_of(world).armed.cid
    world.wish(FLAT)
    world.bar()
    world.arm()
    assert list(world.cancelling) == [stop]
    assert [spec.type for spec in sells(world)] == [OrderType.STOP_LOSS]
    world.settle()
    assert [spec.type for spec in sells(world)] == [OrderType.STOP_LOSS, OrderType.MARKET]
    assert world.held() == 0
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "wish"
    world.check()


def test_to_hold_less_the_stop_makes_room_and_comes_back_smaller() -> None:
    world = holding(Target(quantity=D(3), stop=Percent(2)))
    world.wish(Target(quantity=ONE, stop=Percent(2)))
    world.bar()
    world.settle()
    assert world.held() == 1
    assert spec_of(world) == (OrderType.STOP_LOSS, ONE, D(98))
    world.check()


def test_a_stop_that_fires_while_it_is_being_taken_back_leaves_nothing_to_sell_twice() -> None:
    world = holding()
    stop = stop_of(world).armed.cid
    world.wish(FLAT)
    world.bar()
    world.arm()
    world.cancel(answered=False)
    world.fill(stop, ONE)
    world.settle()
    assert world.held() == 0
    assert [spec.type for spec in sells(world)] == [OrderType.STOP_LOSS]
    world.check()


def test_a_stop_in_doubt_counts_as_present() -> None:
    world = World()
    world.wish(SAFE)
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid, ONE)
    (stop,) = world.arm()
    world.doubt(stop.cid)
    world.bar()
    world.tick(5)
    assert not world.arming
    world.never(stop.cid)
    assert world.seconds_until_arming() < 1
    world.settle()
    assert spec_of(world) == (OrderType.STOP_LOSS, ONE, D(98))
    world.check()


def test_a_missing_stop_is_the_first_thing_armed_after_a_restart() -> None:
    world = World()
    world.wish(SAFE)
    world.bar()
    (entry,) = world.arm()
    world.arming.clear()
    world.ack(entry.cid, ONE)
    world.restart()
    (order,) = world.arming[0].orders
    assert order.order.spec.type is OrderType.STOP_LOSS
    world.settle()
    world.check()


def test_where_the_market_is_through_the_stop_already_it_sells_at_once() -> None:
    world = World()
    world.wish(SAFE)
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid, ONE)
    world.arming.clear()
    world.prices["BTC/USDT"] = D(90)
    world.restart()
    world.settle()
    assert [spec.type for spec in sells(world)] == [OrderType.MARKET]
    assert world.account.bots["bot"].spent == {"BTC/USDT": ""}
    world.bar()
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_sale_through_the_stop_that_finds_no_buyer_waits_longer_each_time() -> None:
    world = World()
    world.wish(SAFE)
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid, ONE)
    world.arming.clear()
    world.prices["BTC/USDT"] = D(90)
    world.restart()
    for pause_s in (0.25, 0.5, 1.0):
        (sale,) = world.arm()
        assert sale.spec.type is OrderType.MARKET
        world.ack(sale.cid)
        assert world.seconds_until_arming(step_s=0.25) == pause_s
    world.settle()
    assert world.held() == 0
    world.check()


@pytest.mark.parametrize("by_quote", [True, False])
def test_a_take_profit_is_watched_and_leaves_although_the_price_falls_back(by_quote: bool) -> None:
    world = holding()
    if by_quote:
        quote(world, 104)
        quote(world, 103)
    else:
        world.bar(price=104)
        world.prices["BTC/USDT"] = D(103)
    world.settle()
    assert world.held() == 0
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "take_profit"
    assert world.account.bots["bot"].spent == {"BTC/USDT": ""}
    world.bar(price=100)
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_trailing_stop_only_rises_and_in_steps_worth_their_requests() -> None:
    world = holding(Target(quantity=ONE, stop=Percent(10), trail=True))
    assert spec_of(world)[2] == D(90)
    places = []
    for price in (101, 102, 120, 110, 119):
        world.bar(price=price)
        world.settle()
        places.append(spec_of(world)[2])
    assert places == [D(90), D("91.8"), D(108), D(108), D(108)]
    world.restart()
    world.bar(price=115)
    world.settle()
    assert spec_of(world)[2] == D(108)
    world.check()


def test_a_wish_without_exits_takes_the_stop_back() -> None:
    world = holding()
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    assert not world.working()
    assert world.held() == 1
    world.check()


def test_a_wish_that_brings_a_stop_to_a_position_protects_it_from_its_average_price() -> None:
    world = holding(Target(quantity=ONE))
    world.wish(Target(quantity=ONE, stop=Percent(5)))
    world.bar(price=120)
    world.settle()
    assert spec_of(world)[2] == D(95)
    world.check()


def test_a_halt_leaves_the_stop_where_it_is() -> None:
    world = holding()
    world.ask("halt")
    world.bar()
    world.settle()
    assert spec_of(world) == (OrderType.STOP_LOSS, ONE, D(98))
    world.check()


def test_a_stop_for_more_than_one_order_may_sell_is_made_of_several() -> None:
    world = holding(Target(quantity=D(2500), stop=Percent(2)))
    stops = [o.armed.spec for o in world.account.live.values() if o.exit == "stop"]
    assert [(spec.quantity, spec.stop_price) for spec in stops] == [
        (D(1000), D(98)), (D(1000), D(98)), (D(500), D(98))
    ]  # fmt: skip
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    world.check()


@pytest.mark.parametrize("fired", [True, False])
def test_dust_of_the_last_position_does_not_say_where_the_next_one_is_left(fired: bool) -> None:
    world = World()
    world.wish(Target(quantity=ONE, stop=Percent(5)))
    world.bar(price=100)
    (bought,) = world.arm()
    world.ack(bought.cid, ONE, fee=D("0.0005"), fee_asset="BTC")
    world.settle()
    if fired:
        world.fill(stop_of(world).armed.cid, D("0.999"))
    else:
        world.wish(FLAT)
        world.bar()
    world.settle()
    assert world.held() == D("0.0005")
    world.wish(Target(quantity=ONE, stop=Percent(5), episode="two"))
    world.bar(price=80 if fired else 200)
    world.settle()
    assert world.held() == D("0.9995")
    assert spec_of(world) == (OrderType.STOP_LOSS, D("0.999"), D(76) if fired else D(190))


def test_what_stays_is_protected_as_soon_as_the_sale_of_the_rest_is_armed() -> None:
    """Not only when it has filled: the sale may be in doubt for long."""
    world = holding(Target(quantity=D(3), stop=Percent(2)))
    world.wish(Target(quantity=ONE, stop=Percent(2)))
    world.bar()
    world.arm()
    world.cancel()
    (sale,) = world.arm()
    assert (sale.spec.type, sale.spec.quantity) == (OrderType.MARKET, D(2))
    (order,) = world.arming[0].orders
    assert (order.order.spec.type, order.order.spec.quantity) == (OrderType.STOP_LOSS, ONE)
    world.check()


def test_exits_begin_with_the_first_fill_that_makes_something_that_can_be_left() -> None:
    """An earlier limit order filled a crumb; the market is beyond its take-profit already."""
    world = World()
    world.wish(Target(quantity=ONE, limit=D(98)))
    world.bar(price=100)
    (limit,) = world.arm()
    world.ack(limit.cid)
    world.wish(Target(quantity=D("0.1"), take_profit=Percent(2)))
    world.bar(price=101)
    world.arm()
    world.execute(limit.cid, D("0.006"))
    world.report(limit.cid)
    world.cancel()
    world.book(limit.cid)
    assert world.held() == D("0.006")
    assert world.account.bots["bot"].exits == {}
    world.settle()
    assert world.held() == D("0.1")
    (exits,) = world.account.bots["bot"].exits.values()
    assert exits.take_profit is not None
    assert exits.take_profit > world.prices["BTC/USDT"]


def test_what_a_capped_sale_left_is_asked_for_again_although_a_stop_has_to_give_way_first() -> None:
    """It took the stop back and placed it again at every bar, and never sold."""
    world = holding(Target(quantity=D(2), stop=Percent(10)))
    world.wish(Target(quantity=ONE, cap=Percent(1), stop=Percent(10)))
    for _ in range(3):
        world.bar(price=100)
        if world.arming:
            world.arm()
        world.cancel()
        (sale,) = world.arm()
        assert (sale.spec.side, sale.spec.price) == (Side.SELL, D(99))
        world.ack(sale.cid)
        world.end(sale.cid)  # nobody buys at that price
        world.settle()
        assert spec_of(world)[1] == D(2)


def test_a_stop_of_an_earlier_target_gives_way_to_quotes() -> None:
    world = holding(Target(quantity=D(2), stop=Percent(10)))
    world.wish(Quotes(asks=[Level(D(110), ONE), Level(D(120), ONE)]))
    world.bar()
    world.settle()
    assert [(o.exit, o.armed.spec.price) for o in world.working()] == [("", D(110)), ("", D(120))]
    assert world.refusals == []
    world.check()
