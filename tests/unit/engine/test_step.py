"""The step as such: the same course, the same actions; and what is no news changes nothing.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.action import Arm, CancelOrder
from holdfast.domain.event import BarClosed
from holdfast.domain.limits import Limits
from holdfast.domain.order import OrderState, Side
from holdfast.ledger.state import to_bytes
from tests.support.engine_wishes import (
    ONE,
    bids,
    resting,
    target,
    world_with,
)
from tests.support.engine_world import FREE_LIMITS, World, bot


def test_an_action_list_is_the_same_for_the_same_course() -> None:
    def course() -> list[object]:
        world = world_with(bids(90, 95))
        world.settle()
        world.wish(target("1"))
        world.bar()
        world.settle()
        return [*world.facts]

    assert course() == course()


def test_bars_of_another_timeframe_or_symbol_are_no_business_of_the_bot() -> None:
    world = World(bot("bot"), bot("other", symbol="ETH/USDT"), limits=FREE_LIMITS)
    world.wish(target("1"), "other")
    world.bar()
    assert not world.arming


def test_a_bar_seen_twice_or_late_is_decided_on_once() -> None:
    world = World()
    world.wish(target("1"))
    bar = world.bar_at(Decimal(100))
    first = world.engine.step(BarClosed(bar))
    assert [type(a) for a in first] == [Arm] or Arm in [type(a) for a in first]
    again = world.engine.step(BarClosed(bar))
    assert not [a for a in again if isinstance(a, Arm | CancelOrder)]


def test_an_order_whose_fills_are_on_their_way_counts_as_filled() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, book=False)
    assert world.held() == 0
    world.bar()
    assert not world.arming
    assert world.account.live[attempt.cid].order_state is OrderState.FILLED
    world.book(attempt.cid)
    assert world.held() == 1


def test_a_level_that_a_later_decision_kept_is_not_bid_again_before_the_next_bar() -> None:
    """It belongs to the earlier decision, and filled under the later one."""
    world = world_with(bids(99))
    world.settle()
    world.wish(bids(99, 98))
    world.bar()
    world.settle()
    (kept,) = [o.armed.cid for o in world.working() if o.armed.spec.price == 99]
    world.fill(kept, ONE)
    assert not world.arming
    world.tick(30)
    assert not world.arming
    world.bar()
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(98), ONE), (Side.BUY, Decimal(99), ONE)]
    world.check()


def test_a_key_that_was_used_before_is_done_whatever_came_between() -> None:
    world = world_with(target("1", key="monday"))
    world.settle()
    for key in ("tuesday", "monday", "tuesday"):
        world.wish(target("2", key=key))
        world.bar()
        world.settle()
    assert [d.key for d in world.decided] == ["wish BTC/USDT monday", "wish BTC/USDT tuesday"]
    assert world.held() == 2
    world.check()


def test_looking_at_the_account_leaves_the_fold_alone() -> None:
    world = World(bot("bot", limits=Limits(max_position_notional=Decimal(10_000))))
    before = to_bytes(world.account)
    world.bar()
    world.tick()
    world.wish(target("1"))
    world.engine.step(BarClosed(world.bar_at(world.prices["BTC/USDT"])))
    state = world.folded()
    assert to_bytes(world.account) == to_bytes(state)
    assert before != b""
