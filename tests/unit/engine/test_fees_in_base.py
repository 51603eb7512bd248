"""Fees that are taken in an asset that a bot trades as its base, as BNB."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.order import OrderType, Side
from holdfast.strategy import FLAT, Percent, Target
from tests.support.engine_wishes import ONE
from tests.support.engine_world import BTC, World, bot, flow

D = Decimal
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")


def rich() -> World:
    """A bot that holds 1000 in an account that has some more, for fees."""
    world = World()
    world.commit(flow("BTC", D(10)))
    world.wish(Target(quantity=D(1000)))
    world.bar()
    (entry,) = world.arm()
    world.ack(entry.cid, D(1000))
    world.wish(FLAT)
    world.bar()
    return world


def test_who_sold_all_and_paid_the_fee_in_base_is_flat_and_buys_nothing_back() -> None:
    world = rich()
    (sale,) = world.arm()
    world.ack(sale.cid, D(1000), fee=D("0.75"), fee_asset="BTC")
    for _ in range(3):
        world.settle()
        world.bar()
    assert [a.spec.side for a in world.armed] == [Side.BUY, Side.SELL]
    assert world.held() == 0
    assert world.account.holdings["BTC"] == D("9.25")


def test_so_is_who_sold_it_in_several_executions_each_with_its_fee() -> None:
    world = rich()
    (sale,) = world.arm()
    world.ack(sale.cid, D(1000), book=False)
    executed = world.venue[sale.cid]
    world.commit(world._fill(executed, D(400), fee=D("0.3"), fee_asset="BTC"))
    assert world.held() == D("599.7")
    assert not world.arming, "what is still to be booked was all there"
    world.commit(world._fill(executed, D(600), fee=D("0.45"), fee_asset="BTC"))
    for _ in range(3):
        world.settle()
        world.bar()
    assert len(world.armed) == 2
    assert world.held() == 0


def others_fees_left(quantity: str) -> World:
    """A bot that holds 1 by its own orders, of which the account has so much."""
    world = World(bot("bot"), bot("other", symbol="ETH/USDT"), instruments=(BTC, ETH))
    world.wish(Target(quantity=ONE))
    world.wish(Target(quantity=D(100)), "other")
    world.bar()
    world.bar("ETH/USDT")
    for attempt in [*world.arm(), *world.arm()]:
        fee = ONE - D(quantity) if attempt.bot == "other" else D(0)
        world.ack(attempt.cid, attempt.spec.quantity, fee=fee, fee_asset="BTC")
    world.settle()
    assert world.account.holdings["BTC"] == D(quantity)
    return world


def test_what_others_fees_took_does_not_say_where_the_next_position_is_left() -> None:
    world = others_fees_left("0.9")
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == D("0.1"), "there is none of it to sell"
    world.wish(Target(quantity=ONE, stop=Percent(2)))
    world.bar(price=80)
    world.settle()
    assert world.account.bots["bot"].exits["BTC/USDT"].stop == D("78.4")
    own = [a for a in world.armed if a.bot == "bot"]
    assert own[-1].spec.type is OrderType.STOP_LOSS
    assert own[-1].spec.stop_price == D("78.4")


def test_a_position_is_over_with_all_that_was_there_of_it() -> None:
    world = others_fees_left("0.9")
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "wish"


def test_a_position_that_others_fees_took_from_has_its_stop_when_the_asset_is_there_again() -> None:
    world = others_fees_left("0.01")
    world.wish(Target(quantity=ONE, stop=Percent(2)))
    world.bar()
    world.settle()
    world.commit(flow("BTC", D(5)))
    for _ in range(3):
        world.settle()
        world.bar()
    world.settle()
    assert world.held() == 1
    assert [order.armed.spec.quantity for order in world.working()] == [ONE]
