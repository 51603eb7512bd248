"""The five laws: honest strategies keep them, and a planted cheater of each kind is found."""

from __future__ import annotations

import decimal
import gc
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.domain.market import Bar
from holdfast.domain.money import PRECISION
from holdfast.errors import ConfigError
from holdfast.strategy import FLAT, Setup, Strategy, Target, View, Wish, check_strategy
from holdfast.strategy.check import BROKEN, HOLDS, LAWS, NOT_CHECKED, Check
from holdfast.strategy.feed import Longer
from holdfast.strategy.invented import invented, invented_market
from holdfast.strategy.load import SHIPPED, create
from holdfast.strategy.play import bars_of
from holdfast.strategy.shipped.sma_cross import SmaCross
from tests.support.cheaters import CHEATERS

ONE = Target(quantity=Decimal(1))
Written = Callable[[str], Strategy]


def verdicts(check: Check) -> list[str]:
    return [law.verdict for law in check.laws]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A strategy `Mine` in a file of its own, from the text of it."""

    def write(text: str) -> Strategy:
        file = tmp_path / "planted.py"
        file.write_text(f"from holdfast.strategy import *\nfrom decimal import Decimal\n{text}")
        return create(f"{file}:Mine", {})

    return write


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_keeps_them(name: str) -> None:
    given = {"low": "25000", "high": "35000"} if name == "grid" else {}
    check = check_strategy(create(name, given))
    assert verdicts(check) == [HOLDS, HOLDS, HOLDS, HOLDS, "n/a"], check.broken
    assert check.holds
    # What stands as long as its bot does is measured anew by the engine, not wished anew.
    assert check.changes >= (0 if name == "rebalance" else 10), "it was put to the test"


@pytest.mark.parametrize("what", CHEATERS)
def test_a_planted_cheater_is_found(what: str, written: Written) -> None:
    text, numbers, why = CHEATERS[what]
    check = check_strategy(written(text))
    broken = {law.law: law for law in check.broken}
    for number in numbers:
        assert LAWS[number] in broken, verdicts(check)
    first = broken[LAWS[numbers[0]]]
    assert why in first.why
    assert not check.holds


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("the clock", 0),
        ("a file, when asked", 1),
        ("an indicator that looks ahead where it sees whole columns", 1),
        ("an average since the beginning", 2),
    ],
)
def test_only_the_law_that_is_broken_is_blamed(what: str, number: int, written: Written) -> None:
    expected = [HOLDS] * 4
    expected[number] = BROKEN
    assert verdicts(check_strategy(written(CHEATERS[what][0])))[:4] == expected


def test_the_first_bar_that_broke_a_law_is_told(written: Written) -> None:
    text = """
import time
class Mine(Strategy):
    def decide(self, now):
        if now.bar.close >= 103:
            time.time_ns()
        return FLAT
"""
    law = check_strategy(written(text), bars_of([100, 101, 102, 103, 104])).broken[0]
    assert (law.bar, law.at) == (3, "2024-01-01T00:04:00Z")


def test_imports_and_log_lines_are_no_look_at_the_world(written: Written) -> None:
    text = """
import logging
class Mine(Strategy):
    def decide(self, now):
        import colorsys
        logging.getLogger("mine").warning("asked")
        return FLAT
"""
    assert check_strategy(written(text)).broken == []


def test_a_strategy_that_raises_breaks_the_first_law_in_that_bar(written: Written) -> None:
    text = """
class Mine(Strategy):
    def decide(self, now):
        return FLAT if now.bar.close < 102 else 1 / 0
"""
    check = check_strategy(written(text), bars_of([100, 101, 102]))
    assert verdicts(check) == [BROKEN, *[NOT_CHECKED] * 4]
    assert (check.laws[0].bar, "ZeroDivisionError" in check.laws[0].why) == (2, True)


@pytest.mark.parametrize("place", ["setup", "decide"])
def test_a_strategy_that_ends_the_process_is_only_broken(place: str, written: Written) -> None:
    text = """
class Mine(Strategy):
    def setup(self, on):
        pass
    def decide(self, now):
        return FLAT
    def PLACE(self, _):
        raise SystemExit(0)
"""
    check = check_strategy(written(text.replace("PLACE", place)))
    assert check.laws[0].verdict == BROKEN
    assert "raised SystemExit" in check.laws[0].why


def test_a_precision_of_its_own_stays_its_own(written: Written) -> None:
    text = """
import decimal
import gc
import time
class Mine(Strategy):
    def decide(self, now):
        decimal.getcontext().prec = 3
        return Target(amount=now.bar.close * 2)
