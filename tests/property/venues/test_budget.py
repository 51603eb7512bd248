"""Whatever is asked of the budget, the exchange's own windows never overflow."""

from __future__ import annotations

import heapq
import itertools
from typing import Any

from hypothesis import given, settings
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


class CountingExchange:
    """Counts unfilled orders as the real one does, and says the count in each reply.

    Everything takes its time, so replies overtake orders and each other. Times are milliseconds.
    """

    def __init__(self, limit: RateLimit, offset_ms: int) -> None:
        self.limit = limit
        self.offset_ms = offset_ms
        self.window = -1
        self.count = 0
        self.most = 0

    def _turn(self, now_ms: int) -> None:
        window = (now_ms + self.offset_ms) // self.limit.interval_ms
        if window != self.window:
            self.window, self.count = window, 0

    def arrive(self, now_ms: int) -> int:
        """An order comes in; returns the count that its reply carries."""
        self._turn(now_ms)
        self.count += 1
        self.most = max(self.most, self.count)
        return self.count

    def fill(self, now_ms: int, gives: int) -> None:
        """An order filled for the first time: some of the count is given back."""
        self._turn(now_ms)
        self.count = max(0, self.count - gives)


ORDERS = st.lists(
    st.tuples(
        st.sampled_from([0, 20, 500, 4_000]),  # after the one before it
        st.sampled_from([10, 50, 100]),  # on its way to the exchange
        st.sampled_from([10, 900, 3_000, None]),  # its reply on the way back; None is lost
        st.sampled_from([5, 500, None]),  # until it fills, if it does
        st.sampled_from([1, 5]),  # what its fill gives back
    ),
    min_size=5,
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(orders=ORDERS, offset_ms=st.integers(-150, 150), start=st.integers(0, 10**6))
def test_following_the_count_down_never_overflows_the_exchange(
    orders: list[tuple[int, int, int | None, int | None, int]], offset_ms: int, start: int
) -> None:
    """The way there and the difference of the clocks are, together, what the border allows for."""
    limit = RateLimit(LimitKind.ORDERS, 10_000, 3)
    budget, exchange = RateBudget([limit]), CountingExchange(limit, offset_ms)
    order = Cost(1, orders=1)
    # What is due: time, then a number that keeps the order of what is due together.
    due: list[tuple[int, int, str, Any]] = []
    numbers = itertools.count()
    now_ms = 10**9 + start
    for pause_ms, *journey in orders:
        now_ms += pause_ms
        heapq.heappush(due, (now_ms, next(numbers), "send", journey))
    while due:
        now_ms, _, what, told = heapq.heappop(due)
        if what == "send":
            if budget.delay_s(Purpose.CANCEL, order, now_ms, 0) > 0:
                continue
            flight = budget.spend(order, now_ms)
            heapq.heappush(due, (now_ms + told[0], next(numbers), "arrive", (flight, *told[1:])))
        elif what == "arrive":
            flight, back_ms, fills_ms, gives = told
            count = exchange.arrive(now_ms)
            if back_ms is not None:
                heapq.heappush(due, (now_ms + back_ms, next(numbers), "hear", (flight, count)))
            if fills_ms is not None:
                heapq.heappush(due, (now_ms + fills_ms, next(numbers), "fill", gives))
        elif what == "fill":
            exchange.fill(now_ms, told)
        else:
            flight, count = told
            budget.observe(limit.kind, limit.interval_ms, count, now_ms, flight)
    assert exchange.most <= limit.limit
