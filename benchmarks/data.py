"""How long a million candles take from a file to the table that a backtest uses, judged on the way.

Not here: reading row by row (`markets`), backtests.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl

from benchmarks.row import Row
from holdfast import BarTable, load

BARS = 1_000_000
ROUNDS = 7
_START_MS = 1_600_000_000_000


def run() -> list[Row]:
    """Medians of processor time, of all threads together: an idle machine waits no longer.

    The files are in the page cache; their hash is part of the time.
    """
    with tempfile.TemporaryDirectory() as folder:
        frame = _candles()
        csv, parquet = Path(folder) / "BTC_USDT-1m.csv", Path(folder) / "BTC_USDT-1m.parquet"
        frame.write_csv(csv)
        frame.write_parquet(parquet)
        table = load(parquet)
        loads = [
            Row(what="data: 1M candles from Parquet", unit="s", at_most=0.2,
                measured=_median_s(lambda: load(parquet))),
            Row(what="data: 1M candles from CSV", unit="s", at_most=1.5,
                measured=_median_s(lambda: load(csv))),
        ]  # fmt: skip
    return [
        *loads,
        Row(what="data: 1M minutes to hours", unit="s",
            measured=_median_s(lambda: table.resample("1h"))),
    ]  # fmt: skip


def _candles() -> pl.DataFrame:
    """A walk in cents, with volumes of five decimals, as an exchange writes them."""
    number = pl.int_range(BARS)
    step = (number * 7919 % 2001 - 1000).cast(pl.Int64)
    close = 6_000_000 + step.cum_sum() % 500_000
    opened = close.shift(1, fill_value=6_000_000)
    above, below = number * 31 % 500, number * 37 % 500
    units = pl.select(
        (number * 60_000 + _START_MS).alias("time"),
        opened.alias("open"),
        (pl.max_horizontal(opened, close) + above).alias("high"),
        (pl.min_horizontal(opened, close) - below).alias("low"),
        close.alias("close"),
        (number * 104_729 % 10_000_000 * 1000).alias("volume"),
    )
    # By way of text: a quotient of polars may be off by a bit, and would be written with 17 digits.
    places = {"open": 2, "high": 2, "low": 2, "close": 2, "volume": 8}
    return units.with_columns(
        pl.col(name).cast(pl.Decimal(30, 0)).mul(pl.lit(Decimal(1).scaleb(-digits)))
        .cast(pl.String).cast(pl.Float64)
        for name, digits in places.items()
    )  # fmt: skip


def _median_s(work: Callable[[], BarTable]) -> float:
    taken_s = []
    for _ in range(ROUNDS):
        gc.collect()
        started_s = time.process_time()
        table = work()
        taken_s.append(time.process_time() - started_s)
        assert len(table) > 0
    return statistics.median(taken_s)
