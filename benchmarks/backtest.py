"""Bars per second of a backtest: an average's crossing over a million minutes, some 39,000 fills.

Not here: reading the bars (`data`), figures and reports.
"""

from __future__ import annotations

import math
import random
import resource
from decimal import Decimal
from functools import cache

from benchmarks.row import Row
from holdfast.app.research.backtest import Backtest
from holdfast.app.research.front import fine_instrument
from holdfast.app.research.simulated import Run
from holdfast.domain.market import BarColumns, exact
from holdfast.lab.settlement import Terms
from holdfast.strategy import FLAT, Percent, Setup, Strategy, Target, View, Wish
from holdfast.strategy.shipped.rebalance import Rebalance
from holdfast.strategy.shipped.sma_cross import SmaCross
from holdfast.strategy.wish import OneWish

BARS = 1_000_000
LIMITED = "SOL/USDT"
GUARDED = ("BTC/USDT", "ETH/USDT", LIMITED)
GUARDED_CLOSES = 100_000
MINUTE_NS = 60_000_000_000
CASH = Decimal(10_000_000)
LONG = Target(quantity=Decimal(1), stop=Percent(0.6), take_profit=Percent(1.2))


class Guarded(Strategy):
    """Long while averages are crossed: with both exits in two symbols, by limits in a third."""

    fast: int
    slow: int

    def setup(self, on: Setup) -> None:
        self.pairs = [
            (s, on.bars(symbol=s).sma(self.fast), on.bars(symbol=s).sma(self.slow))
            for s in on.symbols
        ]

    def decide(self, now: View) -> Wish:
        wishes: dict[str, OneWish] = {}
        for symbol, fast, slow in self.pairs:
            if fast.value <= slow.value:
                wishes[symbol] = FLAT
            elif symbol == LIMITED:
                wishes[symbol] = _limited(slow.value // 50 * 50)
            else:
                wishes[symbol] = LONG
        return wishes


@cache
def _limited(price: float) -> Target:
    return Target(quantity=Decimal(1), limit=exact(price))


def run() -> list[Row]:
    """Speed of stepping alone, and the memory of the process that did it."""
    crossing = _run(SmaCross(quantity=Decimal(1)), BARS, "BTC/USDT")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Row(
            what=f"sma_cross over {BARS:,} bars, {len(crossing.fills):,} fills",
            unit="bars/s",
            measured=BARS / crossing.run_s,
            at_least=600_000,
        ),
        Row(what="the same: peak memory", unit="MB", measured=peak_mb, at_most=500),
        _guarded(Guarded(fast=10, slow=30)),
        _guarded(Guarded(fast=40, slow=120)),
        _banded(),
    ]


def _guarded(strategy: Guarded) -> Row:
    """What an order costs decides, so it says how many there are."""
    done = _run(strategy, GUARDED_CLOSES, *GUARDED)
    bars = len(GUARDED) * GUARDED_CLOSES
    return Row(
        what=f"exits and limits, averages {strategy.fast}/{strategy.slow}, {len(GUARDED)} symbols, "
        f"{bars:,} bars: {len(done.fills):,} fills, {done.orders:,} orders",
        unit="bars/s",
        measured=bars / done.run_s,
        at_least=150_000,
    )


def _banded() -> Row:
    """Weights are traded back when they leave a band: prices have to be watched at every close."""
    done = _run(Rebalance(band=0.02), GUARDED_CLOSES, *GUARDED)
    bars = len(GUARDED) * GUARDED_CLOSES
    return Row(
        what=f"rebalance in a band of 2 %, {len(GUARDED)} symbols, {bars:,} bars: "
        f"{len(done.fills)} fills",
        unit="bars/s",
        measured=bars / done.run_s,
        at_least=150_000,
    )


def _run(strategy: Strategy, bars: int, *symbols: str) -> Run:
    return Backtest(
        strategy,
        [columns(bars, symbol, seed) for seed, symbol in enumerate(symbols, start=42)],
        instruments=[fine_instrument(symbol) for symbol in symbols],
        cash=CASH,
        terms=Terms(),
    ).run()


def columns(count: int, symbol: str = "BTC/USDT", seed: int = 42) -> BarColumns:
    """A seeded walk; each bar opens where the one before closed."""
    rng, level = random.Random(seed), 0.0
    closes: list[float] = []
    for _ in range(count):
        level += rng.gauss(0, 0.0005)
        closes.append(round(30_000 * math.exp(level), 2))
    opens = [30_000.0, *closes[:-1]]
    pairs = list(zip(opens, closes, strict=True))
    return BarColumns(
        symbol,
        60,
        [at * MINUTE_NS for at in range(count)],
        opens,
        [round(max(pair) * 1.0002, 2) for pair in pairs],
        [round(min(pair) * 0.9998, 2) for pair in pairs],
        closes,
        [1.0] * count,
    )


if __name__ == "__main__":
    for row in run():
        print(row)
