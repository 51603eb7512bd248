"""The day's loss: what rests and would add is taken back when it reaches its limit.

Not here: that nothing is added then (test_risk), when a day begins (test_marks).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.event import QuoteSeen
from holdfast.domain.fact import LimitsSet
from holdfast.domain.market import Quote
from holdfast.domain.order import Side
from holdfast.strategy import Level, Percent, Quotes, Target
from tests.support.engine_wishes import DAY_NS, ONE, bids, resting, target
from tests.support.engine_world import FREE_LIMITS, World, bot, flow

D = Decimal
MOST_10 = msgspec.structs.replace(FREE_LIMITS, max_daily_loss=D(10))
every_owner = pytest.mark.parametrize("whose", ["bot", "account"])


def limited(whose: str, *others: str) -> World:
    """A world with a limit on the day's loss, of the first bot or of the account."""
    own, all_ = (MOST_10, FREE_LIMITS) if whose == "bot" else (FREE_LIMITS, MOST_10)
    return World(bot("bot", limits=own), *(bot(name) for name in others), limits=all_)


def wished(world: World, wish: object, name: str = "bot") -> World:
    """What follows from a wish is carried out."""
    world.wish(wish, name)
    world.bar()
    world.settle()
    return world


def grid(world: World) -> World:
    """It holds one unit of 100, bids for three more, and asks for some."""
    wished(world, target("1"))
    levels = [Level(D(price), ONE) for price in (80, 70, 60)]
    return wished(world, Quotes(bids=levels, asks=[Level(D(120), D("0.5"))]))


def bought_at(world: World) -> list[Decimal]:
    return sorted(price for side, price, _ in resting(world) if side is Side.BUY and price)


def quote(world: World, price: str) -> None:
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", D(price), D(price))))
    world.settle()


def next_day(world: World) -> None:
    """A day begins, and its first bars close."""
    world.now_ns = world.now_ns // DAY_NS * DAY_NS + DAY_NS
    world.tick(0.1)
    world.settle()
    world.bar()
    world.settle()


@every_owner
def test_bids_are_taken_back_when_a_bar_loses_the_day_and_asks_stay(whose: str) -> None:
    world = grid(limited(whose))
    world.bar(price=91)
    world.settle()
    assert bought_at(world) == [60, 70, 80]
    world.bar(price=90)
    world.settle()
    assert resting(world) == [(Side.SELL, D(120), D("0.5"))]


@every_owner
def test_they_are_taken_back_between_bars_as_soon_as_a_quote_tells(whose: str) -> None:
    world = grid(limited(whose))
    quote(world, "91")
    assert len(bought_at(world)) == 3
    quote(world, "90")
    assert bought_at(world) == []


@every_owner
def test_a_fill_that_loses_the_day_takes_the_other_bids_back(whose: str) -> None:
    world = grid(limited(whose))
    (cid,) = [o.armed.cid for o in world.working() if o.armed.spec.price == 80]
    world.tick(1)
    world.fill(cid, ONE)  # the market is at 80 by now
    world.settle()
    assert bought_at(world) == []


@every_owner
def test_a_single_bid_is_taken_back(whose: str) -> None:
    """It is what the quick look before derivation judges."""
    world = wished(limited(whose), target("1"))
    wished(world, Target(quantity=D(2), limit=D(80)))
    quote(world, "90")
    assert resting(world) == []
    assert world.held() == 1


@every_owner
def test_the_stop_stays(whose: str) -> None:
    world = wished(limited(whose), Target(quantity=ONE, stop=Percent(30)))
    wished(world, Target(quantity=D(2), limit=D(80), stop=Percent(30)))
    quote(world, "90")
    assert [order.exit for order in world.working()] == ["stop"]


@every_owner
@pytest.mark.parametrize("wish", [bids(80, 60), Target(quantity=D(2), limit=D(80))])
def test_the_wish_is_carried_out_again_the_next_day(whose: str, wish: object) -> None:
    world = wished(limited(whose), target("1"))
    wished(world, wish)
    before = resting(world)
    world.bar(price=90)
    world.settle()
    world.bar()
    world.settle()
    assert resting(world) == []
    assert {r.rule for r in world.refusals} == {"max_daily_loss"}
    next_day(world)
    assert resting(world) == before
    assert not world.account.halted


@every_owner
def test_it_is_when_the_day_has_won_it_back(whose: str) -> None:
    world = grid(limited(whose))
    world.bar(price=90)
    world.settle()
    world.bar(price=92)
    world.settle()
    assert len(bought_at(world)) == 3


def test_a_bot_that_has_lost_its_day_costs_no_other_its_bids() -> None:
    world = limited("bot", "other")
    grid(world)
    wished(world, bids(50), "other")
    world.bar(price=90)
    world.settle()
    assert bought_at(world) == [50]


def test_an_account_that_has_lost_its_day_costs_every_bot_its_bids() -> None:
    world = limited("account", "other")
    grid(world)
    wished(world, bids(50), "other")
    world.bar(price=90)
    world.settle()
    assert bought_at(world) == []


@every_owner
def test_a_new_process_takes_them_back_with_the_first_price(whose: str) -> None:
    world = grid(limited(whose))
    world.prices["BTC/USDT"] = D(90)
    world.restart()
    world.settle()
    assert len(bought_at(world)) == 3
    quote(world, "90")
    assert bought_at(world) == []


@every_owner
def test_a_loss_that_cannot_be_told_takes_nothing_back(whose: str) -> None:
    world = grid(limited(whose))
    world.commit(flow("DOGE", D(5)))
    assert world.engine.marks.equity() is None
    world.bar(price=85)
    world.settle()
    assert len(bought_at(world)) == 3


@every_owner
def test_a_loss_of_yesterday_takes_nothing_back(whose: str) -> None:
    """Before a day's first mark its loss is not known: a process may have begun just now."""
    world = grid(limited(whose))
    world.now_ns = world.now_ns // DAY_NS * DAY_NS + DAY_NS
    quote(world, "85")
    assert len(bought_at(world)) == 3
    world.tick(0.1)
    quote(world, "80.1")
    assert len(bought_at(world)) == 3
    quote(world, "75")
    assert bought_at(world) == []


def test_a_limit_that_is_set_later_binds_what_rests_and_one_that_is_lifted_does_not() -> None:
    world = grid(limited("none"))
    world.bar(price=90)
    world.settle()
    text = msgspec.json.encode(MOST_10).decode()
    world.commit(LimitsSet(limits=text, by="ana"))
    world.settle()
    assert bought_at(world) == []
    world.commit(LimitsSet(limits=msgspec.json.encode(FREE_LIMITS).decode(), by="ana"))
    world.bar()
    world.settle()
    assert len(bought_at(world)) == 3
