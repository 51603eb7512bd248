"""TA-Lib's numbers, within 1e-9 of each, on recordings and on seeded walks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from holdfast.domain.market import BarColumns
from holdfast.strategy.indicators import (
    Adx,
    Atr,
    Bollinger,
    Donchian,
    Ema,
    Macd,
    Rsi,
    Shipped,
    Sma,
)
from tests.unit.strategy.indicators.bars import RECORDINGS, recorded, walk

Array = NDArray[np.float64]
Reference = Callable[[Array, Array, Array], tuple[Array, ...]]

WALKS: dict[str, Callable[[], BarColumns]] = {
    "walk": lambda: walk(5_000, 1),
    "walk of a cheap coin that hardly trades": lambda: walk(5_000, 2, price=1e-8, still=0.6),
    "walk from a million": lambda: walk(5_000, 3, price=1e6),
}


@cache
def columns_of(source: str) -> BarColumns:
    return WALKS[source]() if source in WALKS else recorded(source)


def bands(close: Array, period: int, width: float) -> tuple[Array, ...]:
    upper, middle, lower = talib.BBANDS(close, period, width, width)
    return middle, upper, lower


def channel(high: Array, low: Array, period: int) -> tuple[Array, ...]:
    upper, lower = talib.MAX(high, period), talib.MIN(low, period)
    return (upper + lower) / 2, upper, lower


def directions(high: Array, low: Array, close: Array, period: int) -> tuple[Array, ...]:
    given = (high, low, close, period)
    return talib.ADX(*given), talib.PLUS_DI(*given), talib.MINUS_DI(*given)


CASES: list[tuple[Shipped, Reference]] = [
    (Sma(1), lambda high, low, close: (talib.SMA(close, 1),)),
    (Sma(20), lambda high, low, close: (talib.SMA(close, 20),)),
    (Sma(100), lambda high, low, close: (talib.SMA(close, 100),)),
    (Ema(1), lambda high, low, close: (talib.EMA(close, 1),)),
    (Ema(21), lambda high, low, close: (talib.EMA(close, 21),)),
    (Rsi(2), lambda high, low, close: (talib.RSI(close, 2),)),
    (Rsi(14), lambda high, low, close: (talib.RSI(close, 14),)),
    (Atr(1), lambda high, low, close: (talib.ATR(high, low, close, 1),)),
    (Atr(14), lambda high, low, close: (talib.ATR(high, low, close, 14),)),
    (Bollinger(2, 1), lambda high, low, close: bands(close, 2, 1.0)),
    (Bollinger(20, 2), lambda high, low, close: bands(close, 20, 2.0)),
    (Bollinger(50, 2.5), lambda high, low, close: bands(close, 50, 2.5)),
    (Macd(2, 3, 1), lambda high, low, close: talib.MACD(close, 2, 3, 1)),
    (Macd(12, 26, 9), lambda high, low, close: talib.MACD(close, 12, 26, 9)),
    (Adx(2), lambda high, low, close: directions(high, low, close, 2)),
    (Adx(14), lambda high, low, close: directions(high, low, close, 14)),
    (Donchian(2), lambda high, low, close: channel(high, low, 2)),
    (Donchian(20), lambda high, low, close: channel(high, low, 20)),
]


@pytest.mark.parametrize("source", [*WALKS, *RECORDINGS])
@pytest.mark.parametrize(("indicator", "reference"), CASES, ids=[repr(one) for one, _ in CASES])
def test_it_equals_ta_lib_from_the_bar_of_its_warm_up_on(
    indicator: Shipped, reference: Reference, source: str
) -> None:
    columns = columns_of(source)
    high, low, close = (np.array(one) for one in (columns.high, columns.low, columns.close))
    expected = reference(high, low, close)
    first = indicator.warmup - 1
    assert np.argmax(~np.isnan(expected[0])) == first
    for name, ours, theirs in zip(
        indicator.outputs, indicator.over(columns), expected, strict=True
    ):
        assert all(map(math.isnan, ours[:first])), name
        np.testing.assert_allclose(ours[first:], theirs[first:], rtol=1e-9, atol=0, err_msg=name)
