"""Backtests as tests compare them: a market, moods, and a run that passes over nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from holdfast.app.research.backtest import Backtest
from holdfast.app.research.simulated import Run
from holdfast.domain.instrument import Instrument
from holdfast.domain.market import BarColumns, exact
from holdfast.lab.settlement import Terms
from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Strategy, Target, View, Wish

MINUTE_NS = 60_000_000_000
D = Decimal
BTC = Instrument(
    symbol="BTC/USDT",
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=D("0.01"),
    quantity_step=D("0.00001"),
    min_quantity=D("0.00001"),
    max_quantity=D(1000),
    min_notional=D(5),
)


def bars_of(closes: Sequence[float], spread: float = 1.0) -> BarColumns:
    """Each bar opens where the last one closed."""
    opens = [closes[0], *closes[:-1]]
    return BarColumns(
        "BTC/USDT",
        60,
        [i * MINUTE_NS for i in range(len(closes))],
        opens,
        [max(pair) + spread for pair in zip(opens, closes, strict=True)],
        [min(pair) - spread for pair in zip(opens, closes, strict=True)],
        list(closes),
        [1.0] * len(closes),
    )


def walk(count: int, seed: int = 1) -> BarColumns:
    rng, price, closes = random.Random(seed), 30_000.0, []
    for _ in range(count):
        price = round(price * (1 + rng.gauss(0, 0.002)), 2)
        closes.append(price)
    return bars_of(closes)


def run(strategy: Strategy, bars: BarColumns, **options: Any) -> Run:
    chosen = {"instruments": (BTC,), "cash": D(1_000_000), "terms": Terms(), **options}
    return Backtest(strategy, (bars,), **chosen).run()


def trades(found: Run) -> list[tuple[int, str, str]]:
    made = zip(found.fill_times, found.fills, strict=True)
    return [(at, fill.side.value, str(fill.price)) for at, fill in made]


class Attentive(Backtest):
    """Passes over no bar: the engine takes each one in."""

    def _over_closes(self) -> None:
        self._settled.sees_all, self._may_go_short = True, False
        super()._over_closes()


class Moody(Strategy):
    """Wishes by the noise of the closes: every kind of wish, in each of its symbols, often none."""

    seed: int = 0

    def decide(self, now: View) -> Wish:
        rng = random.Random(f"{self.seed} {[bar.close for bar in now.bars.values()]}")
        if rng.random() < 0.7:
            return KEEP
        return {symbol: _mood(rng, bar.close) for symbol, bar in now.bars.items()}


def _mood(rng: random.Random, close: Decimal) -> Any:
    stop = rng.choice([None, Percent(1), Percent(3)])
    return rng.choice(
        [
            KEEP,
            FLAT,
            Target(quantity=D(rng.randrange(3)), stop=stop, take_profit=Percent(1)),
            Target(weight=rng.choice([0.2, 0.6]), stop=stop, trail=stop is not None),
            Target(weight=0.4, band=rng.choice([0, 0.02])),
            Target(quantity=D(1), limit=exact(round(float(close) * 0.999, 2))),
            Target(amount=D(5000), cap=Percent(0.05), episode=str(rng.randrange(3))),
            Quotes(bids=[Level(close * D("0.998"), D("0.5"))]),
        ]
    )


class OnlyUpdates:
    """An author's own indicator: it can be fed, and nothing else."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.warmup = inner.warmup

    @property
    def value(self) -> float:
        return float(self._inner.value)

    @property
    def ready(self) -> bool:
        return bool(self._inner.ready)

    def update(self, bar: Any) -> None:
        self._inner.update(bar)
