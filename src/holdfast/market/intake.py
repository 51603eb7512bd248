"""What a file holds and what is wrong with it, row by row: candles or trades, judged as columns.

Nothing is repaired: `load` refuses what is wrong, `data import --skip-bad` leaves it out and says
so, `data check` counts it. Not here: cells (`cells`), their values (`times`, `numbers`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path

import msgspec
import polars as pl

from holdfast.domain.timeframe import timeframe_s, timeframe_text
from holdfast.errors import ConfigError
from holdfast.market import names, rules
from holdfast.market.cells import ROW, Cells, read_cells, read_file
from holdfast.market.columns import Kind, Layout
from holdfast.market.numbers import to_floats
from holdfast.market.raw_messages import looks_raw
from holdfast.market.read import (
    day_ns_of,
    layout_of,
    open_recording,
    symbol_of,
    unified_symbol,
)
from holdfast.market.rules import Fault
from holdfast.market.stamp import UNITS, zone_called
from holdfast.market.table import Cell
from holdfast.market.times import Clock, to_times

_SECOND_NS = 1_000_000_000
_SAMPLE = 200


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the user says of a file; None and nothing is found out.

    Attributes:
        symbol: in any usual spelling.
        timeframe: of its candles, `5m`; where the file itself does not tell.
        columns: the file's column names, or their numbers from 1, by ours.
        unit: of Unix times: `s`, `ms`, `us` or `ns`.
        zone: of times that name none; UTC otherwise.
        sort: rows may stand in any order.
    """

    symbol: str | None = None
    timeframe: str | None = None
    columns: Mapping[str, str] = {}
    unit: str | None = None
    zone: str | None = None
    sort: bool = False

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise ConfigError(
                f"seen: --unit {self.unit}; expected: one of {', '.join(UNITS)}; do: choose one"
            )


class Intake(msgspec.Struct, frozen=True):
    """One file, judged.

    Attributes:
        sha256: of the file as it lies there.
        bar_s: seconds of a candle, 0 for trades.
        rows: how many it has, good and bad.
        good: what can be used, oldest first. Candles: `open_ns open high low close volume`; trades:
            `time_ns price quantity`, and `id` (int64) and `side` (`buy`, `sell`: the taker's)
            where recorded. Also `row`.
        bad: rows that cannot be used, in the file's order.
        duplicates: rows whose time, or trade id, was there before.
        misplaced: rows that lie before one above them; none of the three is in another.
    """

    path: Path
    sha256: str
    kind: Kind
    symbol: str
    bar_s: int
    rows: int
    good: pl.DataFrame
    bad: list[Fault]
    duplicates: list[Fault]
    misplaced: list[Fault]

    @property
    def faults(self) -> list[Fault]:
        """All that is wrong, in the file's order."""
        return sorted(self.bad + self.duplicates + self.misplaced, key=lambda fault: fault.row)

    def refuse_faults(self, instead: str) -> None:
        """Raise when anything is wrong.

        Args:
            instead: what the user can do, beside repairing the rows.

        Raises:
            ConfigError: naming the first rows.
        """
        faults = self.faults
        if not faults:
            return
        shown = "; ".join(f"row {fault.row}: {fault.reason}" for fault in faults[:3])
        more = f" (and {len(faults) - 3:,} more rows)" if len(faults) > 3 else ""
        if len(self.misplaced) * 2 > self.rows:
            instead = "the file does not run from old to new: pass --sort"
        raise ConfigError(
            f"seen: {self.path}, {shown}{more}; "
            f"expected: {rules.EXPECTED[self.kind]}; do: repair the rows, or {instead}"
        )


