"""What is written in decimal text is read to the last digit, whatever the file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.money import plain
from holdfast.market.read import open_recording

START_MS = 1_723_118_400_000

numbers = st.decimals(
    min_value=Decimal("0.00000001"), max_value=Decimal(10_000_000), places=8, allow_nan=False
)
rows = st.lists(st.tuples(numbers, numbers, st.booleans()), min_size=1, max_size=20)
floats = st.floats(min_value=1e-8, max_value=1e9, allow_nan=False)


@contextmanager
def folder() -> Iterator[Path]:
    """Of its own for each example: hypothesis runs many within one test."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=100, deadline=None)
@given(rows)
def test_text_is_read_exactly(trades: list[tuple[Decimal, Decimal, bool]]) -> None:
    lines = [
        f"{START_MS + n},{plain(price)},{plain(quantity)},{sold}"
        for n, (price, quantity, sold) in enumerate(trades)
    ]
    with folder() as place:
        csv = place / "BTCUSDT.csv"
        csv.write_text("\n".join(["time,price,qty,is_buyer_maker", *lines]))
        found = list(open_recording(csv).trades())

    assert [(row.price, row.quantity, row.buyer_is_maker) for row in found] == trades


@settings(max_examples=100, deadline=None)
@given(rows)
def test_numbers_in_json_are_read_exactly(trades: list[tuple[Decimal, Decimal, bool]]) -> None:
    records = ",".join(
        f'{{"timestamp":{START_MS + n},"price":{plain(price)},"amount":{plain(quantity)},'
        f'"side":"{"sell" if sold else "buy"}"}}'
        for n, (price, quantity, sold) in enumerate(trades)
    )
    with folder() as place:
        path = place / "BTC_USDT-trades.json"
        path.write_text(f"[{records}]")
        found = list(open_recording(path).trades())

    assert [(row.price, row.quantity, row.buyer_is_maker) for row in found] == trades


@settings(max_examples=100, deadline=None)
@given(st.lists(floats, min_size=1, max_size=20))
def test_a_float_is_read_as_the_text_that_means_it(prices: list[float]) -> None:
    with folder() as place:
        path = place / "BTC_USDT-trades.parquet"
        times = [START_MS + n for n in range(len(prices))]
        pl.DataFrame({"timestamp": times, "price": prices, "qty": prices}).write_parquet(path)
        found = list(open_recording(path).trades())

    assert [row.price for row in found] == [Decimal(repr(price)) for price in prices]
    assert [float(row.quantity) for row in found] == prices
