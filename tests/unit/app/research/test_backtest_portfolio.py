"""Backtests of several symbols and timeframes: one account, one clock, holes and all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl
import pytest

from holdfast import backtest
from holdfast.app.research.backtest import Backtest
from holdfast.app.research.simulated import Run
from holdfast.domain.market import BarColumns
from holdfast.errors import ConfigError
from holdfast.lab.settlement import Terms
from holdfast.market.bar_table import SCHEMA, BarTable
from holdfast.strategy import (
    FLAT,
    KEEP,
    Setup,
    Strategy,
    Target,
    View,
    Wish,
)
from tests.support.backtests import MINUTE_NS, Attentive, Moody, OnlyUpdates, trades, walk
from tests.support.engine_world import BTC

D = Decimal
FREE = Terms(fee_rate=D(0))
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
BOTH = (BTC, ETH)


def columns(symbol: str, closes: Sequence[float], at: Sequence[int] = ()) -> BarColumns:
    """Minutes that open where the one before closed; `at` has their numbers where some miss."""
    numbers = at or range(len(closes))
    opens = [closes[0], *closes[:-1]]
    return BarColumns(
        symbol,
        60,
        [number * MINUTE_NS for number in numbers],
        opens,
        [max(pair) for pair in zip(opens, closes, strict=True)],
        [min(pair) for pair in zip(opens, closes, strict=True)],
        list(closes),
        [1.0] * len(closes),
    )


def run(strategy: Strategy, *bars: BarColumns, **options: Any) -> Run:
    chosen = {"instruments": BOTH, "cash": D(10_000), "terms": FREE, **options}
    return Backtest(strategy, bars, **chosen).run()


class Wishes(Strategy):
    """Wishes one after the other, the last one for ever."""

    wishes: list[Any]

    def setup(self, on: Setup) -> None:
        self.seen: list[tuple[int, dict[str, Decimal], frozenset[str]]] = []

    def decide(self, now: View) -> Wish:
        number = len(self.seen)
        closes = {symbol: bar.close for symbol, bar in now.bars.items()}
        self.seen.append((now.time_ns // MINUTE_NS, closes, now.stale))
        return self.wishes[min(number, len(self.wishes) - 1)]  # type: ignore[no-any-return]


def made(run: Run) -> list[tuple[int, str, str, Decimal, Decimal]]:
    return [
        (at, fill.symbol, fill.side.value, fill.quantity, fill.price)
        for at, fill in zip(run.fill_times, run.fills, strict=True)
    ]


def test_each_symbol_fills_at_its_own_next_open() -> None:
    wish = {"BTC/USDT": Target(quantity=D(2)), "ETH/USDT": Target(quantity=D(3))}
    found = run(
        Wishes([wish]),
        columns("BTC/USDT", [100.0, 110.0, 120.0]),
        columns("ETH/USDT", [10.0, 11.0, 12.0]),
    )
    assert made(found) == [
        (1, "BTC/USDT", "BUY", D(2), D(100)),
        (1, "ETH/USDT", "BUY", D(3), D(10)),
    ]
    assert found.held == {"BTC/USDT": D(2), "ETH/USDT": D(3)}
    assert found.final_equity == D(10_000) + 2 * 20 + 3 * 2


@pytest.mark.parametrize("symbols", [("BTC/USDT", "ETH/USDT"), ("ETH/USDT", "BTC/USDT")])
def test_what_is_sold_pays_for_what_is_bought_at_the_same_open(symbols: tuple[str, str]) -> None:
    """Whatever the order of the symbols: live, a second lies between the two orders."""
    one, other = symbols
    wishes = [{one: Target(weight=0.98)}, {one: FLAT, other: Target(weight=0.9)}]
    bars = [columns(symbol, [100.0] * 4) for symbol in ("BTC/USDT", "ETH/USDT")]
    found = run(Wishes(wishes), *bars)
    assert [(at, symbol, side) for at, symbol, side, *_ in made(found)] == [
        (1, one, "BUY"),
        (2, one, "SELL"),
        (2, other, "BUY"),
    ]
    assert found.refused == found.rejected == 0


def test_a_symbol_without_a_bar_is_stale_and_nobody_waits_for_it() -> None:
    strategy = Wishes([KEEP, {"BTC/USDT": Target(quantity=D(1))}])
    bars = [
        columns("BTC/USDT", [100.0, 101.0, 102.0, 103.0]),
        columns("ETH/USDT", [10.0, 13.0], at=(0, 3)),
    ]
    found = run(strategy, *bars)
    done = run(strategy := Wishes(strategy.wishes), *bars)
    assert made(found) == made(done) == [(2, "BTC/USDT", "BUY", D(1), D(101))]
    assert strategy.seen == [
        (1, {"BTC/USDT": D(100), "ETH/USDT": D(10)}, frozenset()),
        (2, {"BTC/USDT": D(101), "ETH/USDT": D(10)}, frozenset({"ETH/USDT"})),
        (3, {"BTC/USDT": D(102), "ETH/USDT": D(10)}, frozenset({"ETH/USDT"})),
        (4, {"BTC/USDT": D(103), "ETH/USDT": D(13)}, frozenset()),
    ]


def test_an_order_waits_for_the_next_open_of_its_own_symbol() -> None:
    wish = {"ETH/USDT": Target(quantity=D(1))}
    found = run(
        Wishes([wish]),
        columns("BTC/USDT", [100.0] * 5),
        columns("ETH/USDT", [10.0, 13.0, 14.0], at=(0, 3, 4)),
    )
    assert made(found) == [(3, "ETH/USDT", "BUY", D(1), D(10))]


class Trend(Strategy):
    """Long while the hour's average rises above another symbol's; looks at all it may."""

    def setup(self, on: Setup) -> None:
        self.fast = on.bars().ema(3)
        self.hour = on.bars("5m").sma(2)
        self.other = on.bars("15m", "ETH/USDT").macd(2, 3, 2)
        self.seen: list[tuple[int, float, float, float, float]] = []

    def decide(self, now: View) -> Wish:
        values = (self.fast.value, self.hour.value, self.other.value, self.other.signal)
        self.seen.append((now.time_ns, *values))
        up = self.fast.value > self.hour.value
        return {"BTC/USDT": Target(quantity=D(1)) if up else FLAT, "ETH/USDT": KEEP}


class FedTrend(Trend):
    """The same, fed bar by bar."""

    def setup(self, on: Setup) -> None:
        super().setup(on)
        for key, indicators in on.series.items():
            on.series[key] = [OnlyUpdates(one) for one in indicators]


def holed(symbol: str, seed: int, count: int = 300) -> BarColumns:
    """A walk that misses some minutes."""
    rng, bars = random.Random(seed), walk(count, seed=seed)
    kept = [at for at in range(count) if at in {0, count - 1} or rng.random() < 0.9]
    return columns(symbol, [bars.close[at] for at in kept], at=kept)


@pytest.mark.parametrize("seed", range(5))
def test_columns_of_longer_bars_say_what_bars_fed_one_by_one_say(seed: int) -> None:
    bars = holed("BTC/USDT", seed), holed("ETH/USDT", seed + 100)
    known, fed = Trend(), FedTrend()
    one, other = run(known, *bars, cash=D(100_000)), run(fed, *bars, cash=D(100_000))
    assert len(known.seen) > 200
    assert known.seen == fed.seen
    assert made(one) == made(other) != []


@pytest.mark.parametrize("seed", range(8))
def test_passing_over_bars_changes_nothing(seed: int) -> None:
    bars = holed("BTC/USDT", seed), holed("ETH/USDT", seed + 50)
    options: dict[str, Any] = {"instruments": BOTH, "cash": D(200_000), "terms": Terms()}
    quick = Backtest(Moody(seed=seed), bars, **options).run()
    slow = Attentive(Moody(seed=seed), bars, **options).run()
    assert len(quick.fills) > 20
    assert {fill.symbol for fill in quick.fills} == {"BTC/USDT", "ETH/USDT"}
    assert trades(quick) == trades(slow)
    assert (quick.cash, quick.held) == (slow.cash, slow.held)


def table(bars: BarColumns) -> BarTable:
    frame = pl.DataFrame({name: getattr(bars, name) for name in SCHEMA.names()}, schema=SCHEMA)
    return BarTable(frame, symbol=bars.symbol, bar_s=bars.bar_s)


def test_the_result_has_one_curve_and_every_market() -> None:
    wish = {"BTC/USDT": Target(quantity=D(10)), "ETH/USDT": Target(quantity=D(100))}
    btc = columns("BTC/USDT", [100.0, 110.0, 120.0])
    eth = columns("ETH/USDT", [10.0, 8.0], at=(0, 2))
    found = backtest(Wishes([wish]), [table(btc), table(eth)], fee_bps=0)
    assert found.symbol == "BTC/USDT, ETH/USDT"
    assert list(found.markets[1].close) == [10.0, 10.0, 8.0]
    assert list(found.equity_at_close) == [10_000.0, 10_100.0, 10_000.0]
    assert found.figures.final_equity == D(10_000)
    assert found.figures.buy_hold_return_pct == pytest.approx(0)  # +20 % and -20 %, half each
    assert found.figures.exposure_pct == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("bars", "seen"),
    [
        ([columns("BTC/USDT", [1.0]), columns("BTC/USDT", [1.0])], "each symbol once"),
        ([columns("BTC/USDT", [1.0]), columns("ETH/EUR", [1.0])], "one quote asset"),
        ([columns("BTC/USDT", [1.0]), columns("ETH/USDT", [1.0], at=(7,))], "all of them cover"),
        ([], "at least one"),
    ],
)
def test_bars_that_do_not_go_together_are_refused(bars: list[BarColumns], seen: str) -> None:
    with pytest.raises(ConfigError, match=seen):
        backtest(Wishes([KEEP]), [table(one) for one in bars])
