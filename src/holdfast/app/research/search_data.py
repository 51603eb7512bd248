"""The bars of a search: of one symbol or several, cut by time, read by all of its processes.

Lives here: how the bars are shared. Each symbol is one Arrow file that every process reads once,
and unfolds a window of once, however many runs that serves. Not here: the runs (search_runs).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl

from holdfast.domain.market import NS_PER_S, BarColumns
from holdfast.market.bar_table import BarTable

# Numbers of closes: the first, and one after the last.
Span = tuple[int, int]


class Shared(msgspec.Struct, frozen=True):
    """One symbol's bars in a file, as a process is told of them."""

    file: str
    symbol: str
    bar_s: int
    sha256: str

    def read(self) -> BarTable:
        """The bars."""
        frame = pl.read_ipc(self.file)
        return BarTable(frame, symbol=self.symbol, bar_s=self.bar_s, sha256=self.sha256)


class SearchData:
    """Bars of each symbol, the bot's own first. Spans count the closes of any of them."""

    def __init__(self, tables: Sequence[BarTable]) -> None:
        """Take tables that go together (`research.require_alike`)."""
        self.tables = tables
        self._opens = pl.concat([table.frame["open_ns"] for table in tables]).unique().sort()

    def __len__(self) -> int:
        return len(self._opens)

    def times_ns(self, span: Span) -> tuple[int, int]:
        """When the first bar of a span opens, and when its last one closes."""
        length_ns = self.tables[0].bar_s * NS_PER_S
        return int(self._opens[span[0]]), int(self._opens[span[1] - 1]) + length_ns

    def cut(self, span: Span) -> list[BarTable]:
        """The bars of a span; a symbol may have none there."""
        first_ns, end_ns = self.times_ns(span)
        found = []
        for table in self.tables:
            opens = table.frame["open_ns"]
            start, stop = opens.search_sorted(first_ns), opens.search_sorted(end_ns)
            found.append(_like(table, table.frame.slice(start, stop - start)))
        return found

    def first_bars(self) -> list[BarTable]:
        """The first bar of each symbol, as if they had closed together."""
        opened = self.tables[0].frame["open_ns"][0]
        return [
            _like(table, table.frame.head(1).with_columns(open_ns=pl.lit(opened, pl.Int64)))
            for table in self.tables
        ]

    def share(self, folder: Path) -> list[Shared]:
        """Write the bars for other processes."""
        found = []
        for number, table in enumerate(self.tables):
            file = folder / f"{number}.arrow"
            table.frame.write_ipc(file, compression="uncompressed")
            found.append(Shared(str(file), table.symbol, table.bar_s, table.sha256))
        return found


class Unfolded(BarTable):
    """A table that keeps its columns as lists, which every run only reads."""

    __slots__ = ("_columns",)

    def __init__(self, table: BarTable) -> None:
        """Unfold them now."""
        super().__init__(
            table.frame, symbol=table.symbol, bar_s=table.bar_s, sha256=table.sha256,
            source=table.source,
        )  # fmt: skip
        self._columns = super().columns()

    def columns(self) -> BarColumns:
        """The same lists each time."""
        return self._columns


def _like(table: BarTable, frame: pl.DataFrame) -> BarTable:
    return BarTable(
        frame, symbol=table.symbol, bar_s=table.bar_s, sha256=table.sha256, source=table.source
    )
