"""Take-profits that are watched: the best bid has to come to them.

Not here: those that rest in a list (test_order_lists), how a position is left (test_exits).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.event import QuoteSeen
from holdfast.domain.market import Quote
from holdfast.strategy import Percent, Target
from tests.support.engine_wishes import ONE, world_with
from tests.support.engine_world import World

D = Decimal
AT_104 = Target(quantity=ONE, take_profit=Percent(4))


def quote(world: World, bid: str, ask: str) -> None:
    """The market's best prices of now, and what follows from them."""
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", D(bid), D(ask))))
    world.settle()


def holding() -> World:
    """A world that holds what is to be sold at 104."""
    world = world_with(AT_104)
    world.settle()
    assert world.held() == 1
    return world


def test_a_profit_that_no_bid_pays_is_not_taken() -> None:
    world = holding()
    quote(world, "99.5", "130")
    quote(world, "103.9", "104.3")
    assert world.held() == 1
    quote(world, "104", "104.4")
    assert world.held() == 0


def test_a_bid_takes_a_profit_however_far_away_the_asks_are() -> None:
    world = holding()
    quote(world, "104", "130")
    assert world.held() == 0


def test_a_profit_that_no_bid_pays_is_not_taken_at_other_news_either() -> None:
    world = holding()
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", D("103.9"), D("104.3"))))
    world.ask("halt")
    world.ask("resume")
    world.settle()
    assert world.held() == 1


def test_a_bar_that_closes_at_it_takes_a_profit() -> None:
    world = holding()
    quote(world, "103.9", "104.3")
    world.bar(price=104)
    world.settle()
    assert world.held() == 0


def test_asks_that_are_gone_for_a_moment_raise_no_trailing_stop() -> None:
    world = world_with(Target(quantity=ONE, stop=Percent(5), trail=True))
    world.settle()
    quote(world, "99.5", "130")
    world.ask("halt")
    world.ask("resume")
    world.settle()
    (stop,) = world.working()
    assert stop.armed.spec.stop_price == 95
    assert world.held() == 1


def test_bids_that_are_gone_for_a_moment_reach_no_stop() -> None:
    """One that does not rest yet, so that the engine has to see whether it is reached."""
    world = world_with(Target(quantity=ONE, stop=Percent(5)))
    (attempt,) = world.arm()
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", D(60), D(100))))
    world.ack(attempt.cid, ONE)
    world.settle()
    (stop,) = world.working()
    assert stop.armed.spec.stop_price == 95
    assert world.held() == 1
