"""What a backtest over bars shows a strategy: memory, series, and what bars cannot tell."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.errors import ConfigError, RejectedError
from holdfast.strategy import (
    FLAT,
    KEEP,
    Setup,
    Strategy,
    Target,
    View,
    Wish,
)
from holdfast.strategy.signals import Known
from tests.support.backtests import (
    MINUTE_NS,
    run,
    walk,
)

D = Decimal


class Thirds(Strategy):
    """Long for every third close that it is asked at."""

    class Memory(msgspec.Struct):
        asked: int = 0

    def decide(self, now: View) -> tuple[Wish, Memory]:
        memory = now.memory
        memory.asked += 1
        return (FLAT if memory.asked % 3 else Target(quantity=D("0.1"))), memory


def test_a_strategy_remembers_from_one_close_to_the_next() -> None:
    found = run(Thirds(), walk(10))
    assert list(found.fill_times) == [3, 4, 6, 7, 9]


def test_a_memory_that_cannot_be_kept_ends_the_backtest() -> None:
    class Wrong(Thirds):
        def decide(self, now: View) -> tuple[Wish, Any]:
            return FLAT, {"asked": 1}

    with pytest.raises(RejectedError, match=r"decide returned a dict beside its wish.* in bar 0"):
        run(Wrong(), walk(10))


class Told(Strategy):
    """Holds what the series says."""

    def setup(self, on: Setup) -> None:
        self.size = on.signal("size")

    def decide(self, now: View) -> Wish:
        return Target(quantity=D(str(self.size.value))) if self.size.ready else KEEP


def test_a_series_is_heard_at_the_first_close_after_it_was_known() -> None:
    closes_ns = [(at + 1) * MINUTE_NS for at in range(8)]
    series = [
        Known(closes_ns[1], "0.1"),
        Known(closes_ns[3] + 1, "0.3"),
        Known(closes_ns[4], "0.2"),
        Known(closes_ns[5] + 1, "0"),
    ]
    found = run(Told(), walk(8), signals={"size": series})
    fills = zip(found.fill_times, found.fills, strict=True)
    changes = [(at, str(fill.side), fill.quantity) for at, fill in fills]
    assert changes == [(2, "BUY", D("0.1")), (5, "BUY", D("0.1")), (7, "SELL", D("0.2"))]


def test_a_series_that_is_not_given_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="NAME=FILE"):
        run(Told(), walk(8))


class Looking(Strategy):
    """Wants what no bar tells."""

    what: str

    def setup(self, on: Setup) -> None:
        if self.what == "every":
            on.every("10s")
        elif self.what == "book":
            on.book()
        else:
            on.trades()


@pytest.mark.parametrize("what", ["every", "book", "trades"])
def test_what_bars_cannot_tell_is_refused_with_what_to_do(what: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"seen: on.{what}() in a backtest without")):
        run(Looking(what=what), walk(8))
