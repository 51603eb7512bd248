"""Bars per second of a backtest: an average's crossing over a million minutes, some 39,000 fills.

Not here: reading the bars (`data`), figures and reports.
"""

from __future__ import annotations

import math
import random
import resource
from decimal import Decimal

from benchmarks.row import Row
from holdfast.app.backtest import Backtest, Run
from holdfast.app.research import fine_instrument
from holdfast.domain.market import BarColumns
from holdfast.lab.bar_venue import Terms
from holdfast.strategy import FLAT, Percent, Setup, Strategy, Target, View, Wish
from holdfast.strategy.shipped.sma_cross import SmaCross

BARS = 1_000_000
GUARDED_BARS = 200_000
MINUTE_NS = 60_000_000_000
CASH = Decimal(10_000_000)


class Guarded(Strategy):
    """Long above an average, with a stop and a take-profit; a new episode each hour."""

    def setup(self, on: Setup) -> None:
        self.mean = on.bars().sma(30)

    def decide(self, now: View) -> Wish:
        bar = now.bar
        if float(bar.close) < self.mean.value:
            return FLAT
        hour = str(bar.close_ns // (60 * MINUTE_NS))
        return Target(
            quantity=Decimal(1), stop=Percent(0.3), take_profit=Percent(0.5), episode=hour
        )


def run() -> list[Row]:
    """Speed of stepping alone, and the memory of the process that did it."""
    crossing = _run(SmaCross(quantity=Decimal(1)), BARS)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    guarded = _run(Guarded(), GUARDED_BARS)
    return [
        Row(
            what=f"sma_cross over {BARS:,} bars, {len(crossing.fills):,} fills",
            unit="bars/s",
            measured=BARS / crossing.run_s,
            at_least=600_000,
        ),
        Row(what="the same: peak memory", unit="MB", measured=peak_mb, at_most=500),
        Row(
            what=f"stop and take-profit over {GUARDED_BARS:,} bars, {len(guarded.fills):,} fills",
            unit="bars/s",
            measured=GUARDED_BARS / guarded.run_s,
            at_least=150_000,
        ),
    ]


def _run(strategy: Strategy, bars: int) -> Run:
    return Backtest(
        strategy,
        (columns(bars),),
        instruments=(fine_instrument("BTC/USDT"),),
        cash=CASH,
        terms=Terms(),
    ).run()


def columns(count: int, seed: int = 42) -> BarColumns:
    """A seeded walk; each bar opens where the one before closed."""
    rng, level = random.Random(seed), 0.0
    closes: list[float] = []
    for _ in range(count):
        level += rng.gauss(0, 0.0005)
        closes.append(round(30_000 * math.exp(level), 2))
    opens = [30_000.0, *closes[:-1]]
    pairs = list(zip(opens, closes, strict=True))
    return BarColumns(
        "BTC/USDT",
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
