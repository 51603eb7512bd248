"""Closes that a backtest's engine is not shown, and those that it must see."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.app.research.backtest import Backtest
from holdfast.app.research.simulated import Run
from holdfast.domain.limits import Limits
from holdfast.domain.market import BarColumns
from holdfast.lab.settlement import Terms
from holdfast.strategy import FLAT, KEEP, Percent, Setup, Strategy, Target, View, Wish
from tests.support.backtests import MINUTE_NS, Attentive, bars_of, trades, walk
from tests.support.engine_world import BTC

D = Decimal
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
FREE = Terms(fee_rate=D(0))


class Always(Strategy):
    """The same at every close of two hours, then perhaps another of its wishes."""

    wishes: list[Any]
    seed: int = 0

    def decide(self, now: View) -> Wish:
        rng = random.Random(f"{self.seed} {now.time_ns // (120 * MINUTE_NS)}")
        wish = {symbol: rng.choice(self.wishes) for symbol in now.bars}
        return KEEP if now.time_ns // MINUTE_NS % 10 == self.seed else wish


def made(run: Run) -> list[Any]:
    return [
        (at, fill.symbol, fill.side, fill.quantity, fill.price)
        for at, fill in zip(run.fill_times, run.fills, strict=True)
    ]


class Counting(Backtest):
    """Counts the closes that the engine sees."""

    seen = 0

    def _close(self, at: int, wish: Wish) -> None:
        self.seen += 1
        super()._close(at, wish)


def both_ways(strategy: Any, bars: tuple[BarColumns, ...], **options: Any) -> tuple[Run, int]:
    """Its run, held equal to one in which the engine sees every close; and how many it saw."""
    chosen = {"instruments": (BTC, ETH)[: len(bars)], "cash": D(100_000), "terms": Terms()}
    quick = Counting(strategy(), bars, **{**chosen, **options})
    found, whole = quick.run(), Attentive(strategy(), bars, **{**chosen, **options}).run()
    assert made(found) == made(whole)
    assert (found.cash, found.held) == (whole.cash, whole.held)
    counts = (found.orders, found.rejected, found.refused)
    assert counts == (whole.orders, whole.rejected, whole.refused)
    return found, quick.seen


def other(bars: BarColumns, missing: float, seed: int) -> BarColumns:
    """The same numbers as another symbol's, some minutes left out."""
    rng = random.Random(seed)
    kept = [at for at in range(len(bars)) if at == 0 or rng.random() >= missing]
    names = ("open_ns", "open", "high", "low", "close", "volume")
    columns: list[Any] = [[getattr(bars, name)[at] for at in kept] for name in names]
    return BarColumns("ETH/USDT", 60, *columns)


@pytest.mark.parametrize("seed", range(12))
def test_targets_in_a_band_are_watched_and_nothing_changes(seed: int) -> None:
    wishes = [
        Target(weight=0.6, band=0.01),
        Target(weight=0.3, band=0.03, stop=Percent(3)),
        Target(amount=D(20_000), band=D(500)),
        Target(quantity=D("0.5"), band=D("0.2")),
    ]
    missing = 0.1 if seed % 2 else 0.0
    bars = (walk(1_500, seed=seed), other(walk(1_500, seed=seed + 100), missing, seed))
    found, seen = both_ways(lambda: Always(wishes=wishes, seed=seed), bars[: 1 + seed % 3 % 2])
    assert len(found.fills) >= 3
    assert seen < 1_500 / 3


@pytest.mark.parametrize("seed", range(6))
def test_stops_that_follow_are_watched_and_nothing_changes(seed: int) -> None:
    wishes = [
        Target(quantity=D(1), stop=Percent(width), trail=True, episode=str(width))
        for width in (0.5, 1, 4)
    ]
    found, seen = both_ways(lambda: Always(wishes=[FLAT, *wishes], seed=seed), (walk(1_500, seed),))
    assert len(found.fills) >= 6
    assert seen < 1_500 / 2


@given(
    weight=st.decimals("0.05", "0.9", places=2),
    band=st.decimals("0.001", "0.2", places=3),
    off=st.integers(-2, 2),
    rises=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_at_the_edge_of_its_band_a_weight_is_worked_out_exactly(
    weight: Decimal, band: Decimal, off: int, rises: bool
) -> None:
    """The close is the price at which the weight is off by its band, a few cents more or less."""
    cash, price = D(1_000_000), D(1_000)
    target, width = weight * cash / price, band * cash / price
    # weight * (cash - target * price + target * edge) / edge = target - width, or + width
    size = target - width if rises else target + width
    if size <= weight * target:
        return
    edge = weight * (cash - target * price) / (size - weight * target)
    close = float(round(edge, 2) + off * D("0.01"))
    bars = bars_of([float(price), float(price), close, close, close])
    wish = Target(weight=weight, band=band)
    both_ways(lambda: Always(wishes=[wish]), (bars,), cash=cash, terms=FREE)


def test_a_band_is_left_beyond_its_edge_and_not_at_it() -> None:
    wish = Target(amount=D(1_000), band=D(200))
    for close, sides in ((125.0, ["BUY"]), (125.01, ["BUY", "SELL"])):
        bars = bars_of([100.0, 100.0, close, close])
        found, _ = both_ways(lambda: Always(wishes=[wish]), (bars,), terms=FREE)
        assert [side for _, side, _ in trades(found)] == sides


class Changing(Strategy):
    """Returns one mapping again and again, and changes it."""

    def setup(self, on: Setup) -> None:
        self.wishes: dict[str, Any] = {on.symbols[0]: FLAT}

    def decide(self, now: View) -> Wish:
        if now.time_ns == 3 * MINUTE_NS:
            self.wishes["BTC/USDT"] = Target(quantity=D(1))
        return self.wishes


def test_a_mapping_that_its_strategy_changes_is_a_new_wish() -> None:
    found, _ = both_ways(Changing, (bars_of([100.0] * 6),))
    assert [(at, side) for at, side, _ in trades(found)] == [(3, "BUY")]


class Twice(Strategy):
    """Adds to what it holds after a quarter of an hour."""

    def decide(self, now: View) -> Wish:
        return Target(quantity=D(100 if now.time_ns < 15 * MINUTE_NS else 150))


def test_a_limit_on_drawdown_knows_a_peak_at_which_nothing_was_traded() -> None:
    limits = Limits(max_drawdown_pct=D(10), price_band_pct=None, max_orders_per_minute=None)
    bars = bars_of([100.0, 100.0, *[140.0] * 6, *[100.0] * 20])
    options: dict[str, Any] = {"cash": D(20_000), "terms": FREE}
    found, _ = both_ways(Twice, (bars,), limits=limits, **options)
    assert len(found.fills) == 1
    found, _ = both_ways(Twice, (bars,), **options)
    assert len(found.fills) == 2
