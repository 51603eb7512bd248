"""The user's own market data: a folder of Parquet files, one per exchange, symbol and timeframe.

Each file is an ordinary recording that any verb can be pointed at; it is written whole or not at
all, and carries what it holds. Not here: reading other people's files (`intake`), fetching.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import polars as pl

from holdfast.domain.timeframe import timeframe_s
from holdfast.errors import ConfigError, CorruptionError
from holdfast.files import sync_folder
from holdfast.market import spans
from holdfast.market.bar_table import SCHEMA, BarTable
from holdfast.market.findings import Findings, gaps_in_ids
from holdfast.market.stamp import iso

DEFAULT_FOLDER = Path(".holdfast/data")
_METADATA = "holdfast"
_LOCK = ".lock"
_EXCHANGE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SIGNED, _FLOAT = "q", "d"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of the catalogue says of itself.

    Attributes:
        timeframe: `5m`, or empty for trades.
        sources: where its rows came from, oldest first.
        sha256: of its values, column by column; not of the file, whose packing may change.
        asked: spans, nanoseconds with their ends left out, for which the exchange has said all
            that it has: what is missing within them is missing there too.
    """

    exchange: str
    symbol: str
    timeframe: str
    sources: list[str]
    rows: int
    first: str
    last: str
    sha256: str
    asked: list[tuple[int, int]] = msgspec.field(default_factory=list)
    format: int = 1


class Entry(Findings, frozen=True, kw_only=True):
    """One file of the catalogue: what it says of itself, and its holes."""

    exchange: str
    path: str
    sources: list[str]
    sha256: str


class Rows(msgspec.Struct, frozen=True):
    """What can be put into the catalogue.

    Attributes:
        timeframe: `5m`, or empty for trades.
        frame: as in a `BarTable`; for trades `time_ns price quantity` and, where recorded, `id` and
            `side`. Oldest first.
    """

    symbol: str
    timeframe: str
    frame: pl.DataFrame

    @property
    def time(self) -> str:
        """The name of the column of times."""
        return "open_ns" if self.timeframe else "time_ns"