def take_in(path: Path, told: Told = Told()) -> Intake:  # noqa: B008 - it never changes
    """Read and judge a whole file.

    Args:
        path: CSV, JSON, Parquet or Feather, plain, `.gz` or `.zip`, or Binance raw messages `.gz`.

    Raises:
        ConfigError: it cannot be read, does not tell what it is, or mixes units of time. Broken
            rows raise nothing: they are in the result.
    """
    name, content, sha256 = read_file(path)
    if looks_raw(content):
        return _raw(path, sha256, told)
    cells = read_cells(path, name, content, sha256)
    first = _sample(cells)
    layout = layout_of(path, cells.columns, first, told.columns)
    cells = _of_symbol(cells, layout, told)
    symbol = _symbol(cells, layout, told, first)
    zone = zone_called(told.zone) if told.zone else UTC
    clock = Clock(zone=zone, unit=told.unit, day_ns=day_ns_of(name, layout, first))
    values, inexact = _values(cells, layout, clock)
    if layout.kind is Kind.TRADES:
        judged = rules.judge_trades(values, inexact, sort=told.sort)
        return _taken(cells, layout.kind, symbol, 0, judged)
    judged = rules.judge_bars(values, inexact, sort=told.sort)
    bar_s = _bar_s(cells, judged.good["open_ns"], told)
    judged = rules.judge_grid(judged, bar_s)
    return _taken(cells, layout.kind, symbol, bar_s, judged)


def _taken(cells: Cells, kind: Kind, symbol: str, bar_s: int, judged: rules.Judged) -> Intake:
    return Intake(
        cells.path, cells.sha256, kind, symbol, bar_s, cells.frame.height, judged.good, judged.bad,
        judged.duplicates, judged.misplaced,
    )  # fmt: skip


def _raw(path: Path, sha256: str, told: Told) -> Intake:
    recording = open_recording(path, symbol=told.symbol)
    rows = [
        (trade.at_ns, float(trade.price), float(trade.quantity), trade.trade_id,
         "sell" if trade.buyer_is_maker else "buy")
        for trade in recording.trades()
    ]  # fmt: skip
    values = pl.DataFrame(rows, schema=rules.TRADES, orient="row").with_row_index(ROW, 1)
    values = values.with_columns(pl.col(ROW).cast(pl.Int64))
    judged = rules.judge_trades(values, {}, sort=told.sort)
    return Intake(
        path, sha256, Kind.TRADES, recording.symbol, 0, len(rows), judged.good, judged.bad,
        judged.duplicates, judged.misplaced,
    )  # fmt: skip


def _sample(cells: Cells) -> list[tuple[int, Sequence[Cell]]]:
    """The first rows as text, as the readers of single rows see them."""
    head = cells.frame.head(_SAMPLE)
    texts = head.drop(ROW).rows()
    return [
        (number, ["" if cell is None else str(cell) for cell in row])
        for number, row in zip(head[ROW].to_list(), texts, strict=True)
    ]


def _of_symbol(cells: Cells, layout: Layout, told: Told) -> Cells:
    """The rows of the symbol that was asked for, where the file has a column for it."""
    if "symbol" not in layout.places:
        return cells
    column = cells.frame[_column(layout, "symbol")].cast(pl.String)
    recorded = {text: names.unified(text) or text for text in column.drop_nulls().unique()}
    wanted = unified_symbol(told.symbol) if told.symbol else None
    if wanted is None and len(set(recorded.values())) <= 1:
        return cells
    chosen = [text for text, symbol in recorded.items() if symbol == wanted]
    if not chosen:
        held = ", ".join(sorted(set(recorded.values()))[:10]) or "none"
        raise ConfigError(
            f"seen: {cells.path} with rows of {held}; expected: {wanted or 'one symbol'}; "
            "do: choose one of them with --symbol"
        )
    return msgspec.structs.replace(cells, frame=cells.frame.filter(column.is_in(chosen)))


def _symbol(
    cells: Cells, layout: Layout, told: Told, first: Sequence[tuple[int, Sequence[Cell]]]
) -> str:
    if told.symbol is None:
        return symbol_of(cells.path, cells.name, layout, first)
    wanted = unified_symbol(told.symbol)
    named = names.written_symbol_in(cells.path.name)
    if "symbol" not in layout.places and named not in {None, wanted}:
        raise ConfigError(
            f"seen: {cells.path.name}, which by its name holds {named}; expected: {wanted}, as "
            "--symbol says; do: name the file of that symbol, or rename this one"
        )
    return wanted


