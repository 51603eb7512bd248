"""The rate budget: windows, reserve, corrections, bans."""

from __future__ import annotations

import math

import pytest

from holdfast.venues.budget import CEILING, Cost, LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Purpose

WEIGHT = RateLimit(LimitKind.WEIGHT, 60_000, 100)
ORDERS = RateLimit(LimitKind.ORDERS, 10_000, 50)
MIDDLE_MS = 1_000_030_000 // 60_000 * 60_000 + 30_000  # half-way through a minute


def used_up(budget: RateBudget, purpose: Purpose, cost: Cost, server_ms: int) -> int:
    """How many requests fit before the budget says wait."""
    sent = 0
    while budget.delay_s(purpose, cost, server_ms, 0) == 0:
        budget.spend(cost, server_ms)
        sent += 1
    return sent


def test_a_purpose_stops_at_its_own_ceiling_and_the_rest_stays_for_cancels() -> None:
    budget = RateBudget([WEIGHT])
    assert used_up(budget, Purpose.ENTER, Cost(), MIDDLE_MS) == 75
    assert used_up(budget, Purpose.RESOLVE, Cost(), MIDDLE_MS) == 10
    assert used_up(budget, Purpose.REDUCE, Cost(), MIDDLE_MS) == 10
    assert used_up(budget, Purpose.CANCEL, Cost(), MIDDLE_MS) == 5


def test_ceilings_rise_from_reading_to_cancelling() -> None:
    order = [Purpose.READ, Purpose.ENTER, Purpose.RESOLVE, Purpose.REDUCE, Purpose.CANCEL]
    assert sorted(CEILING, key=CEILING.__getitem__) == order


@pytest.mark.parametrize("share", [1.0, 1 / 9])
def test_questions_that_are_asked_again_and_again_leave_room_for_exits(share: float) -> None:
    """Without the user stream every symbol with a resting order is asked after each second."""
    budget = RateBudget([RateLimit(LimitKind.WEIGHT, 60_000, 6_000), ORDERS], share=share)
    assert used_up(budget, Purpose.RESOLVE, Cost(weight=6), MIDDLE_MS) > 0
    assert budget.delay_s(Purpose.RESOLVE, Cost(weight=6), MIDDLE_MS, 0) > 0
    assert budget.delay_s(Purpose.REDUCE, Cost(1, orders=1), MIDDLE_MS, 0) == 0


def test_what_is_more_than_a_window_holds_never_fits() -> None:
    budget = RateBudget([WEIGHT, ORDERS])
    most = int(ORDERS.limit * CEILING[Purpose.ENTER])
    order = Cost(1, orders=1)
    assert budget.delay_s(Purpose.ENTER, order.times(most), MIDDLE_MS, 0) == 0
    assert budget.delay_s(Purpose.ENTER, order.times(most + 1), MIDDLE_MS, 0) == math.inf
    budget.spend(order, MIDDLE_MS)
    assert 0 < budget.delay_s(Purpose.ENTER, order.times(most), MIDDLE_MS, 0) < math.inf


def test_the_wait_ends_when_the_next_window_has_surely_begun() -> None:
    budget = RateBudget([WEIGHT])
    used_up(budget, Purpose.ENTER, Cost(), MIDDLE_MS)
    wait_s = budget.delay_s(Purpose.ENTER, Cost(), MIDDLE_MS, 0)
    assert wait_s == pytest.approx(30.25)
    assert budget.delay_s(Purpose.ENTER, Cost(), MIDDLE_MS + int(wait_s * 1000), 0) == 0


def test_a_request_near_the_border_counts_in_both_windows() -> None:
    budget = RateBudget([WEIGHT])
    border_ms = MIDDLE_MS + 30_000
    used_up(budget, Purpose.CANCEL, Cost(), border_ms - 100)
    assert budget.delay_s(Purpose.CANCEL, Cost(), border_ms + 1_000, 0) > 0


