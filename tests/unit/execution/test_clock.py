"""The exchange's clock is an interval that holds its present time, whatever the network did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import RetryableError
from holdfast.execution.clock import (
    DRIFT,
    LONGEST_WINDOW_MS,
    MAX_AGE_S,
    SHORTEST_WINDOW_MS,
    ExchangeClock,
)
from holdfast.venues.port import TimeSample

NS_PER_MS = 1_000_000


class Mono:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def sampled(server_ms: int, round_trip_ms: float = 0.0) -> tuple[ExchangeClock, Mono]:
    mono = Mono()
    clock = ExchangeClock(mono)
    mono.ns = int(round_trip_ms * NS_PER_MS)
    clock.take(TimeSample(server_ms, 0, mono.ns))
    return clock, mono


@given(
    there_ms=st.integers(0, 2000),
    back_ms=st.integers(0, 2000),
    age_ms=st.integers(0, 30_000),
    drift=st.floats(-DRIFT * 0.99, DRIFT * 0.99),
)
def test_the_true_time_is_within_the_bounds(
    there_ms: int, back_ms: int, age_ms: int, drift: float
) -> None:
    """However the round trip splits, and whichever clock is the faster one."""
    at_answer_ms = 1_700_000_000_000
    clock, mono = sampled(at_answer_ms, there_ms + back_ms)
    mono.ns += age_ms * NS_PER_MS
    true_ms = at_answer_ms + (back_ms + age_ms) * (1 + drift)
    # It may show the next millisecond soon: what was truncated is at most one.
    assert clock.earliest_ms() <= true_ms + 1e-3
    assert true_ms <= clock.latest_ms() + 1e-3


@given(age_ms=st.integers(0, 30_000), drift=st.floats(-0.0099, 0.0099))
def test_what_is_concluded_from_time_is_not_early_though_a_clock_gains_a_hundredth(
    age_ms: int, drift: float
) -> None:
    at_answer_ms = 1_700_000_000_000
    clock, mono = sampled(at_answer_ms)
    mono.ns += int(age_ms * (1 + drift) * NS_PER_MS)
    assert clock.surely_ms() <= at_answer_ms + age_ms


@given(
    off_ms=st.integers(-10_000, 10_000), round_trip_ms=st.integers(0, 2000),
    age_ms=st.integers(0, 30_000),
)  # fmt: skip
def test_another_clock_is_off_by_what_the_round_trip_cannot_explain(
    off_ms: int, round_trip_ms: int, age_ms: int
) -> None:
    """Never by more than it is, never the other way, and off it is when the bounds say so."""
    clock, mono = sampled(1_700_000_000_000, round_trip_ms)
    mono.ns += age_ms * NS_PER_MS
    told_ms = clock.off_ms(clock.earliest_ms() + off_ms)
    left_open_ms = clock.latest_ms() - clock.earliest_ms()
    if off_ms < 0:
        assert told_ms == off_ms
    else:
        assert told_ms == max(0, off_ms - left_open_ms)


@given(st.integers(0, 60_000), st.integers(0, 60_000))
def test_bounds_never_go_back_while_one_sample_is_in_use(one_ms: int, other_ms: int) -> None:
    clock, mono = sampled(5000)
    mono.ns = min(one_ms, other_ms) * NS_PER_MS
    earliest, latest = clock.earliest_ms(), clock.latest_ms()
    mono.ns = max(one_ms, other_ms) * NS_PER_MS
    assert clock.earliest_ms() >= earliest
    assert clock.latest_ms() >= latest


def test_without_a_sample_nothing_can_be_said() -> None:
    clock = ExchangeClock(Mono())
    assert not clock.is_usable
    assert clock.sample_ms == 0
    for ask in (clock.earliest_ms, clock.latest_ms):
        with pytest.raises(RetryableError, match="no sample of the exchange's clock"):
            ask()


def test_a_sample_grows_too_old_to_sign_with() -> None:
    clock, mono = sampled(5000)
    mono.ns += int(MAX_AGE_S * 1e9)
    assert [clock.is_usable] == [True]
    mono.ns += 1_000_000
    assert [clock.is_usable] == [False]
    clock.take(TimeSample(9000, mono.ns, mono.ns))
    assert [clock.is_usable, clock.sample_ms] == [True, 9000]


@pytest.mark.parametrize(
    ("round_trip_ms", "window_ms"),
    [(1, SHORTEST_WINDOW_MS), (200, 800), (5000, LONGEST_WINDOW_MS)],
)
def test_the_window_is_four_slow_round_trips_within_bounds(
    round_trip_ms: float, window_ms: int
) -> None:
    clock, _ = sampled(5000, round_trip_ms)
    assert clock.window_ms() == window_ms
    clock.take(TimeSample(5000, 0, 0))
    assert clock.window_ms() == window_ms, "the slowest of late counts"


def test_a_slow_reply_does_not_replace_a_sample_that_tells_the_time_more_closely() -> None:
    clock, mono = sampled(1_000_000, 2.0)
    began = mono.ns
    mono.ns += 400 * NS_PER_MS
    clock.take(TimeSample(1_000_050, began, mono.ns))
    assert clock.earliest_ms() >= 1_000_399, "the slow one alone would say 1,000,050"


def test_a_sample_that_contradicts_the_one_in_use_replaces_it() -> None:
    clock, mono = sampled(1_000_000, 2.0)
    began = mono.ns
    mono.ns += 400 * NS_PER_MS
    clock.take(TimeSample(900_000, began, mono.ns))
    assert clock.latest_ms() < 901_000


def test_an_old_sample_is_replaced_by_a_slower_one() -> None:
    clock, mono = sampled(1_000_000, 2.0)
    mono.ns += int(MAX_AGE_S * 1e9 * 0.6)
    began = mono.ns
    mono.ns += 400 * NS_PER_MS
    clock.take(TimeSample(1_018_100, began, mono.ns))
    assert clock.sample_ms == 1_018_100
