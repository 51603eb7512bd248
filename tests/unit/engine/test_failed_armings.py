"""What could not be armed is tried again later, and keeps nobody from leaving meanwhile."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.event import QuoteSeen
from holdfast.domain.market import Quote
from holdfast.domain.order import Side
from holdfast.strategy import FLAT, Level, Percent, Quotes, Target
from tests.support.engine_wishes import ONE, bids, resting, target, world_with
from tests.support.engine_world import SECOND_NS, Counting, World, bot

MANY = 8
LONGEST_S = 30.0


def without_room_for_entries(first: Target | None = None) -> World:
    """One is held, two were wished, and their arming failed so often that it waits for long."""
    first = first or target("1")
    world = world_with(first)
    world.settle()
    assert world.held() == 1
    world.wish(msgspec.structs.replace(first, quantity=Decimal(2)))
    world.bar()
    for _ in range(MANY):
        world.seconds_until_arming()
        assert not any(order.order.reduces for order in world.arming[0].orders)
        world.fail_arm(decision_stands=True)
    assert not world.arming
    return world


def sold(world: World) -> Decimal:
    """What is being armed to be sold."""
    orders = [approved.order for action in world.arming for approved in action.orders]
    return sum((order.spec.quantity for order in orders if order.reduces), start=Decimal(0))


def test_a_flatten_does_not_wait_for_entries_that_could_not_be_armed() -> None:
    world = without_room_for_entries()
    world.ask("halt", level="flatten", reason="leave")
    assert sold(world) == 1
    world.settle()
    assert world.held() == 0


def test_a_wish_to_be_flat_does_not_wait_for_entries_that_could_not_be_armed() -> None:
    world = without_room_for_entries()
    world.wish(FLAT)
    world.bar()
    assert sold(world) == 1
    world.settle()
    assert world.held() == 0
    world.check()


def test_a_watched_take_profit_does_not_wait_for_entries_that_could_not_be_armed() -> None:
    safe = Target(quantity=ONE, stop=Percent(2), take_profit=Percent(4))
    world = without_room_for_entries(safe)
    reached = Decimal(105)
    world.prices["BTC/USDT"] = reached
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", reached, reached)))
    assert len(world.cancelling) == 1, "the stop makes way"
    world.cancel()
    assert sold(world) == 1


def test_an_ask_does_not_wait_for_bids_that_could_not_be_armed() -> None:
    world = without_room_for_entries()
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)], bids=[Level(Decimal(90), ONE)]))
    world.bar()
    assert sold(world) == 1
    assert [len(action.orders) for action in world.arming] == [1], "the bid waits still"


def test_a_bar_that_closed_while_entries_were_being_armed_is_decided_on_when_they_could_not_be(
) -> None:
    world = without_room_for_entries()
    world.seconds_until_arming()
    world.wish(FLAT)
    world.bar()
    assert sold(world) == 0
    world.fail_arm(decision_stands=True)
    world.tick(0.25)
    assert sold(world) == 1


def test_entries_that_had_to_wait_at_a_bar_are_armed_when_their_time_has_come() -> None:
    world = without_room_for_entries()
    failed_ns = world.now_ns
    world.bar()
    assert not world.arming
    world.seconds_until_arming()
    assert world.now_ns - failed_ns == LONGEST_S * SECOND_NS
    world.settle()
    assert world.held() == 2
    world.check()


def test_a_level_that_could_not_be_bid_again_at_a_bar_is_when_its_time_has_come() -> None:
    """It may be bid again at a bar only; that it had to wait then does not lose it the bar."""
    world = world_with(bids(90))
    world.settle()
    (bid,) = world.working()
    world.fill(bid.armed.cid, ONE)
    world.bar()
    for _ in range(MANY):
        world.fail_arm(decision_stands=True)
        world.seconds_until_arming()
    world.fail_arm(decision_stands=True)
    world.bar()
    world.seconds_until_arming()
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(90), ONE)]
    world.check()


def test_a_sale_that_could_not_be_armed_waits_longer_each_time() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(FLAT)
    world.bar()
    waited = []
    for _ in range(MANY + 1):
        world.fail_arm(decision_stands=True)
        assert not world.arming
        waited.append(world.seconds_until_arming())
        assert sold(world) == 1
    assert waited == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_S, LONGEST_S]


@pytest.mark.parametrize("wish", ["2", "0"])
def test_what_a_journal_or_a_lease_kept_out_follows_within_a_second_of_their_return(
    wish: str,
) -> None:
    """Whatever they were gone for: nothing else tells when they are back."""
    world = world_with(target("1"))
    world.settle()
    world.wish(target(wish))
    world.bar()
    waited = []
    for _ in range(MANY):
        world.fail_arm(decision_stands=True, passes=True)
        waited.append(world.seconds_until_arming())
    assert waited == [0.25, 0.5, *[1.0] * (MANY - 2)]


def test_a_sale_waits_as_long_as_it_has_failed_itself() -> None:
    world = without_room_for_entries()
    world.ask("halt", level="flatten", reason="leave")
    waited = []
    for _ in range(3):
        world.fail_arm()
        waited.append(world.seconds_until_arming())
    assert waited == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("stands", [True, False])
def test_a_strategy_is_asked_once_more_for_each_arming_that_failed_and_not_over_and_over(
    *, stands: bool
) -> None:
    """One with a memory decides anew whenever it is asked."""
    world = World(bot(strategy=Counting()))
    world.wish(target("1"))
    world.bar()
    for _ in range(MANY):
        world.seconds_until_arming()
        world.fail_arm(decision_stands=stands)
        for _ in range(3):
            world.tick(0.01)
    most = MANY + 1 if stands else 1
    assert len(world.decided) <= most
    world.bar()
    world.settle()
    assert len(world.decided) <= most + 2
    assert world.held() == 1 or world.seconds_until_arming() <= LONGEST_S
    world.settle()
    assert world.held() == 1
    world.check()


@pytest.mark.parametrize("level", ["", "flatten"])
def test_a_stop_that_was_not_taken_back_is_asked_for_again_without_any_news(level: str) -> None:
    """Nothing could have been placed in its stead."""
    world = world_with(Target(quantity=ONE, stop=Percent(2), trail=True))
    world.settle()
    if level:
        world.ask("halt", level=level, reason="leave")
    else:
        world.bar(price=105)
    for _ in range(3):
        assert len(world.cancelling) == 1
        world.cancelling.clear()
        world.tick(2.9)
        assert not world.cancelling
        world.tick(0.1)
    world.settle()
    stops = [order.armed.spec.stop_price for order in world.working()]
    assert stops == ([] if level else [Decimal("102.9")])
    assert world.held() == (0 if level else 1)
    world.check()
