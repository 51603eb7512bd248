"""Market data for people and strategies: files, the catalogue, and what is in them.

Lives here: what `holdfast.load` and `holdfast data` do. Not here: options and output (cli.data),
fetching from exchanges (download).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import polars as pl

from holdfast.domain.timeframe import timeframe_s, timeframe_text
from holdfast.errors import ConfigError
from holdfast.market.bar_table import SCHEMA, BarTable, Gap, starts_of
from holdfast.market.candles import candles_of
from holdfast.market.catalogue import DEFAULT_FOLDER, Catalogue, Entry, Rows, join
from holdfast.market.columns import Kind
from holdfast.market.findings import TOLD_FAULTS, Findings, findings_of
from holdfast.market.intake import Intake, Told, take_in
from holdfast.market.load import load_bars
from holdfast.market.read import unified_symbol
from holdfast.market.rules import Fault
from holdfast.strategy.invented import invented

__all__ = [
    "DEFAULT_FOLDER", "BarTable", "Findings", "Import", "Stored", "Told", "Totals", "check",
    "import_files", "invented_table", "list_data", "load", "totals",
]  # fmt: skip

INVENTED_BARS = 365 * 24


class Stored(Entry, frozen=True, kw_only=True):
    """A file of the catalogue after rows were put into it.

    Attributes:
        added: how many rows the files brought, those that were there already included.
        left_out: rows of the files that were not taken: how many, and the first hundred.
    """

    added: int
    left_out_rows: int = 0
    left_out: list[Fault] = msgspec.field(default_factory=list)


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What to import, and how.

    Attributes:
        exchange: whose data they are; a folder of the catalogue.
        skip_bad: leave out what breaks a rule, instead of refusing the file.
        replace: new values win over those that are there.
    """

    files: tuple[Path, ...]
    told: Told
    exchange: str = "imported"
    skip_bad: bool = False
    replace: bool = False
    folder: Path = DEFAULT_FOLDER


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Several entries in one document: sums of them, and each."""

    rows: int
    first: str | None
    last: str | None
    gaps: list[Gap]
    duplicates: int
    bad_rows: int
    entries: Sequence[Entry]


def load(
    path: str | Path, *, symbol: str | None = None, timeframe: str | None = None
) -> BarTable:
    """Candles from a file: CSV, JSON, Parquet or Feather, plain, `.gz` or `.zip`; or from trades.

    Nothing is repaired: a file with a broken row is refused, with the row's number. Holes stay.

    Args:
        symbol: `BTC/USDT`; None takes it from the content or the file's name.
        timeframe: `1h`; None keeps the file's own. A longer one is built from the file's candles,
            or from its trades.

    Raises:
        ConfigError: the file cannot be used; the text says what was seen and what to do.
    """
    return load_bars(Path(path), Told(symbol=symbol, timeframe=timeframe))


def invented_table(symbol: str, timeframe: str) -> BarTable:
    """As many bars as a year has hours of a made-up market; the same each time.

    Raises:
        ConfigError: `symbol` is no pair, or `timeframe` none.
    """
    symbol, bar_s = unified_symbol(symbol), timeframe_s(timeframe)
    bars = invented(INVENTED_BARS, symbol=symbol, bar_s=bar_s)
    numbers = ("open", "high", "low", "close", "volume")
    rows = [(bar.open_ns, *(float(getattr(bar, name)) for name in numbers)) for bar in bars]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    digest = sha256(frame.write_csv().encode()).hexdigest()
    return BarTable(frame, symbol=symbol, bar_s=bar_s, sha256=digest, source="invented")


def check(path: Path, told: Told) -> Findings:
    """What is in a file and what is wrong with it. Changes nothing.

    Raises:
        ConfigError: it cannot be read at all.
    """
    return findings_of(take_in(path, told))


def list_data(folder: Path) -> list[Entry]:
    """The catalogue's entries, by exchange, symbol and timeframe.

    Raises:
        CorruptionError: a file of it is damaged.
    """
    return Catalogue(folder).entries()


def import_files(wanted: Import) -> list[Stored]:
    """Put files into the catalogue. Files of one symbol and timeframe become one entry.

    All files are read and judged before any is stored, and each entry is stored whole or not.

    Raises:
        ConfigError: a file cannot be used, or contradicts another or what is there. Nothing was
            stored then.
    """
    catalogue = Catalogue(wanted.folder)
    batches: dict[tuple[str, str], _Batch] = {}
    for path in wanted.files:
        intake = take_in(path, wanted.told)
        if not wanted.skip_bad:
            intake.refuse_faults("pass --skip-bad to leave them out")
        bar_s = timeframe_s(wanted.told.timeframe) if wanted.told.timeframe else intake.bar_s
        entry = intake.symbol, timeframe_text(bar_s) if bar_s else ""
        batches.setdefault(entry, _Batch(*entry)).add(intake, replace=wanted.replace)
    made = [(batch, batch.rows(replace=wanted.replace)) for batch in batches.values()]
    for _, rows in made:
        catalogue.check(wanted.exchange, rows, replace=wanted.replace)
    return [
        _stored(catalogue.put(wanted.exchange, rows, batch.source, replace=wanted.replace), batch)
        for batch, rows in made
    ]


def totals(entries: Sequence[Entry]) -> Totals:
    """The entries and their sums."""
    return Totals(
        rows=sum(entry.rows for entry in entries),
        first=min((entry.first for entry in entries if entry.first), default=None),
        last=max((entry.last for entry in entries if entry.last), default=None),
        gaps=[gap for entry in entries for gap in entry.gaps],
        duplicates=sum(entry.duplicates for entry in entries),
        bad_rows=sum(entry.bad_rows for entry in entries),
        entries=entries,
    )


class _Batch:
    """The rows of one entry from several files.

    They are joined before candles are made of them: one of which two files have parts is whole.
    """

    def __init__(self, symbol: str, timeframe: str) -> None:
        self._symbol = symbol
        self._timeframe = timeframe
        self._parts: dict[str, Rows] = {}  # by their own timeframe
        self.names: list[str] = []
        self.added = 0
        self.duplicates = 0
        self.bad_rows = 0
        self.faults: list[Fault] = []

    @property
    def source(self) -> str:
        """The files' names."""
        return ", ".join(self.names)

    def add(self, intake: Intake, *, replace: bool) -> None:
        """Count a file in.

        Raises:
            ConfigError: it contradicts those before it.
        """
        for part in self._parts_of(intake):
            self._parts[part.timeframe] = self._joined(part, replace=replace)
        self.names.append(intake.path.name)
        self.added += len(intake.good)
        self.duplicates += len(intake.duplicates)
        self.bad_rows += len(intake.bad) + len(intake.misplaced)
        self.faults += intake.faults[: TOLD_FAULTS - len(self.faults)]

    def rows(self, *, replace: bool) -> Rows:
        """All of them, in the entry's timeframe.

        Raises:
            ConfigError: candles of several lengths contradict each other, or make no longer one.
        """
        for part in [part for own, part in self._parts.items() if own != self._timeframe]:
            self._parts[self._timeframe] = self._joined(self._built(part), replace=replace)
        rows = self._parts[self._timeframe]
        if not len(rows.frame):
            raise ConfigError(
                f"seen: {self.source}, which cover no candle of {self._timeframe} from its "
                "beginning to its end; expected: one at least; do: take more files at once, or a "
                "shorter timeframe"
            )
        return rows

    def _joined(self, new: Rows, *, replace: bool) -> Rows:
        there = self._parts.get(new.timeframe)
        if there is None:
            return new
        return Rows(self._symbol, new.timeframe, join(there, new, self.source, replace=replace))

    def _parts_of(self, intake: Intake) -> list[Rows]:
        """The good rows in the catalogue's form: as they are, or trades as candles.

        The first and the last candle of trades stay trades: another file may have the others.
        """
        if not len(intake.good):
            raise ConfigError(f"seen: {intake.path} has no usable row; expected: trades or candles")
        if intake.kind is Kind.BARS:
            own = timeframe_text(intake.bar_s)
            return [Rows(self._symbol, own, intake.good.select(SCHEMA.names()))]
        trades = intake.good.drop("row")
        if not self._timeframe:
            return [Rows(self._symbol, "", trades)]
        bar_s = timeframe_s(self._timeframe)
        candles = candles_of(trades, bar_s)
        opens = candles["open_ns"]
        at_ends = starts_of(pl.col("time_ns"), bar_s).is_in([opens[0], opens[-1]])
        return [
            Rows(self._symbol, self._timeframe, candles[1:-1]),
            Rows(self._symbol, "", trades.filter(at_ends)),
        ]

    def _built(self, part: Rows) -> Rows:
        """Candles of the entry's timeframe from shorter ones, or from trades."""
        bar_s = timeframe_s(self._timeframe)
        if part.timeframe:
            table = BarTable(part.frame, symbol=part.symbol, bar_s=timeframe_s(part.timeframe))
            return Rows(self._symbol, self._timeframe, table.resample(bar_s).frame)
        # What begins or ends a file amid another one is whole there.
        whole = self._parts[self._timeframe].frame
        built = candles_of(part.frame, bar_s).join(whole, on="open_ns", how="anti")
        return Rows(self._symbol, self._timeframe, built)


def _stored(entry: Entry, batch: _Batch) -> Stored:
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    fields |= {"duplicates": batch.duplicates, "bad_rows": batch.bad_rows}
    return Stored(
        **fields, added=batch.added, left_out_rows=batch.duplicates + batch.bad_rows,
        left_out=batch.faults,
    )  # fmt: skip