@pytest.mark.parametrize("sent_before_ms", [5_000, 300, 100, 0, -200])
def test_what_is_told_of_a_window_after_its_end_uses_up_nothing_of_the_next(
    sent_before_ms: int,
) -> None:
    """A reply on its way over the border tells of the minute before, in which much was used."""
    budget = RateBudget([WEIGHT])
    border_ms = MIDDLE_MS + 30_000
    flight = budget.spend(Cost(), border_ms - sent_before_ms)

    budget.observe(LimitKind.WEIGHT, 60_000, 99, border_ms + 240, flight)

    assert budget.delay_s(Purpose.ENTER, Cost(70), border_ms + 500, 0) == 0


def test_the_first_count_of_a_window_that_is_surely_its_own_is_believed() -> None:
    budget = RateBudget([WEIGHT])
    at_ms = MIDDLE_MS + 30_300
    budget.observe(LimitKind.WEIGHT, 60_000, 99, at_ms + 5_000, budget.spend(Cost(), at_ms))
    assert budget.delay_s(Purpose.ENTER, Cost(), at_ms + 5_000, 0) > 0


def test_orders_are_counted_apart_from_weight() -> None:
    budget = RateBudget([WEIGHT, ORDERS])
    assert used_up(budget, Purpose.ENTER, Cost(1, orders=1), MIDDLE_MS + 5_000) == 37
    assert budget.delay_s(Purpose.CANCEL, Cost(), MIDDLE_MS + 5_000, 0) == 0


def test_the_exchange_counting_more_than_we_do_is_believed_and_less_is_not() -> None:
    budget = RateBudget([WEIGHT])
    flight = budget.spend(Cost(), MIDDLE_MS)
    budget.observe(LimitKind.WEIGHT, 60_000, 99, MIDDLE_MS, flight)
    assert budget.delay_s(Purpose.CANCEL, Cost(2), MIDDLE_MS, 0) > 0
    budget.observe(LimitKind.WEIGHT, 60_000, 3, MIDDLE_MS, flight)
    assert budget.delay_s(Purpose.CANCEL, Cost(2), MIDDLE_MS, 0) > 0


def test_orders_that_filled_are_given_back_as_the_exchange_counts_them() -> None:
    budget = RateBudget([ORDERS])
    order = Cost(1, orders=1)
    at_ms = MIDDLE_MS + 5_000
    for _ in range(100):  # more than a window holds, one after the other
        assert budget.delay_s(Purpose.ENTER, order, at_ms, 0) == 0
        flight = budget.spend(order, at_ms)
        budget.observe(LimitKind.ORDERS, 10_000, 2, at_ms, flight)

    assert used_up(budget, Purpose.ENTER, order, at_ms) == int(50 * CEILING[Purpose.ENTER]) - 2


def test_a_count_may_not_include_what_was_under_way_beside_it() -> None:
    """Of two orders under way at once, either may be counted before the other."""
    budget = RateBudget([ORDERS])
    order = Cost(1, orders=1)
    at_ms = MIDDLE_MS + 5_000
    early, late = budget.spend(order, at_ms), budget.spend(order, at_ms)

    budget.observe(LimitKind.ORDERS, 10_000, 2, at_ms, early)
    budget.observe(LimitKind.ORDERS, 10_000, 1, at_ms, late)  # answered before `early` was

    most = int(50 * CEILING[Purpose.ENTER])
    assert used_up(budget, Purpose.ENTER, order, at_ms) == most - 2


def test_an_order_without_an_answer_is_counted_until_it_cannot_arrive_any_more() -> None:
    daily = RateLimit(LimitKind.ORDERS, 86_400_000, 50)
    order = Cost(1, orders=1)
    most = int(50 * CEILING[Purpose.ENTER])
    for wait_ms, free in ((20_000, most - 2), (80_000, most - 1)):
        budget = RateBudget([daily])
        budget.spend(order, MIDDLE_MS)  # never answered

        flight = budget.spend(order, MIDDLE_MS + wait_ms)
        budget.observe(LimitKind.ORDERS, 86_400_000, 1, MIDDLE_MS + wait_ms, flight)

        assert used_up(budget, Purpose.ENTER, order, MIDDLE_MS + wait_ms) == free