class Catalogue:
    """The files below one folder. Several processes may use it: a change waits for the other's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path_of(self, exchange: str, symbol: str, timeframe: str) -> Path:
        """Where the file of these rows is, or would be.

        Raises:
            ConfigError: the exchange's name cannot be a folder's.
        """
        if not _EXCHANGE.fullmatch(exchange):
            raise ConfigError(
                f"seen: exchange {exchange!r}; expected: a name of small letters and digits; "
                "do: name it as ccxt does, such as binance"
            )
        name = symbol.replace("/", "_").replace(":", "_")
        return self.folder / exchange / f"{name}-{timeframe or 'trades'}.parquet"

    def entry(self, exchange: str, symbol: str, timeframe: str) -> Entry | None:
        """One file, None when it is not there.

        Raises:
            CorruptionError: it is damaged.
        """
        path = self.path_of(exchange, symbol, timeframe)
        return _entry_of(path) if path.exists() else None

    def bars(self, exchange: str, symbol: str, timeframe: str) -> BarTable | None:
        """The candles that are there, None when there are none.

        Raises:
            CorruptionError: the file is damaged.
        """
        path = self.path_of(exchange, symbol, timeframe)
        if not path.exists():
            return None
        about, frame = _read(path)
        return BarTable(
            frame, symbol=about.symbol, bar_s=timeframe_s(timeframe), sha256=about.sha256,
            source=str(path),
        )  # fmt: skip

    def held(self, exchange: str, symbol: str, timeframe: str) -> list[tuple[int, int]]:
        """The spans of time that need not be asked for again, oldest first, apart from each other.

        Those of candles that are there, and those that the exchange was asked for.
        """
        path = self.path_of(exchange, symbol, timeframe)
        if not path.exists():
            return []
        about, frame = _read(path)
        span_ns = timeframe_s(timeframe) * 1_000_000_000
        opens = pl.col("open_ns")
        starts = frame.filter((opens.diff() != span_ns).fill_null(True))["open_ns"]
        ends = frame.filter((opens.diff().shift(-1) != span_ns).fill_null(True))["open_ns"]
        return spans.union([*zip(starts, ends + span_ns, strict=True), *about.asked])

    def put(
        self,
        exchange: str,
        rows: Rows,
        source: str,
        *,
        asked: Sequence[tuple[int, int]] = (),
        replace: bool = False,
    ) -> Entry:
        """Add rows to those that are there; durable when it returns, and all or nothing.

        Args:
            asked: spans of time for which these are all rows that the exchange has.
            replace: rows that are there and differ give way; otherwise they are a refusal.

        Raises:
            ConfigError: they differ, or the folder cannot be written.
            CorruptionError: the file that is there is damaged.
        """
        path = self.path_of(exchange, rows.symbol, rows.timeframe)
        with self._alone(path):
            merged, about = self._merged(path, rows, replace=replace)
            before = ([], []) if about is None else (about.sources, about.asked)
            sources = [*(name for name in before[0] if name != source), source]
            about = _about(exchange, merged, sources, spans.union([*before[1], *asked]))
            _write(path, merged, about)
        return _entry(path, about, merged)

    def check(self, exchange: str, rows: Rows, *, replace: bool = False) -> None:
        """Raise what `put` would raise, and change nothing."""
        path = self.path_of(exchange, rows.symbol, rows.timeframe)
        self._merged(path, rows, replace=replace)

    def _merged(self, path: Path, rows: Rows, *, replace: bool) -> tuple[Rows, About | None]:
        """The rows of the file with the new ones, and what it says of itself, if it is there."""
        if not path.exists():
            return rows, None
        about, there = _read(path)
        frame = join(Rows(rows.symbol, rows.timeframe, there), rows, str(path), replace=replace)
        return Rows(rows.symbol, rows.timeframe, frame), about

    def entries(self) -> list[Entry]:
        """Everything that is there, by exchange, symbol and timeframe.

        Raises:
            CorruptionError: a file is damaged.
        """
        return [_entry_of(path) for path in sorted(self.folder.glob("*/*.parquet"))]

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """Hold the catalogue while one file of it changes; waits for whoever holds it."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def join(there: Rows, new: Rows, where: str, *, replace: bool) -> pl.DataFrame:
    """Both in one, oldest first; what stands in both stands there once.

    Raises:
        ConfigError: a row stands in both with other values, and `replace` is not set; or trades
            without ids overlap, and nobody can tell which are the same.
    """
    time, key = there.time, there.time
    old, fresh = there.frame, new.frame
    if not there.timeframe:
        if "id" not in old.columns or "id" not in fresh.columns:
            _refuse_overlap(old, fresh, where)
            return pl.concat([old, fresh], how="diagonal").sort(time, maintain_order=True)
        key = "id"
    columns = [name for name in fresh.columns if name in old.columns and name != key]
    differ = old.join(fresh, on=key, suffix="_new").filter(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_new")) for name in columns)
    )
    if len(differ) and not replace:
        raise ConfigError(
            f"seen: {len(differ):,} rows that {where} has with other values, the first at "
            f"{iso(differ[time][0])}; expected: the same values; "
            "do: find out which are right, and pass --replace if it is the new ones"
        )
    kept = old.join(fresh, on=key, how="anti")
    return pl.concat([kept, fresh], how="diagonal").sort(time, key, maintain_order=True)


def _refuse_overlap(old: pl.DataFrame, fresh: pl.DataFrame, where: str) -> None:
    first, last = fresh["time_ns"][0], fresh["time_ns"][-1]
    there = old.filter(pl.col("time_ns").is_between(first, last))["time_ns"]
    if len(there):
        raise ConfigError(
            f"seen: trades without ids from {iso(first)} to {iso(last)}, where {where} has some "
            f"from {iso(there[0])} to {iso(there[-1])}; expected: no overlap, because nobody can "
            "tell which are the same; do: import files that follow each other, or with ids"
        )