def _column(layout: Layout, ours: str) -> str:
    return f"c{layout.places[ours]}"


def _values(
    cells: Cells, layout: Layout, clock: Clock
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """The cells as values, null where there is none, and where numbers would lose digits."""
    frame, rows = cells.frame, cells.frame[ROW]
    at = "open_ns" if layout.kind is Kind.BARS else "time_ns"
    columns = {ROW: rows, at: to_times(frame[_column(layout, "time")], rows, clock, cells.path)}
    inexact: dict[str, pl.Series] = {}
    for name in rules.NUMBERS[layout.kind]:
        columns[name], inexact[name] = to_floats(frame[_column(layout, name)])
    if "id" in layout.places:
        columns["id"] = frame[_column(layout, "id")].cast(pl.Int64, strict=False)
    if layout.kind is Kind.TRADES:
        side = rules.taker_side(frame, layout)
        if side is not None:
            columns["side"] = side
    return pl.DataFrame(columns), inexact


def _counted(apart: pl.Series) -> list[int]:
    """The different distances, the most frequent first, equally frequent ones by size."""
    counts = apart.alias("ns").value_counts(name="n").sort("n", "ns", descending=[True, False])
    return [int(value) for value in counts["ns"]]


def _most_on_grid(times: pl.Series, span_ns: int) -> bool:
    """Whether all rows but one, or but one in ten, are multiples of a span apart."""
    most: int = max((times % span_ns).value_counts(name="n")["n"])
    return len(times) - most <= max(1, len(times) // 10)


def _bar_s(cells: Cells, times: pl.Series, told: Told) -> int:
    """Seconds of a candle: what the rows' distances tell, then the user, then the name.

    Raises:
        ConfigError: nothing tells.
    """
    said = timeframe_s(told.timeframe) if told.timeframe else None
    written = names.bar_length_in(cells.name) or names.bar_length_in(cells.path.name)
    named = said or written
    apart = times.diff().drop_nulls()
    distances = [int(apart[0])] if len(apart) and apart.min() == apart.max() else _counted(apart)
    if not distances:
        if named is None:
            raise ConfigError(
                f"seen: {cells.path} with too few rows to tell how long a bar is; "
                "expected: the length in the name, such as BTC_USDT-5m.csv; "
                "do: rename it or pass --timeframe 5m"
            )
        return named
    # Where markets stood still, distances are multiples of the length; a row beside the grid makes
    # the common divisor smaller than any distance. Then a name helps, if it fits.
    divisor, least = math.gcd(*distances), min(distances)
    seconds = (divisor if divisor == least else distances[0]) // _SECOND_NS
    if named is not None and divisor != least:
        named_ns = named * _SECOND_NS
        seconds = named if divisor % named_ns == 0 or named_ns in distances else seconds
    # A row half-way between two others, such as one with the time of an export, is beside the grid
    # too, and so small a length would close every candle before its prices were there.
    usual = distances[0]
    half_way = divisor == least != usual and seconds not in {said, written}
    if half_way and (usual == (written or 0) * _SECOND_NS or _most_on_grid(times, usual)):
        seconds = usual // _SECOND_NS
    if seconds < 1:
        raise ConfigError(
            f"seen: {cells.path} with rows {distances[0]:,} ns apart; expected: candles of a "
            "second or longer; do: check the times, or say their unit with --unit"
        )
    if said is not None and said < seconds:
        raise ConfigError(
            f"seen: {cells.path} with bars of {timeframe_text(seconds)}, asked for as "
            f"{told.timeframe}; expected: {timeframe_text(seconds)} or a multiple of it; "
            "do: choose one, or take finer data"
        )
    return seconds
