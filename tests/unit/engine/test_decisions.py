"""Decisions: made once, remade when their arming failed, and a strategy that fails at them.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.fact import BotStopped
from holdfast.domain.order import OrderType
from holdfast.strategy import Percent, Target
from tests.support.engine_wishes import (
    bids,
    target,
    world_with,
)
from tests.support.engine_world import World, bot


def test_a_wish_with_a_key_of_its_own_is_decided_once() -> None:
    world = world_with(target("1", key="2026-11-21"))
    world.settle()
    world.wish(target("2", key="2026-11-21"))
    world.bar()
    world.settle()
    assert world.held() == 1


def test_a_key_that_looks_like_a_number_does_not_meet_a_decision_s_number() -> None:
    world = world_with(target("1", key="3"))
    world.settle()
    for quantity in ("2", "3", "4"):
        world.wish(target(quantity))
        world.bar()
        world.settle()
    assert world.held() == 4
    assert [d.number for d in world.decided] == [1, 2, 3, 4]


def test_a_bar_that_closes_while_an_order_is_being_journaled_is_decided_on_after_it() -> None:
    world = world_with(target("1"))
    world.wish(target("3"))
    world.bar()
    assert len(world.arming) == 1
    world.settle()
    assert world.held() == 3


def test_news_that_comes_while_a_decision_is_being_journaled_is_not_missed() -> None:
    world = world_with(bids(95, quantity="2"))
    world.settle()
    cid = world.working()[0].armed.cid
    world.wish(target("1"))
    world.bar()
    world.cancel()  # the order is gone before the decision is in
    world.settle()
    assert world.account.live.get(cid) is None
    assert world.held() == 1


def test_an_arming_that_failed_is_tried_again_by_itself() -> None:
    world = world_with(target("1"))
    world.fail_arm()
    assert not world.arming, "not at once: whatever failed needs a moment"
    world.tick(0.3)
    world.settle()
    assert world.held() == 1


def test_orders_that_failed_under_a_decision_that_stands_are_tried_again_by_themselves() -> None:
    world = world_with(target("1"))
    world.fail_arm(decision_stands=True)
    assert not world.arming
    world.tick(0.3)
    world.settle()
    assert world.held() == 1


def test_armings_that_go_on_failing_are_tried_ever_more_slowly() -> None:
    world = world_with(target("1"))
    world.fail_arm(decision_stands=True)
    waits = []
    for _ in range(10):
        waits.append(world.seconds_until_arming())
        world.fail_arm()
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert waits[-1] == 30.0


def test_a_stop_does_not_wait_because_entries_could_not_be_armed() -> None:
    """Entries have the smallest part of the rate budget, and it may be used up for a minute."""
    protected = Target(quantity=Decimal(2), limit=Decimal(99), stop=Percent(2))
    world = world_with(protected)
    world.settle()
    (entry,) = world.working()
    world.wish(Target(quantity=Decimal(3), limit=Decimal(99), stop=Percent(2)))
    world.bar()
    world.fail_arm(decision_stands=True)
    world.fill(entry.armed.cid, Decimal(1))
    (arming,) = world.arming
    assert [each.order.spec.type for each in arming.orders] == [OrderType.STOP_LOSS]
    world.fail_arm()
    assert not world.arming, "whatever failed needs a moment"
    assert world.seconds_until_arming() > 0


def test_a_decision_that_is_still_being_journaled_is_not_made_twice() -> None:
    world = world_with(target("1"))
    decided = world.arming[0].decided
    world.fail_arm_of_orders_only()
    world.bar()
    assert not world.arming, "decision 1 is on its way"
    assert decided is not None
    world.commit(decided)
    world.tick(1)
    world.settle()
    assert [d.number for d in world.decided] == [1]
    assert world.held() == 1


def test_a_bar_that_closed_while_an_arming_failed_is_decided_on() -> None:
    world = world_with(target("1"))
    world.wish(target("2"))
    world.bar()
    world.fail_arm()
    world.tick(0.5)
    world.settle()
    assert world.held() == 2


def test_a_failed_strategy_stops_its_bot_once_and_costs_no_other_anything() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(bids(90))
    world.bar()
    world.settle()
    world.wish(ZeroDivisionError("division by zero"))
    world.wish(target("1"), "other")
    world.bar()
    world.bar()
    world.settle()
    stopped = [fact for fact in world.facts if isinstance(fact, BotStopped)]
    assert [(s.bot, s.failed, s.reason) for s in stopped] == [
        ("bot", True, "ZeroDivisionError: division by zero")
    ]
    assert not [o for o in world.working() if o.armed.bot == "bot"], "a safe state rests nothing"
    assert world.held("other") == 1
