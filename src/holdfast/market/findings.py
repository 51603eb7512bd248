"""What is found in a file or in the catalogue: how much, from when to when, and what is missing.

Not here: finding it (`intake`), or doing anything about it.
"""

from __future__ import annotations

import msgspec
import polars as pl

from holdfast.domain.timeframe import timeframe_text
from holdfast.market.bar_table import SCHEMA, BarTable, Gap
from holdfast.market.columns import Kind
from holdfast.market.intake import Intake
from holdfast.market.rules import Fault
from holdfast.market.stamp import iso

# A file in which every row is bad has one reason, not a million.
TOLD_FAULTS = 100


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """One file or catalogue entry, in numbers.

    Attributes:
        kind: `bars` or `trades`.
        timeframe: of its candles, empty for trades.
        rows: all of them, good and bad.
        first, last: when the first and the last usable row opened or traded, ISO 8601 UTC; None
            where no row is usable.
        gaps: holes between usable rows; of trades, where their ids leave some out.
        duplicates: rows that stand there a second time.
        bad_rows: rows that break a rule, or lie before one above them.
        faults: the first hundred of both, by row.
    """

    kind: str
    symbol: str
    timeframe: str
    rows: int
    first: str | None
    last: str | None
    gaps: list[Gap]
    duplicates: int = 0
    bad_rows: int = 0
    faults: list[Fault] = []

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return not (self.gaps or self.duplicates or self.bad_rows)


def findings_of(intake: Intake) -> Findings:
    """What a file holds and what is wrong with it."""
    is_bars = intake.kind is Kind.BARS
    times = intake.good["open_ns" if is_bars else "time_ns"]
    return Findings(
        kind=intake.kind.value,
        symbol=intake.symbol,
        timeframe=timeframe_text(intake.bar_s) if is_bars else "",
        rows=intake.rows,
        first=iso(times[0]) if len(times) else None,
        last=iso(times[-1]) if len(times) else None,
        gaps=_gaps(intake) if len(times) else [],
        duplicates=len(intake.duplicates),
        bad_rows=len(intake.bad) + len(intake.misplaced),
        faults=intake.faults[:TOLD_FAULTS],
    )


def _gaps(intake: Intake) -> list[Gap]:
    if intake.kind is Kind.TRADES:
        return gaps_in_ids(intake.good)
    table = BarTable(
        intake.good.select(SCHEMA.names()), symbol=intake.symbol, bar_s=intake.bar_s
    )
    return table.gaps()


def gaps_in_ids(trades: pl.DataFrame) -> list[Gap]:
    """Where ids of trades leave some out; none where ids are not recorded, or not numbered."""
    if "id" not in trades.columns or trades["id"].null_count():
        return []
    wide = trades.select(
        "time_ns", "id", pl.col("time_ns").shift(1).alias("before_ns"),
        pl.col("id").diff().alias("step"),
    ).filter(pl.col("step").is_not_null() & (pl.col("step") != 1))  # fmt: skip
    if (wide["step"] < 1).any():
        return []
    return [
        Gap(iso(before_ns), iso(at_ns), step - 1)
        for at_ns, _, before_ns, step in wide.iter_rows()
    ]
