"""Bars on their way to indicators: longer ones are those that a table of the same bars makes."""

from __future__ import annotations

import random
from decimal import Decimal

import polars as pl
import pytest

from holdfast.domain.market import NS_PER_S, Bar
from holdfast.market.bar_table import SCHEMA, BarTable
from holdfast.strategy import Setup, Strategy, Target, View, Wish, play
from holdfast.strategy.feed import Feed, Longer
from holdfast.strategy.play import bars_of


def minutes(seed: int, count: int = 400) -> list[Bar]:
    """Minutes of a market that begins somewhere in an hour, with holes of all lengths."""
    source = random.Random(seed)
    at, bars = source.randrange(10_000), list[Bar]()
    while len(bars) < count:
        open_ns = (1_700_000_040 + 60 * at) * NS_PER_S
        low = Decimal(source.randrange(100, 200))
        high = low + source.randrange(1, 50)
        volume = Decimal(source.randrange(1, 10**6)) / 1000
        closed = open_ns + 60 * NS_PER_S
        bars.append(Bar("BTC/USDT", open_ns, closed, low, high, low, high - 1, volume))
        at += 1 if source.random() < 0.9 else source.randrange(1, 200)
    return bars


def table(bars: list[Bar]) -> BarTable:
    rows = [
        (b.open_ns, *(float(x) for x in (b.open, b.high, b.low, b.close, b.volume))) for b in bars
    ]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return BarTable(frame, symbol="BTC/USDT", bar_s=60)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("timeframe_s", [300, 3600, 86_400])
def test_longer_bars_are_those_of_the_table(seed: int, timeframe_s: int) -> None:
    bars = minutes(seed)
    builder = Longer(timeframe_s)
    built = [longer for bar in bars for longer in builder.take(bar)]
    expected = list(table(bars).resample(timeframe_s).bars())
    # The table knows where the data end; the last one may wait for a bar that never comes.
    assert built in (expected, expected[:-1])


class Hourly(Strategy):
    """Looks at minutes and at hours."""

    def setup(self, on: Setup) -> None:
        self.minute = on.bars().sma(2)
        self.hour = on.bars("1h").sma(2)
        self.seen: list[tuple[float, float]] = []

    def decide(self, now: View) -> Wish:
        self.seen.append((self.minute.value, self.hour.value))
        return Target(quantity=Decimal(0))


def test_an_hourly_indicator_shows_the_last_hour_that_has_closed() -> None:
    strategy = Hourly()
    on = Setup()
    strategy.setup(on)
    assert Feed(on).warmup_bars == 2 * 60 + 59
    played = play(Hourly(), bars=bars_of(range(1, 301)))
    assert played.first == 119  # two whole hours, which this series happens to begin with
    assert len(played.wishes) == 181


def test_what_is_declared_must_be_the_bots_to_have() -> None:
    on = Setup(("BTC/USDT", "ETH/USDT"), 300)
    on.bars("15m", "ETH/USDT").sma(3)
    assert list(on.series) == [("ETH/USDT", 900)]
    for timeframe in ("1m", "7m"):
        with pytest.raises(ValueError, match="expected: 5m or a multiple of it"):
            on.bars(timeframe)
    with pytest.raises(ValueError, match="one of the bot's symbols, BTC/USDT, ETH/USDT"):
        on.bars(symbol="SOL/USDT")
