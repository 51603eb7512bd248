"""A new process goes on where the last one stopped, and repeats nothing.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.limits import Limits
from holdfast.domain.order import AttemptState
from tests.support.engine_wishes import (
    ONE,
    bids,
    target,
    world_with,
)


def test_a_new_process_goes_on_with_what_the_last_one_left_undone() -> None:
    world = world_with(target("3"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE)
    world.restart()
    world.settle()
    assert world.held() == 3
    assert [(a.seq, a.n) for a in world.armed] == [(0, 1), (1, 1)]


def test_nothing_is_handed_out_before_the_new_process_is_told_to_go_on() -> None:
    """What start-up records must not make orders that nobody carries out."""
    world = world_with(bids(95))
    world.settle()
    cid = world.working()[0].armed.cid
    world.venue[cid].open = False  # it ended while nobody was looking
    world.wish(target("1"))
    world.bar()
    world.settle_decision()
    world.restart()
    world.settle()
    assert world.held() == 1


def test_what_was_armed_and_never_answered_is_not_sent_again() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.restart()
    world.bar()
    assert not world.arming
    assert world.account.live[attempt.cid].state is AttemptState.IN_DOUBT
    world.ack(attempt.cid, ONE)
    assert not world.arming


def test_the_order_rate_is_not_forgotten_by_a_new_process() -> None:
    world = world_with(target("1"), limits=Limits(max_orders_per_minute=2))
    (first,) = world.arm()
    world.ack(first.cid, Decimal("0.1"))
    (second,) = world.arm()
    world.restart()
    world.ack(second.cid, Decimal("0.1"))
    assert not world.arming
    assert [r.rule for r in world.refusals] == ["max_orders_per_minute"]


def test_what_could_not_leave_a_former_leader_is_tried_at_once_by_the_next_one() -> None:
    """What kept it there, a name that did not resolve say, tells nothing of the way from here."""
    world = world_with(target("1"))
    for _ in range(3):
        (attempt,) = world.arm()
        world.not_sent(attempt.cid)
        wait_s = world.seconds_until_arming()
    assert wait_s == 1.0
    (last,) = world.arm()
    world.not_sent(last.cid)
    world.restart()
    (attempt,) = world.arm()
    assert (attempt.seq, attempt.n) == (0, 5)
    world.not_sent(attempt.cid)
    assert world.seconds_until_arming() == 4.0, "its own failures count, and those before it"


def test_what_the_exchange_refused_a_former_leader_waits_for_the_next_one_as_well() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.reject(attempt.cid, final=True)
    world.restart()
    assert not world.arming
