"""Those that TA-Lib has not follow the definition in their docstring, calculated another way."""

from __future__ import annotations

import math

import polars as pl
import pytest

from holdfast.domain.market import BarColumns
from holdfast.strategy.indicators import Atr, Donchian, Supertrend, Vwap
from tests.unit.strategy.indicators.bars import RECORDINGS, of_closes, recorded, walk


def frame(columns: BarColumns) -> pl.DataFrame:
    names = ("high", "low", "close", "volume")
    return pl.DataFrame({name: getattr(columns, name) for name in names})


def sources() -> list[str]:
    return ["walk", *RECORDINGS]


def columns_of(source: str) -> BarColumns:
    return walk(3_000, 11, still=0.3) if source == "walk" else recorded(source)


@pytest.mark.parametrize("source", sources())
@pytest.mark.parametrize("period", [1, 2, 20])
def test_vwap_is_what_was_paid_over_what_was_traded(source: str, period: int) -> None:
    """Every window is summed for itself: a rolling sum of polars keeps a rest where volume ends."""
    columns = columns_of(source)
    price = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    bars = range(period)
    traded = pl.sum_horizontal(pl.col("volume").shift(at) for at in bars)
    paid = pl.sum_horizontal((price * pl.col("volume")).shift(at) for at in bars)
    expected = (
        frame(columns).select(pl.when(traded > 0).then(paid / traded).otherwise(price)).to_series()
    )
    ours = Vwap(period).over(columns)[0]
    assert all(map(math.isnan, ours[: period - 1]))
    for mine, plain in zip(ours[period - 1 :], expected[period - 1 :], strict=True):
        assert math.isclose(mine, plain, rel_tol=1e-9)


@pytest.mark.parametrize("source", sources())
@pytest.mark.parametrize("period", [1, 2, 20])
def test_donchian_is_the_highest_and_the_lowest(source: str, period: int) -> None:
    columns = columns_of(source)
    expected = frame(columns).select(
        high=pl.col("high").rolling_max(period), low=pl.col("low").rolling_min(period)
    )
    middles, uppers, lowers = Donchian(period).over(columns)
    first = period - 1
    assert uppers[first:] == expected["high"].to_list()[first:]
    assert lowers[first:] == expected["low"].to_list()[first:]
    halves = [(u + o) / 2 for u, o in zip(uppers[first:], lowers[first:], strict=True)]
    assert middles[first:] == halves


def plain_supertrend(
    columns: BarColumns, period: int, multiplier: float
) -> list[tuple[float, float]]:
    """Said the other way round: both bands are kept in full, then the side in force is found."""
    high, low, close = columns.high, columns.low, columns.close
    reach = [multiplier * value for value in Atr(period).over(columns)[0]]
    upper = [(h + o) / 2 + r for h, o, r in zip(high, low, reach, strict=True)]
    lower = [(h + o) / 2 - r for h, o, r in zip(high, low, reach, strict=True)]
    found = [(upper[period], -1.0)]
    for at in range(period + 1, len(close)):
        if not (upper[at] < upper[at - 1] or close[at - 1] > upper[at - 1]):
            upper[at] = upper[at - 1]
        if not (lower[at] > lower[at - 1] or close[at - 1] < lower[at - 1]):
            lower[at] = lower[at - 1]
        was_up = found[-1][1] == 1.0
        is_up = close[at] >= lower[at] if was_up else close[at] > upper[at]
        found.append((lower[at], 1.0) if is_up else (upper[at], -1.0))
    return found


@pytest.mark.parametrize("source", sources())
@pytest.mark.parametrize(("period", "multiplier"), [(1, 0.5), (7, 2.0), (10, 3.0)])
def test_supertrend_follows_its_definition(source: str, period: int, multiplier: float) -> None:
    columns = columns_of(source)
    lines, directions = Supertrend(period, multiplier).over(columns)
    expected = plain_supertrend(columns, period, multiplier)
    assert list(zip(lines[period:], directions[period:], strict=True)) == expected
    assert len(set(directions[period:])) == 2


def test_supertrend_turns_where_a_person_says_it_does() -> None:
    """Range 0 on flat bars, then a rise through the upper band and a fall through the lower."""
    columns = of_closes([10.0, 10.0, 10.0, 14.0, 15.0, 9.0])
    lines, directions = Supertrend(2, 1).over(columns)
    # Ranges: 0, 0, 4, 1, 6; averaged by Wilder from bar 3: 0, 2, 1.5, 3.75.
    assert directions[2:] == [-1.0, 1.0, 1.0, -1.0]
    assert lines[2:] == [10.0, 12.0, 13.5, 12.75]