"""
    assert check_strategy(written(text)).broken == []
    assert decimal.getcontext().prec == PRECISION


def test_a_class_within_a_function_is_renewed_too() -> None:
    class Mine(Strategy):
        def decide(self, now: View) -> Wish:
            seen = vars(Mine)["seen"]
            seen.append(1)
            return Target(quantity=Decimal(len(seen)))

    Mine.seen = []  # type: ignore[attr-defined]
    check = check_strategy(Mine(), invented(200))
    assert verdicts(check)[3] == BROKEN
    assert check.laws[3].bar == 1
    assert vars(Mine)["seen"] == [1], "what the last new process left"


def test_a_series_too_short_is_said_and_not_passed_over() -> None:
    cross = create("sma_cross", {})
    check = check_strategy(cross, invented(200))
    assert verdicts(check) == [HOLDS, HOLDS, NOT_CHECKED, HOLDS, "n/a"]
    assert "needs 707 bars" in check.laws[2].why
    with pytest.raises(ConfigError, match="20 bars, and the strategy waits for 30"):
        check_strategy(cross, invented(20))


class Highest:
    """An own indicator without snapshots: fed anew from the first bar at each failover."""

    warmup = 3

    def __init__(self) -> None:
        self.last: list[float] = []

    @property
    def ready(self) -> bool:
        return len(self.last) == 3

    @property
    def value(self) -> float:
        return max(self.last)

    def update(self, bar: Bar) -> None:
        self.last = [*self.last[-2:], float(bar.close)]


class Own(Strategy):
    """Long at a new high of three bars."""

    def setup(self, on: Setup) -> None:
        self.highest = on.bars().add(Highest())

    def decide(self, now: View) -> Wish:
        return ONE if float(now.bar.close) >= self.highest.value else FLAT


def test_own_indicators_are_fed_anew_and_a_long_series_says_how_often() -> None:
    assert verdicts(check_strategy(Own()))[:4] == [HOLDS] * 4
    told = check_strategy(Own(), invented(3000)).laws[3]
    assert told.verdict == HOLDS
    assert told.why.startswith("once in 3 bars")


class Pair(Strategy):
    """Long where the other symbol is above its mean of an hour's quarters."""

    def setup(self, on: Setup) -> None:
        self.own = on.bars().sma(4)
        self.other = on.bars("15m", "ETH/USDT").sma(3)
        self.highest = on.bars("5m", "ETH/USDT").add(Highest())

    def decide(self, now: View) -> Wish:
        if now.stale:
            return {}
        high = float(now.bars["ETH/USDT"].close) > max(self.other.value, self.highest.value)
        return {
            "BTC/USDT": ONE if float(now.bar.close) > self.own.value else FLAT,
            "ETH/USDT": Target(weight=0.5, band=0.05) if high else FLAT,
        }


BOTH = ("BTC/USDT", "ETH/USDT")


def test_several_symbols_and_timeframes_are_put_to_the_same_laws() -> None:
    check = check_strategy(Pair(), symbols=BOTH)
    assert verdicts(check)[:4] == [HOLDS] * 4, check.broken
    assert check.changes > 100
    given = invented_market(1500, BOTH)
    assert any(close.stale for close in given.closes), "a bar is missing now and then"
    assert verdicts(check_strategy(Pair(), given.bars))[:4] == [HOLDS] * 4


def test_a_new_process_needs_the_longer_bars_that_had_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were they lost, the law would see it: that it holds elsewhere says something."""
    monkeypatch.setattr(Longer, "restore", lambda *_: None)
    (broken,) = check_strategy(Pair(), symbols=BOTH).broken
    assert broken.law == LAWS[3]


def test_a_cheater_in_one_of_several_symbols_is_found(written: Written) -> None:
    text = """
SEEN = []
class Mine(Strategy):
    def decide(self, now):
        SEEN.append(now.bars["ETH/USDT"].close)
        return {"ETH/USDT": Target(quantity=Decimal(1)) if SEEN[-1] >= max(SEEN[-9:]) else FLAT}
"""
    check = check_strategy(written(text), symbols=BOTH)
    assert {law.law for law in check.broken} >= {LAWS[3]}


def test_a_symbol_that_is_not_the_bots_is_named(written: Written) -> None:
    text = """
class Mine(Strategy):
    def setup(self, on):
        self.other = on.bars(symbol="ETH/USDT").sma(2)
    def decide(self, now):
        return FLAT
"""
    law = check_strategy(written(text)).laws[0]
    assert "on.bars(symbol='ETH/USDT')" in law.why


def test_bars_of_several_lengths_are_no_market() -> None:
    mixed = (*bars_of([1, 2]), *bars_of([1, 2], symbol="ETH/USDT", bar_s=300))
    with pytest.raises(ConfigError, match="bars of 60 and 300 seconds"):
        check_strategy(Own(), mixed)


def test_the_invented_market_is_the_same_each_time_and_sound() -> None:
    bars = invented(500)
    assert bars == invented(500)
    assert all(0 < b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars)


def test_somebody_else_s_clock_at_a_collection_is_not_the_strategy_s() -> None:
    """Test tools and profilers time the collector; it may run in the midst of the author's code."""

    def timed(_phase: str, _info: dict[str, int]) -> None:
        time.perf_counter()

    before = gc.get_threshold()
    gc.callbacks.append(timed)
    gc.set_threshold(1)
    try:
        found = check_strategy(SmaCross())
    finally:
        gc.callbacks.remove(timed)
        gc.set_threshold(*before)
    assert found.broken == []
    assert gc.isenabled()


class Depths(Strategy):
    """Long while more is bid than asked within a few levels of the invented book."""

    def setup(self, on: Setup) -> None:
        self.book = on.book(levels=5)
        self.last = on.trades()

    def decide(self, now: View) -> Wish:
        assert len(self.book.bids) == len(self.book.asks) == 5
        assert self.last.price == now.bar.close
        assert 0 < self.book.age_s(now.time_ns) < 1
        bid, asked = (sum(size for _, size in side) for side in (self.book.bids, self.book.asks))
        return Target(quantity=Decimal(1)) if bid > asked else FLAT


def test_who_looks_at_books_and_trades_is_tried_with_invented_ones() -> None:
    found = check_strategy(Depths())
    assert [law.verdict for law in found.laws[:4]] == ["holds"] * 4
    assert found.changes > 100


def test_who_gathers_what_the_book_showed_breaks_the_laws() -> None:
    class Gathering(Depths):
        def setup(self, on: Setup) -> None:
            super().setup(on)
            self.seen: list[Decimal] = []

        def decide(self, now: View) -> Wish:
            self.seen.append(self.book.bids[0][1])
            return Target(quantity=Decimal(1)) if sum(self.seen) % 2 < 1 else FLAT

    assert "failing over after every bar changes nothing" in [
        law.law for law in check_strategy(Gathering()).broken
    ]
