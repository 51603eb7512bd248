"""Resting quotes: what rests is what was wished, and nothing else.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.order import OrderType, Side
from holdfast.strategy import FLAT, Level, Quotes
from tests.support.engine_wishes import (
    ONE,
    bids,
    resting,
    target,
    world_with,
)
from tests.support.engine_world import World, bot


def test_quotes_rest_exactly_as_wished() -> None:
    world = world_with(bids(90, 95))
    world.settle()
    world.wish(bids(95, 97))
    world.bar()
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(95), ONE), (Side.BUY, Decimal(97), ONE)]
    assert len(world.armed) == 3, "the level that stayed was left alone"


def test_a_partly_filled_level_is_met() -> None:
    world = world_with(bids(95))
    world.settle()
    world.fill(world.working()[0].armed.cid, Decimal("0.4"))
    world.bar()
    assert not world.arming
    assert not world.cancelling


def test_a_filled_level_is_wanted_again_only_at_the_next_bar() -> None:
    world = world_with(bids(95))
    world.settle()
    world.fill(world.working()[0].armed.cid, ONE)
    assert not world.arming
    world.bar()
    (again,) = world.arm()
    assert (again.seq, again.n) == (1, 1)


@pytest.mark.parametrize("booked_first", [True, False])
def test_a_bid_is_not_made_again_before_its_end_and_its_fill_are_both_known(
    booked_first: bool,
) -> None:
    world = world_with(bids(95))
    world.settle()
    cid = world.working()[0].armed.cid
    world.execute(cid, ONE)
    first, second = (world.book, world.report) if booked_first else (world.report, world.book)
    first(cid)
    assert not world.arming
    world.bar()
    assert not world.arming
    second(cid)
    assert world.held() == 1
    assert not world.arming, "it is wanted again at the next bar"
    world.check()


def test_an_ask_is_not_made_again_before_its_fill_is_booked() -> None:
    world = world_with(target("3"))
    world.settle()
    world.wish(Quotes(asks=[Level(Decimal(105), ONE)]))
    world.bar()
    world.settle()
    cid = world.working()[0].armed.cid
    world.execute(cid, ONE)
    world.report(cid)
    assert not world.arming
    world.book(cid)
    assert world.held() == 2
    world.check()


def test_two_levels_that_fall_on_one_tick_become_one_order() -> None:
    wish = Quotes(bids=[Level(Decimal("95.001"), ONE), Level(Decimal("95.009"), ONE)])
    world = world_with(wish)
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(95), Decimal(2))]


def test_post_only_leaves_out_what_would_cross() -> None:
    world = world_with(bids(95, 100, post_only=True))
    world.settle()
    assert [a.spec.type for a in world.armed] == [OrderType.LIMIT_MAKER]
    assert resting(world) == [(Side.BUY, Decimal(95), ONE)]
    world.bar(price=101)
    world.settle()
    assert [price for _, price, _ in resting(world)] == [95, 100]


def test_a_cancel_without_an_answer_is_asked_for_again() -> None:
    world = world_with(bids(95))
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle_decision()
    world.cancel(answered=False)
    world.tick(1)
    assert not world.cancelling, "it was asked for a second ago"
    world.tick(3)
    assert len(world.cancelling) == 1
    world.cancel()
    assert world.working() == []


def test_an_order_found_by_the_cancel_that_settles_a_doubt_is_still_taken_back() -> None:
    world = world_with(bids(95))
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(FLAT)
    world.bar()
    world.settle_decision()
    world.barrier(attempt.cid)
    world.ack(attempt.cid)
    world.tick(4)
    assert list(world.cancelling) == [attempt.cid]


def test_a_target_waits_until_the_quotes_before_it_are_gone() -> None:
    world = world_with(bids(90, 95))
    world.settle()
    world.wish(target("1"))
    world.bar()
    world.settle_decision()
    assert not world.arming
    world.fill(
        world.working()[0].armed.cid, ONE
    )  # one of them fills while its cancel is on its way
    world.settle()
    assert world.held() == 1
    assert resting(world) == []


def test_an_ask_is_cut_to_what_the_bot_holds() -> None:
    """A fee taken in base leaves a little less than one unit: it is sold all the same."""
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, fee=Decimal("0.001"), fee_asset="BTC")
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)]))
    world.bar()
    world.settle()
    assert resting(world) == [(Side.SELL, Decimal(110), Decimal("0.999"))]
    assert world.bar() == []


def test_another_attempt_at_an_ask_is_never_for_more_than_the_one_before() -> None:
    """What came to be held meanwhile is sold under an intent of its own."""
    world = world_with(target("1"))
    (entry,) = world.arm()
    world.ack(entry.cid, Decimal("0.6"))  # the rest is asked for, and will not be needed
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)]))
    (rest,) = world.arm()
    world.bar()
    (ask,) = world.arm()
    assert ask.spec.quantity == Decimal("0.6")
    world.ack(rest.cid, Decimal("0.4"))
    world.reject(ask.cid, final=True)
    world.tick(0.3)
    (again,) = world.arm()
    assert (again.spec.quantity, again.n) == (ONE, 1)
    assert again.intent_id != ask.intent_id


def test_entries_are_taken_back_at_once_although_armings_fail() -> None:
    world = world_with(bids(95))
    world.settle()
    world.wish(bids(95, 96))
    world.bar()
    world.ask("halt")
    assert not world.cancelling, "an arm is on its way"
    world.fail_arm()
    assert len(world.cancelling) == 1


def test_a_bot_does_not_sell_what_another_bot_holds() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(target("1"))
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)]), "other")
    world.bar()
    world.settle()
    world.bar()
    world.settle()
    assert {a.bot for a in world.armed} == {"bot"}
    assert [(r.bot, r.rule) for r in world.refusals] == [("other", "holding")]


def test_a_level_that_the_step_cuts_to_nothing_is_refused_and_said() -> None:
    world = world_with(bids(95, quantity="0.0001"))
    world.settle()
    assert world.armed == []
    assert [(r.rule, r.seen) for r in world.refusals] == [
        ("filters", "quantity 0 is under the minimum 0.001")
    ]
