"""The simple average is the mean and goes on being it; still markets; the seeds of recursive ones.

Not here: equality with TA-Lib (test_reference).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import pytest

from holdfast.domain.market import Bar, BarColumns
from holdfast.strategy.indicators import Atr, Bollinger, Ema, Macd, Rsi, Shipped, Sma, Vwap
from tests.unit.strategy.indicators.bars import exact_bar, fed, float_bars, of_closes, walk


@pytest.mark.parametrize("period", [1, 2, 3, 7])
def test_it_is_the_mean_of_the_last_closes_and_undefined_before(period: int) -> None:
    sma = Sma(period)
    closes = [str(100 + (7 * i) % 11) for i in range(30)]
    for number, close in enumerate(closes, 1):
        sma.update(exact_bar(close))
        assert sma.ready == (number >= period)
        if sma.ready:
            last = [float(c) for c in closes[number - period : number]]
            assert math.isclose(sma.value, math.fsum(last) / period, rel_tol=1e-12)
        else:
            assert math.isnan(sma.value)
    assert sma.warmup == period


def plain_mean(columns: BarColumns, window: slice) -> float:
    closes = columns.close[window]
    return math.fsum(closes) / len(closes)


def from_bar(columns: BarColumns, first: int) -> BarColumns:
    kept = (getattr(columns, name)[first:] for name in columns.__struct_fields__[2:])
    return BarColumns(columns.symbol, columns.bar_s, *kept)


def plain_deviation(columns: BarColumns, window: slice) -> float:
    closes, mean = columns.close[window], plain_mean(columns, window)
    return math.sqrt(math.fsum((close - mean) * (close - mean) for close in closes) / len(closes))


def plain_vwap(columns: BarColumns, window: slice) -> float:
    volumes = columns.volume[window]
    if not any(volumes):
        last: int = window.stop - 1
        return (columns.high[last] + columns.low[last] + columns.close[last]) / 3
    sides = (columns.high[window], columns.low[window], columns.close[window])
    prices = [(high + low + close) / 3 for high, low, close in zip(*sides, strict=True)]
    paid = math.fsum(price * volume for price, volume in zip(prices, volumes, strict=True))
    return paid / math.fsum(volumes)


STEP = 2_477


@functools.cache
def long() -> BarColumns:
    return walk(250_000, 7, price=50_000.0)


@pytest.mark.parametrize(
    ("indicator", "plain"),
    [(Sma(50), plain_mean), (Bollinger(50), plain_mean), (Vwap(50), plain_vwap)],
    ids=["sma", "bollinger", "vwap"],
)
def test_many_bars_leave_no_rounding_behind(
    indicator: Shipped, plain: Callable[[BarColumns, slice], float]
) -> None:
    values = indicator.over(long())[0]
    for end in (*range(50, len(long()), STEP), len(long())):
        assert math.isclose(values[end - 1], plain(long(), slice(end - 50, end)), rel_tol=1e-12)


def test_nor_do_the_widths_of_bands() -> None:
    middles, uppers, lowers = Bollinger(50, 1).over(long())
    for end in (*range(50, len(long()), STEP), len(long())):
        width = plain_deviation(long(), slice(end - 50, end))
        assert math.isclose(uppers[end - 1] - middles[end - 1], width, rel_tol=1e-8)
        assert math.isclose(middles[end - 1] - lowers[end - 1], width, rel_tol=1e-8)


@pytest.mark.parametrize(
    ("indicator", "later"),
    [(Sma(7), 7 * 37), (Sma(300), 300), (Bollinger(7), 7), (Vwap(7), 7)],
    ids=repr,
)
def test_what_was_long_ago_has_no_influence_so_no_length_can_make_it_drift(
    indicator: Shipped, later: int
) -> None:
    """The same bits as one that started whole rounds later: ten million bars are as one round."""
    columns = walk(6_000, 5)
    later *= 4
    tail = from_bar(columns, later)
    warmup = indicator.warmup
    for whole, part in zip(indicator.over(columns), indicator.over(tail), strict=True):
        assert [v.hex() for v in whole[later + warmup :]] == [v.hex() for v in part[warmup:]]


@pytest.mark.parametrize("indicator", [Ema(20), Macd(), Rsi(14), Atr(14)], ids=repr)
def test_recursive_ones_forget_their_start(indicator: Shipped) -> None:
    columns = walk(6_000, 5)
    tail = from_bar(columns, 3_000)
    for whole, part in zip(indicator.over(columns), indicator.over(tail), strict=True):
        assert math.isclose(whole[-1], part[-1], rel_tol=1e-9)


@pytest.mark.parametrize("close", [0.1, 1 / 3, 61_234.56, 1.23e-7])
def test_averages_of_a_market_that_stands_still_are_its_price(close: float) -> None:
    """Or two of them would cross by a rounding, and a strategy trade on it."""
    moving = walk(333, 9, price=close).close
    columns = of_closes([*moving, *[close] * 60])
    for period in (2, 3, 7, 10, 49, 60):
        assert Sma(period).over(columns)[0][-1] == close
        assert fed(Sma(period), float_bars(columns))[0][-1] == close
        assert [out[-1] for out in Bollinger(period).over(columns)] == [close] * 3
        assert Vwap(period).over(columns)[0][-1] == pytest.approx(close, rel=1e-15)
    still = of_closes([close] * 60)
    assert set(Ema(49).over(still)[0][48:]) == {close}
    assert [out[-1] for out in Macd(12, 26, 9).over(still)] == [0.0] * 3


def test_an_outlier_that_has_left_the_window_leaves_nothing_behind() -> None:
    columns = of_closes([100.0 + at % 3 for at in range(50)] + [1e15] + [100.0] * 60)
    assert [out[-1] for out in Bollinger(20).over(columns)] == [100.0] * 3
    assert Vwap(20).over(columns)[0][-1] == 100.0


def test_rsi_is_0_where_nothing_ever_moved_and_100_where_nothing_fell() -> None:
    assert Rsi(14).over(of_closes([5.0] * 30))[0][-1] == 0.0
    assert Rsi(14).over(of_closes([float(at) for at in range(1, 30)]))[0][-1] == 100.0


def test_a_real_bar_is_taken_as_the_float_that_it_shows() -> None:
    atr = Atr(1)
    for high, low in (("10.5", "9.5"), ("12.25", "10.75")):
        bar = exact_bar("10")
        atr.update(Bar(bar.symbol, 0, 1, bar.open, type(bar.open)(high), type(bar.open)(low),
                       bar.close, bar.volume))  # fmt: skip
    assert atr.value == 2.25