def test_a_count_told_across_the_border_of_two_windows_gives_nothing_back() -> None:
    budget = RateBudget([ORDERS])
    order = Cost(1, orders=1)
    before_ms = MIDDLE_MS + 9_500
    flights = [budget.spend(order, before_ms) for _ in range(20)]
    for flight in flights:
        budget.observe(LimitKind.ORDERS, 10_000, 0, before_ms + 300, flight)
    assert used_up(budget, Purpose.ENTER, order, before_ms) == int(50 * 0.75) - 20


def test_weight_is_never_given_back() -> None:
    budget = RateBudget([WEIGHT, ORDERS])
    flight = budget.spend(Cost(40, orders=1), MIDDLE_MS)
    budget.observe(LimitKind.WEIGHT, 60_000, 1, MIDDLE_MS, flight)
    assert used_up(budget, Purpose.CANCEL, Cost(), MIDDLE_MS) == 60


def test_a_share_leaves_the_others_theirs_and_their_use_is_not_charged_to_us() -> None:
    budget = RateBudget([WEIGHT], share=0.5)
    flight = budget.spend(Cost(weight=0), MIDDLE_MS)
    budget.observe(LimitKind.WEIGHT, 60_000, 50, MIDDLE_MS, flight)
    assert used_up(budget, Purpose.CANCEL, Cost(), MIDDLE_MS) == 50


def test_orders_count_by_account_and_are_not_shared_among_nodes() -> None:
    budget = RateBudget([WEIGHT, ORDERS], share=0.25)
    alone = RateBudget([WEIGHT, ORDERS])
    order = Cost(weight=0, orders=1)
    assert used_up(budget, Purpose.ENTER, order, MIDDLE_MS) == used_up(
        alone, Purpose.ENTER, order, MIDDLE_MS
    )


@pytest.mark.parametrize("nodes", [1, 2, 3, 7])
def test_nodes_of_one_address_together_stay_within_its_limit(nodes: int) -> None:
    """Each on its own count, before any header tells of the others."""
    shares = [RateBudget([WEIGHT], share=1 / nodes) for _ in range(nodes)]
    together = sum(used_up(each, Purpose.CANCEL, Cost(), MIDDLE_MS) for each in shares)
    assert WEIGHT.limit - nodes < together <= WEIGHT.limit


def test_a_ban_stops_everything_for_as_long_as_it_says_by_the_monotonic_clock() -> None:
    budget = RateBudget([WEIGHT])
    budget.block(LimitKind.WEIGHT, 120, mono_ns=0)
    assert budget.delay_s(Purpose.CANCEL, Cost(), MIDDLE_MS, 0) == 120
    assert budget.delay_s(Purpose.CANCEL, Cost(), MIDDLE_MS + 10**9, 60 * 10**9) == 60
    assert budget.delay_s(Purpose.CANCEL, Cost(), MIDDLE_MS, 120 * 10**9) == 0


def test_an_order_ban_leaves_cancels_and_queries_free() -> None:
    budget = RateBudget([WEIGHT])
    budget.block(LimitKind.ORDERS, 10, mono_ns=0)
    assert budget.delay_s(Purpose.REDUCE, Cost(1, orders=1), MIDDLE_MS, 0) == 10
    assert budget.delay_s(Purpose.CANCEL, Cost(), MIDDLE_MS, 0) == 0


def test_limits_published_again_keep_what_is_used() -> None:
    budget = RateBudget([WEIGHT])
    used_up(budget, Purpose.CANCEL, Cost(), MIDDLE_MS)
    budget.learn([WEIGHT, ORDERS])
    assert budget.delay_s(Purpose.CANCEL, Cost(), MIDDLE_MS, 0) > 0


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        RateBudget([WEIGHT], share=share)
