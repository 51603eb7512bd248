"""From a target to orders: what is bought, sold, split, tried again, and left alone.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.event import Ticked
from holdfast.domain.limits import Limits
from holdfast.domain.order import OrderState, OrderType, Side
from holdfast.strategy import FLAT, KEEP, Percent, Target
from tests.support.engine_wishes import ONE, target, world_with
from tests.support.engine_world import BTC, SECOND_NS, World, flow

D = Decimal


def test_a_target_is_bought_at_market_and_then_there_is_silence() -> None:
    world = world_with(target("1.5"))
    world.settle()
    assert [(a.spec.side, a.spec.type, a.spec.quantity) for a in world.armed] == [
        (Side.BUY, OrderType.MARKET, D("1.5"))
    ]
    assert world.held() == D("1.5")
    assert world.bar() == []
    world.check()


def test_flat_sells_all_that_is_held() -> None:
    world = world_with(target("1.5"))
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert [a.spec.side for a in world.armed] == [Side.BUY, Side.SELL]


def test_a_bot_that_begins_flat_journals_nothing() -> None:
    world = world_with(FLAT)
    assert (world.decided, world.arming) == ([], world.arming.__class__())


def test_keep_leaves_the_standing_wish() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(KEEP)
    assert world.bar() == []
    assert len(world.decided) == 1


def test_a_decision_tells_the_bar_it_was_made_on() -> None:
    world = World()
    world.wish(target("1"))
    world.take(Ticked(world.now_ns + 90 * SECOND_NS))  # the node's clock is ahead of the bar
    world.bar()
    world.settle()
    assert [d.seen_ns for d in world.decided] == [world.now_ns]


def test_what_a_partial_fill_left_is_a_new_intent() -> None:
    world = world_with(target("2"))
    (first,) = world.arm()
    world.ack(first.cid, D("0.5"))
    (second,) = world.arm()
    assert (second.spec.quantity, second.seq, second.n) == (D("1.5"), 1, 1)
    assert second.intent_id != first.intent_id


@pytest.mark.parametrize("ends", ["never", "not_sent", "final reject", "closed reject"])
def test_an_attempt_that_proved_empty_is_followed_by_the_next_at_the_same_intent(ends: str) -> None:
    world = world_with(target("2"))
    (first,) = world.arm()
    match ends:
        case "never":
            world.doubt(first.cid)
            assert not world.arming
            world.never(first.cid)
        case "not_sent":
            world.not_sent(first.cid)
        case "final reject":
            world.reject(first.cid, final=True)
        case _:
            world.reject(first.cid, final=False)
            assert not world.arming
            world.close_reject(first.cid)
    assert not world.arming, "the next attempt waits a little"
    world.tick(0.3)
    (second,) = world.arm()
    assert (second.intent_id, second.n) == (first.intent_id, 2)


def test_refusals_of_the_venue_are_answered_ever_more_slowly() -> None:
    world = world_with(target("2"))
    waits = []
    for _ in range(12):
        (attempt,) = world.arm()
        world.reject(attempt.cid, final=True)
        waits.append(world.seconds_until_arming())
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert max(waits) == waits[-1] == 30.0


def test_parts_that_the_venue_refuses_one_after_the_other_are_not_a_storm() -> None:
    world = world_with(target("10"))
    world.settle()
    world.restart_with(Limits(max_order_notional=D(200)))
    world.wish(FLAT)
    world.bar()
    parts = world.arm()
    assert len(parts) > 2
    for part in parts:
        world.reject(part.cid, final=True)
    assert not world.arming, "every refusal makes the next one wait"
    assert 0 < world.seconds_until_arming() < 1


def test_a_huge_target_is_asked_for_in_few_orders_at_a_time() -> None:
    world = world_with(target("1e30"))
    assert sum(len(arm.orders) for arm in world.arming) <= 16


def test_an_exit_larger_than_a_market_order_may_be_is_split() -> None:
    small = msgspec.structs.replace(BTC, market_max_quantity=D(2))
    world = World(instruments=(small,))
    world.wish(target("5"))
    world.bar()
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert world.refusals == []


def test_an_exit_is_never_blocked_by_a_notional_limit_under_the_smallest_order() -> None:
    world = world_with(target("1"))
    world.settle()
    world.restart_with(Limits(max_order_notional=ONE))
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert {a.spec.quantity for a in world.armed[1:]} == {BTC.smallest_order(D(100))}


def test_an_exit_sells_what_the_account_really_has() -> None:
    world = world_with(target("1"))
    world.settle()
    world.commit(flow("BTC", D("-0.0005"), "withdrawal"))
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.armed[-1].spec.quantity == D("0.999")
    assert world.refusals == []


def test_dust_is_never_traded_back_and_forth() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, fee=D("0.0009"), fee_asset="BTC")
    assert world.held() == D("0.9991")
    for price in (100, 200, 50, 100):
        world.bar(price=price)
    assert len(world.armed) == 1
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == D("0.0001")
    for price in (100, 200, 50, 100):
        world.bar(price=price)
    assert len(world.armed) == 2


def test_a_limit_target_rests_and_is_replaced_by_the_next_decision() -> None:
    world = World()
    world.wish(Target(quantity=ONE, limit=D(95)))
    world.bar()
    world.settle()
    assert [o.armed.spec.price for o in world.working()] == [D(95)]
    assert world.bar() == []
    world.wish(Target(quantity=ONE, limit=D(96)))
    world.bar()
    world.settle()
    assert [o.armed.spec.price for o in world.working()] == [D(96)]
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert not world.working()
    world.check()


def test_what_a_capped_order_left_is_asked_for_at_the_next_bar() -> None:
    world = World()
    world.wish(Target(quantity=ONE, cap=Percent(1)))
    world.bar()
    (capped,) = world.arm()
    assert (capped.spec.price, str(capped.spec.time_in_force)) == (D(101), "IOC")
    world.ack(capped.cid, D("0.4"))
    world.end(capped.cid, OrderState.EXPIRED)
    world.tick(30)
    assert not world.arming
    world.bar()
    (rest,) = world.arm()
    assert rest.spec.quantity == D("0.6")
    world.check()


def test_what_a_capped_order_left_waits_for_a_bar_also_while_its_fill_is_on_its_way() -> None:
    world = World()
    world.wish(Target(quantity=ONE, cap=Percent(1)))
    world.bar()
    (capped,) = world.arm()
    world.ack(capped.cid)
    world.execute(capped.cid, D("0.4"))
    world.venue[capped.cid].open = False
    world.report(capped.cid)
    assert not world.arming
    world.book(capped.cid)
    assert not world.arming
    world.bar()
    (rest,) = world.arm()
    assert rest.spec.quantity == D("0.6")
    world.check()
