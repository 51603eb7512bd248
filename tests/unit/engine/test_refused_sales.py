"""Sales that the risk gate refuses: a stop gives way to none of them.

Not here: the rules (test_risk), stops that give way to what is sold (test_exits).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.event import ArmFailed
from holdfast.domain.fact import InstrumentChanged
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.limits import Limits
from holdfast.strategy import FLAT, Percent, Target
from tests.support.engine_wishes import ONE
from tests.support.engine_world import BTC, World, bot

D = Decimal
BANDED = Limits(max_orders_per_minute=None, price_band_pct=D(5))


def holding(wish: Target, limits: Limits = BANDED) -> World:
    """A world in which the wish was bought at 100, and protected."""
    world = World(bot(limits=limits))
    world.wish(wish)
    world.bar()
    world.settle()
    assert exits(world) == ["stop"]
    return world


def exits(world: World) -> list[str]:
    """What rests, by what it is for."""
    return [order.exit for order in world.working()]


def rules(world: World) -> list[str]:
    return [refusal.rule for refusal in world.refusals]


def trade(world: World, status: TradingStatus) -> None:
    world.commit(
        InstrumentChanged(instrument=msgspec.structs.replace(BTC, status=status).to_text())
    )


def test_a_limit_outside_the_price_band_costs_no_stop_and_is_told_once() -> None:
    world = holding(Target(quantity=D(2), stop=Percent(2)))
    world.wish(Target(quantity=ONE, limit=D(100), stop=Percent(2)))
    for price in (120, 120, 121):
        world.bar(price=price)
        world.settle()
        assert exits(world) == ["stop"]
    assert rules(world) == ["price_band"]
    assert len(world.armed) == 2
    world.check()
    world.bar(price=104)
    world.settle()
    assert sorted(exits(world)) == ["", "stop"], "within the band it is sold"
    world.check()


def test_a_stop_that_gave_way_to_a_sale_that_is_refused_by_then_comes_back() -> None:
    world = holding(Target(quantity=D(2), stop=Percent(2)))
    world.wish(Target(quantity=ONE, limit=D(100), stop=Percent(2)))
    world.bar(price=104)
    world.arm()
    assert len(world.cancelling) == 1
    world.bar(price=120)
    world.settle()
    assert exits(world) == ["stop"]
    assert rules(world) == ["price_band"]
    world.check()


def test_a_capped_sale_under_the_smallest_notional_costs_no_stop() -> None:
    """At the market it is just enough, at the cap it is not."""
    world = holding(Target(quantity=ONE, stop=Percent(2)))
    world.wish(Target(quantity=D("0.95"), cap=Percent(1), stop=Percent(2)))
    for _ in range(3):
        world.bar()
        world.settle()
        assert exits(world) == ["stop"]
    assert rules(world) == ["filters"]
    world.check()


def test_a_stop_stays_until_its_market_trades_again_although_the_wish_has_none() -> None:
    world = holding(Target(quantity=ONE, stop=Percent(2)))
    trade(world, TradingStatus.HALTED)
    world.wish(FLAT)
    for _ in range(3):
        world.bar()
        world.settle()
        assert exits(world) == ["stop"]
    assert rules(world) == ["instrument"]
    trade(world, TradingStatus.TRADING)
    world.settle()
    assert (world.held(), exits(world)) == (D(0), [])
    world.check()


def test_a_take_profit_that_is_reached_in_a_halted_market_costs_no_stop() -> None:
    world = holding(Target(quantity=ONE, stop=Percent(2), take_profit=Percent(4)))
    trade(world, TradingStatus.HALTED)
    world.bar(price=105)
    world.settle()
    assert exits(world) == ["stop"]
    trade(world, TradingStatus.TRADING)
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_stop_that_was_kept_for_a_refused_sale_stays_while_its_bot_has_to_wait() -> None:
    world = holding(Target(quantity=ONE, stop=Percent(2)))
    trade(world, TradingStatus.HALTED)
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert exits(world) == ["stop"]
    world.take(ArmFailed((), "bot", "the store is full", 0))
    for _ in range(3):
        world.settle()
        assert exits(world) == ["stop"]
        world.tick(20)
        world.bar()