def _about(
    exchange: str, rows: Rows, sources: list[str], asked: list[tuple[int, int]]
) -> About:
    times = rows.frame[rows.time]
    return About(
        exchange=exchange, symbol=rows.symbol, timeframe=rows.timeframe, sources=sources,
        rows=len(times), first=iso(times[0]), last=iso(times[-1]), sha256=digest(rows.frame),
        asked=asked,
    )  # fmt: skip


def _entry_of(path: Path) -> Entry:
    about, frame = _read(path)
    return _entry(path, about, Rows(about.symbol, about.timeframe, frame))


def _entry(path: Path, about: About, rows: Rows) -> Entry:
    if about.timeframe:
        table = BarTable(rows.frame, symbol=about.symbol, bar_s=timeframe_s(about.timeframe))
        gaps = table.gaps()
    else:
        gaps = gaps_in_ids(rows.frame)
    return Entry(
        kind="bars" if about.timeframe else "trades", symbol=about.symbol, exchange=about.exchange,
        timeframe=about.timeframe, rows=about.rows, first=about.first, last=about.last, gaps=gaps,
        path=str(path), sources=about.sources, sha256=about.sha256,
    )  # fmt: skip


def digest(frame: pl.DataFrame) -> str:
    """A sha256 of the values, column by column in order: the same wherever they are kept."""
    total = hashlib.sha256()
    for column in frame.iter_columns():
        total.update(column.name.encode() + b"\0")
        for part in (column.slice(at, 1 << 16) for at in range(0, len(column), 1 << 16)):
            total.update(_bytes(part))
    return total.hexdigest()


def _bytes(column: pl.Series) -> bytes:
    if column.dtype == pl.String:
        return "\n".join(text or "" for text in column).encode()
    values: Sequence[int] | Sequence[float] = column.fill_null(-1).to_list()
    numbers = array(_FLOAT if column.dtype == pl.Float64 else _SIGNED, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _read(path: Path) -> tuple[About, pl.DataFrame]:
    """A file of the catalogue, proved to be what was written.

    Raises:
        CorruptionError: it is not.
    """
    try:
        metadata = pl.read_parquet_metadata(path)
        about = msgspec.json.decode(metadata.get(_METADATA, ""), type=About)
        stored = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, msgspec.MsgspecError, OSError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error
    moment = stored.columns[0]
    name = "open_ns" if about.timeframe else "time_ns"
    frame = stored.select(pl.col(moment).dt.epoch("ns").alias(name), *stored.columns[1:])
    if digest(frame) != about.sha256:
        raise _damaged(path, "values that are not those that were written")
    return about, frame


def _damaged(path: Path, what: str) -> CorruptionError:
    return CorruptionError(
        f"seen: {path}: {what}; expected: a file of the catalogue, as Holdfast wrote it; "
        "do: move it away, then download or import the data again"
    )


def _write(path: Path, rows: Rows, about: About) -> None:
    """Write the file whole or not at all, and leave no half one behind."""
    moment = "open_time" if rows.timeframe else "time"
    others = SCHEMA.names()[1:] if rows.timeframe else rows.frame.columns[1:]
    stored = rows.frame.select(
        pl.col(rows.time).cast(pl.Datetime("ns", "UTC")).alias(moment), *others
    )
    half = path.with_name(f".{path.name}.half")
    try:
        with half.open("wb") as file:
            stored.write_parquet(file, metadata={_METADATA: msgspec.json.encode(about).decode()})
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        sync_folder(path.parent)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unwritable(path, error) from error
    finally:
        half.unlink(missing_ok=True)


def _unwritable(path: Path, error: Exception) -> ConfigError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return ConfigError(
        f"seen: {path}: {reason}; expected: a folder that may be written, with room in it; "
        "do: make room, or name another with --dir"
    )
