"""What the engine does on a symbol while an attempt on it is in doubt.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from holdfast.domain.order import Side
from holdfast.strategy import FLAT
from tests.support.engine_wishes import (
    ONE,
    target,
    world_with,
)
from tests.support.engine_world import World, bot


def test_nothing_is_bought_on_a_symbol_in_doubt_and_all_is_when_it_ends() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(target("1"))
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(target("1"), "other")
    world.bar()
    world.settle()
    assert {a.bot for a in world.armed} == {"bot"}
    assert [(r.bot, r.rule) for r in world.refusals] == [("other", "doubt")]
    world.ack(attempt.cid, ONE)
    world.settle()
    assert (world.held("bot"), world.held("other")) == (ONE, ONE)


def test_confirmed_holdings_are_sold_while_a_buy_is_in_doubt() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(target("3"))
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(FLAT)
    world.bar()
    (exit_,) = world.arm()
    assert (exit_.spec.side, exit_.spec.quantity) == (Side.SELL, ONE)


def test_a_sell_in_doubt_is_not_sold_again() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(FLAT)
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.bar()
    assert not world.arming
    world.never(attempt.cid)
    world.tick(0.3)
    assert [a.n for a in world.arm()] == [2]


def test_a_provisional_rejection_blocks_its_side_until_it_closes() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.reject(attempt.cid, final=False)
    world.wish(target("2"))
    world.bar()
    world.settle()
    assert [r.rule for r in world.refusals] == ["doubt"]
    assert len(world.armed) == 1
    world.close_reject(attempt.cid)
    world.tick(0.3)
    world.settle()
    assert world.held() == 2


def test_a_rejection_that_turns_out_to_have_executed_is_not_tried_again() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.reject(attempt.cid, final=False)
    world.ack(attempt.cid, ONE)
    world.tick(60)
    assert world.bar() == []
    assert world.held() == 1
