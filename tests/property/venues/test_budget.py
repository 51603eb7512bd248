"""Whatever is asked of the budget, the exchange's own windows never overflow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.venues.budget import Cost, LimitKind, RateBudget, RateLimit
from holdfast.venues.port import Purpose

LIMITS = (
    RateLimit(LimitKind.WEIGHT, 60_000, 60),
    RateLimit(LimitKind.ORDERS, 10_000, 12),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(Purpose),
        st.integers(min_value=1, max_value=20),
        st.booleans(),
        st.integers(min_value=0, max_value=9_000),
    ),
    max_size=80,
)


@given(steps=STEPS, offset_ms=st.integers(-250, 250), start=st.integers(0, 10**6))
def test_no_window_of_the_exchange_overflows_although_its_clock_differs(
    steps: list[tuple[Purpose, int, bool, int]], offset_ms: int, start: int
) -> None:
    budget = RateBudget(LIMITS)
    now_ms = 10**9 + start
    counted: dict[tuple[RateLimit, int], int] = {}
    for purpose, weight, is_order, pause_ms in steps:
        now_ms += pause_ms
        cost = Cost(weight, orders=int(is_order))
        if budget.delay_s(purpose, cost, now_ms, 0) > 0:
            continue
        budget.spend(cost, now_ms)
        for limit in LIMITS:
            window = (limit, (now_ms + offset_ms) // limit.interval_ms)
            counted[window] = counted.get(window, 0) + cost.of(limit.kind)
    assert all(used <= limit.limit for (limit, _), used in counted.items())


@given(steps=STEPS)
def test_a_cancel_always_passes_when_only_others_used_the_budget(
    steps: list[tuple[Purpose, int, bool, int]],
) -> None:
    budget = RateBudget(LIMITS)
    now_ms = 10**9
    for purpose, weight, is_order, pause_ms in steps:
        now_ms += pause_ms
        cost = Cost(weight, orders=int(is_order))
        if purpose is not Purpose.CANCEL and budget.delay_s(purpose, cost, now_ms, 0) == 0:
            budget.spend(cost, now_ms)
        assert budget.delay_s(Purpose.CANCEL, Cost(), now_ms, 0) == 0


@given(steps=STEPS)
def test_waiting_as_long_as_told_is_enough(steps: list[tuple[Purpose, int, bool, int]]) -> None:
    budget = RateBudget(LIMITS)
    now_ms = 10**9
    for purpose, weight, is_order, pause_ms in steps:
        now_ms += pause_ms
        cost = Cost(weight, orders=int(is_order))
        wait_s = budget.delay_s(purpose, cost, now_ms, 0)
        now_ms += round(wait_s * 1_000)
        assert budget.delay_s(purpose, cost, now_ms, 0) == 0
        budget.spend(cost, now_ms)
