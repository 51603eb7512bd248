"""Whole columns and single rows say the same: files, candles, sums, decimals."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.market import Bar, Trade
from holdfast.market import exact
from holdfast.market.candles import CandleBuilder, candles_of
from holdfast.market.intake import Told
from holdfast.market.load import load_bars
from holdfast.market.read import open_recording

START_MS = 1_723_118_400_000

# Up to 15 digits, as exchanges write them.
prices = st.decimals("0.00000001", "9999999", places=8).map(lambda price: price.normalize())
volumes = st.decimals("0", "99999999", places=5)


@st.composite
def candles(draw: st.DrawFn) -> str:
    """A CSV of some minutes, with holes."""
    rows = []
    at = 0
    for _ in range(draw(st.integers(2, 12))):
        low, first, second, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
        opened, close = (first, second) if draw(st.booleans()) else (second, first)
        numbers = (opened, high, low, close, draw(volumes))
        rows.append(f"{START_MS + at * 60_000}," + ",".join(f"{number:f}" for number in numbers))
        at += draw(st.sampled_from([1, 1, 1, 2, 7]))
    return "\n".join(["time,open,high,low,close,volume", *rows])


@given(candles())
def test_a_table_is_what_the_row_reader_reads_to_the_last_digit(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTC_USDT-1m.csv"
        path.write_text(text)
        table = load_bars(path, Told())
        rows = list(open_recording(path, bar_s=table.bar_s).bars())
    assert list(table.bars()) == rows


@st.composite
def tapes(draw: st.DrawFn) -> list[Trade]:
    at_ns = START_MS * 10**6
    tape = []
    for _ in range(draw(st.integers(1, 40))):
        at_ns += draw(st.integers(0, 90)) * 10**9
        price, quantity = draw(prices), draw(st.decimals("0.00001", "9999", places=5))
        tape.append(Trade(at_ns, "BTC/USDT", price, quantity, False))
    return tape


@given(tapes(), st.sampled_from([1, 60, 300, 86_400]))
def test_a_column_of_trades_builds_what_single_trades_build(tape: list[Trade], bar_s: int) -> None:
    builder = CandleBuilder("BTC/USDT", bar_s)
    bars = [bar for trade in tape if (bar := builder.add(trade))]
    last = builder.close(tape[-1].at_ns + bar_s * 10**9)
    assert last is not None
    columns = pl.DataFrame({
        "time_ns": [trade.at_ns for trade in tape],
        "price": [float(trade.price) for trade in tape],
        "quantity": [float(trade.quantity) for trade in tape],
    })
    built = candles_of(columns, bar_s)
    assert [numbers(bar) for bar in [*bars, last]] == built.rows()


def numbers(bar: Bar) -> tuple[float, ...]:
    exact = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return (bar.open_ns, *(float(number) for number in exact))


@given(st.lists(st.decimals("0", "99999999", places=6), min_size=1, max_size=50))
def test_sums_are_those_of_the_decimals(parts: list[Decimal]) -> None:
    frame = pl.DataFrame({
        "by": pl.Series([number // 3 for number in range(len(parts))]),
        "value": pl.Series([float(part) for part in parts], dtype=pl.Float64),
    })
    expected = [float(sum(parts[at : at + 3], Decimal(0))) for at in range(0, len(parts), 3)]
    assert exact.sums(frame, "by", "value").to_list() == expected


@given(st.integers(1, 10**15 - 1), st.integers(-12, 3))
def test_fifteen_digits_survive(digits: int, exponent: int) -> None:
    text = f"{Decimal(digits).scaleb(exponent):f}"
    assert exact.survives(text)
    assert Decimal(repr(float(text))) == Decimal(text)


@given(st.floats(1e-8, 1e12), st.integers(0, 25))
def test_what_survives_can_be_told_from_what_does_not(value: float, places: int) -> None:
    text = f"{value:.{places}f}"
    shortest = Decimal(repr(float(text)))
    if exact.survives(text):
        # Either exactly, or but for dust far below the digits.
        assert abs(shortest - Decimal(text)) <= abs(shortest) * Decimal("1e-15")
    else:
        assert shortest != Decimal(text)
