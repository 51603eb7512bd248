"""Candles and the last day: what traded when, without holes, and bounded."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.exchange.orders import Trade
from holdfast.exchange.tape import (
    DAY_NS,
    INTERVAL_NS,
    MINUTE_NS,
    SECOND_NS,
    SECONDS_KEPT,
    TRADES_KEPT,
    Candle,
    Tape,
    bucket_start,
)

# 2026-01-07 00:00 UTC, a Wednesday.
START_NS = 1_767_744_000_000_000_000


def tape_of(*prints: tuple[float, str, str]) -> Tape:
    """A tape of (seconds from the start, price, quantity), the seller taking where q ends in 5."""
    tape = Tape("BTC/USDT")
    for number, (at_s, price, quantity) in enumerate(prints, start=1):
        tape.note(Trade(
            "BTC/USDT", number, Decimal(price), Decimal(quantity),
            Decimal(price) * Decimal(quantity), quantity.endswith("5"),
            START_NS + int(at_s * SECOND_NS),
        ))
    return tape


def shape(candle: Candle) -> tuple[str, str, str, str, str, int]:
    return (
        str(candle.open), str(candle.high), str(candle.low), str(candle.close),
        str(candle.volume), candle.trades,
    )


def test_a_candle_has_first_highest_lowest_last_and_sums() -> None:
    tape = tape_of((1, "10", "1"), (2, "12", "2"), (3, "9", "1.5"), (59, "11", "1"))
    (candle,) = tape.candles("1m", START_NS + 59 * SECOND_NS)
    assert shape(candle) == ("10", "12", "9", "11", "5.5", 4)
    assert candle.cost == Decimal(10 + 24 + 11) + Decimal("13.5")
    assert (candle.taker_volume, candle.taker_cost) == (Decimal(4), Decimal(45))
    assert (candle.first_id, candle.last_id) == (1, 4)


def test_spans_without_trades_are_flat_candles_at_the_last_close() -> None:
    tape = tape_of((1, "10", "1"), (200, "11", "1"))
    candles = tape.candles("1m", START_NS + 300 * SECOND_NS)
    assert [shape(candle) for candle in candles] == [
        ("10", "10", "10", "10", "1", 1),
        ("10", "10", "10", "10", "0", 0),
        ("10", "10", "10", "10", "0", 0),
        ("11", "11", "11", "11", "1", 1),
        ("11", "11", "11", "11", "0", 0),
        ("11", "11", "11", "11", "0", 0),
    ]
    assert [candle.open_ns for candle in candles] == [START_NS + n * MINUTE_NS for n in range(6)]


@pytest.mark.parametrize("interval", sorted(set(INTERVAL_NS) - {"1s", "1m"}))
def test_longer_candles_are_sums_of_minutes(interval: str) -> None:
    prints = [(at_s, str(10 + at_s % 7), "1") for at_s in range(0, 3 * 3600, 171)]
    tape = tape_of(*prints)
    now_ns = START_NS + (3 * 3600 - 1) * SECOND_NS
    merged = tape.candles(interval, now_ns)
    assert sum(candle.trades for candle in merged) == len(prints)
    assert sum((candle.volume for candle in merged), Decimal(0)) == len(prints)
    for candle in merged:
        assert bucket_start(candle.open_ns, interval) == candle.open_ns
        end_ns = candle.open_ns + INTERVAL_NS[interval]
        inside = [
            Decimal(price)
            for at_s, price, _ in prints
            if candle.open_ns <= START_NS + at_s * SECOND_NS < end_ns
        ]
        assert (candle.open, candle.close) == (inside[0], inside[-1])
        assert (candle.high, candle.low) == (max(inside), min(inside))


def test_weeks_begin_on_monday() -> None:
    monday_ns = START_NS - 2 * DAY_NS
    assert bucket_start(START_NS, "1w") == monday_ns
    assert bucket_start(monday_ns, "1w") == monday_ns
    assert bucket_start(monday_ns - 1, "1w") == monday_ns - 7 * DAY_NS


def test_the_last_day_forgets_what_is_older() -> None:
    tape = tape_of((0, "99", "1"), (3600 * 20, "10", "1"), (3600 * 30, "12", "2"))
    day = tape.last_day(START_NS + 3600 * 30 * SECOND_NS)
    assert day is not None
    assert shape(day)[1:] == ("12", "10", "12", "3", 2)


def test_nothing_is_known_before_the_first_trade() -> None:
    tape = Tape("BTC/USDT")
    assert tape.last_day(START_NS) is None
    assert tape.candles("1h", START_NS) == []
    assert tape.current("1m", START_NS) is None


def test_memory_stays_bounded() -> None:
    tape = tape_of(*((n, "10", "1") for n in range(TRADES_KEPT + 5)), (10**7, "11", "1"))
    assert len(tape.trades) == TRADES_KEPT
    seconds = tape.candles("1s", START_NS + 10**7 * SECOND_NS)
    assert len(seconds) == SECONDS_KEPT
    assert [seconds[n + 1].open_ns - seconds[n].open_ns for n in range(3)] == [SECOND_NS] * 3


def test_an_unknown_interval_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        tape_of((1, "10", "1")).candles("7m", START_NS)
