"""The exchange's clock between two readings."""

from __future__ import annotations

from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.port import TimeSample

MS = 1_000_000


def test_a_sample_is_taken_to_be_read_half_way_and_carried_on() -> None:
    now_ns = [0]
    clock = ServerClock(lambda: now_ns[0], lambda: 7 * MS)
    assert clock.now_ms() == 7
    assert not clock.is_fresh(1e9)
    clock.note(TimeSample(1_000, 10 * MS, 30 * MS))
    now_ns[0] = 50 * MS
    assert clock.now_ms() == 1_030


def test_a_sample_grows_old_and_can_be_forgotten() -> None:
    now_ns = [0]
    clock = ServerClock(lambda: now_ns[0], lambda: 0)
    clock.note(TimeSample(1_000, 0, 0))
    now_ns[0] = 30_000 * MS
    assert clock.is_fresh(30)
    now_ns[0] += 1
    assert not clock.is_fresh(30)
    clock.note(TimeSample(1_000, 0, now_ns[0]))
    assert clock.is_fresh(30)
    clock.forget()
    assert not clock.is_fresh(30)
