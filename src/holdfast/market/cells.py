"""A recording's cells as columns, whatever its format: what `intake` judges a million rows of.

Plain CSV, Parquet and Feather are read by polars; everything else row by row through `table`, which
also tells how a file is broken. Not here: what the columns mean (`columns`), what cells are worth.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import msgspec
import polars as pl

from holdfast.errors import ConfigError
from holdfast.market.table import (
    Cell,
    columnar_frame,
    delimiter_of,
    is_columnar,
    open_table,
    read_bytes,
)

ROW = "row"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 1 << 16


class Cells(msgspec.Struct, frozen=True):
    """One file's cells.

    Attributes:
        name: of the file, or of the one file inside an archive.
        content: its bytes, unpacked.
        sha256: of the file itself, packed if it is.
        columns: their names, None when the file has no header.
        frame: a column for each, by place (`c0`, `c1`, …), as text or as the file's own type, and
            `row`, its number as an editor shows it or counted from 1.
    """

    path: Path
    name: str
    content: bytes
    sha256: str
    columns: tuple[str, ...] | None
    frame: pl.DataFrame


def read_file(path: Path) -> tuple[str, bytes, str]:
    """Name and content (unpacked), and the sha256 of the file as it lies there.

    Raises:
        ConfigError: it cannot be read.
    """
    name, content = read_bytes(path)
    with path.open("rb") as file:
        return name, content, hashlib.file_digest(file, "sha256").hexdigest()


def read_cells(path: Path, name: str, content: bytes, sha256: str) -> Cells:
    """The cells of a file.

    Raises:
        ConfigError: it is in no known format, damaged, or has no rows.
    """
    columns: tuple[str, ...] | None
    if is_columnar(content):
        columns, frame = _columnar(path, content)
    else:
        columns, frame = _quick_csv(path, name, content) or _by_rows(path, name, content)
    if not frame.height:
        raise ConfigError(f"seen: {path} has no rows; expected: trades or candles")
    return Cells(path, name, content, sha256, columns, frame)


def _columnar(path: Path, content: bytes) -> tuple[tuple[str, ...], pl.DataFrame]:
    try:
        frame = columnar_frame(content)
    except ValueError as error:
        raise ConfigError(
            f"seen: {path}: {error}; expected: a whole Parquet or Feather file; do: fetch it again"
        ) from error
    return tuple(frame.columns), _numbered(frame, 1)


def _quick_csv(
    path: Path, name: str, content: bytes
) -> tuple[tuple[str, ...] | None, pl.DataFrame] | None:
    """The cells of a plain CSV, None where only walking its rows tells what they are."""
    start = content[:_HEAD_BYTES].removeprefix(_BYTE_ORDER_MARK)
    if start[:1] in b"[{\r\n" or b"\x00" in start or b'"' in content:
        return None
    if content.count(b"\r") != content.count(b"\r\n"):
        return None
    head = start[: start.rfind(b"\n") + 1] or start
    try:
        columns = open_table(path, name, head).columns
        frame = pl.read_csv(
            content,
            has_header=columns is not None,
            separator=delimiter_of(head.split(b"\n", 1)[0].decode()),
            infer_schema=False,
        )
    except (ConfigError, UnicodeDecodeError, pl.exceptions.PolarsError):
        return None
    if columns is not None and len(columns) != frame.width:
        return None
    numbered = _numbered(frame, 1 if columns is None else 2)
    if not numbered["c0"].null_count():
        return columns, numbered
    # An empty line is no row, but it has a number.
    return columns, numbered.filter(pl.any_horizontal(pl.exclude(ROW).is_not_null()))


def _by_rows(path: Path, name: str, content: bytes) -> tuple[tuple[str, ...] | None, pl.DataFrame]:
    table = open_table(path, name, content)
    numbers: list[int] = []
    rows: list[list[Cell | None]] = []
    try:
        for number, cells in table.rows:
            numbers.append(number)
            rows.append(list(cells))
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"seen: {path}: {error}; expected: rows of cells") from error
    width = max([len(row) for row in rows] + [len(table.columns or ())])
    texts = [
        [None if place >= len(row) or row[place] == "" else str(row[place]) for row in rows]
        for place in range(width)
    ]
    frame = pl.DataFrame({f"c{place}": pl.Series(text, dtype=pl.String)
                          for place, text in enumerate(texts)})  # fmt: skip
    return table.columns, frame.with_columns(pl.Series(ROW, numbers, dtype=pl.Int64))


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    renamed = frame.rename({name: f"c{place}" for place, name in enumerate(frame.columns)})
    return renamed.with_columns(
        pl.int_range(first, frame.height + first, dtype=pl.Int64).alias(ROW)
    )
