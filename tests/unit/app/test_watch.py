"""The shared memory that tells a supervisor who is deciding, and for how long."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.app.watch import Watch
from holdfast.domain.market import Bar
from holdfast.strategy.api import Exit, HeldPosition, OpenOrder, Strategy, View
from holdfast.strategy.wish import FLAT, Wish

ONE = Decimal(1)


class NoFacts:
    def equity(self) -> None:
        """Nothing has a price."""

    def positions(self) -> dict[str, HeldPosition]:
        """It holds nothing."""
        return {}

    def last_exits(self, now_ns: int) -> dict[str, Exit]:
        """It was never in the market."""
        return {}

    def orders(self) -> list[OpenOrder]:
        """It has none."""
        return []


VIEW = View(
    Bar("BTC/USDT", 0, 1_000_000_000, ONE, ONE, ONE, ONE, ONE),
    HeldPosition(Decimal(0), Decimal(0)),
    NoFacts(),
)


class Looks(Strategy):
    """Notes what the supervisor would see while it decides; fails when told to."""

    fails: bool = False

    def setup(self, on: object) -> None:
        self.seen: list[tuple[int, float] | None] = []
        self.watch: Watch | None = None

    def decide(self, now: View) -> Wish:
        assert self.watch is not None
        self.seen.append(self.watch.deciding())
        if self.fails:
            raise KeyboardInterrupt
        return FLAT


def _looking(watch: Watch, *, fails: bool = False) -> Looks:
    strategy = Looks(fails=fails)
    strategy.setup(None)
    strategy.watch = watch
    return strategy


def test_a_bot_counts_as_deciding_while_it_decides_and_no_longer() -> None:
    watch = Watch()
    strategy = _looking(watch)

    assert watch.asking(3)(strategy, VIEW) is FLAT

    (seen,) = strategy.seen
    assert seen is not None
    assert seen[0] == 3
    assert 0 <= seen[1] < 60, "seconds"
    assert watch.deciding() is None


def test_a_bot_that_raised_is_not_blamed_for_what_happens_next() -> None:
    watch = Watch()

    with pytest.raises(KeyboardInterrupt):
        watch.asking(0)(_looking(watch, fails=True), VIEW)

    assert watch.deciding() is None
