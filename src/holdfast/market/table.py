"""Recordings as tables of text: CSV, JSON, Feather and Parquet, plain, gzipped or zipped.

Numbers keep their exact text, floats the shortest text that means them. Not here: what the columns
mean (`columns`), Binance's raw messages (`raw_messages`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

Cell = str | int
_FORMATS = (
    ".csv, .json, .feather, .arrow, .parquet, also with .gz, .zip, or Binance raw messages .gz"
)
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_ARROW = b"ARROW1"
_FEATHER_V1 = b"FEA1"
_UNPACKED_ROWS = 1 << 17
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The first of equally frequent ones counts.
_DELIMITERS = (",", ";", "\t")


class Table(msgspec.Struct, frozen=True):
    """Rows of one file.

    Attributes:
        name: of the file, or of the one file inside an archive.
        columns: their names, None when the file has no header.
        rows: (number, cells); the number is what an editor shows for a text file, else it counts
            records from 1. Can be walked once.
    """

    name: str
    columns: tuple[str, ...] | None
    rows: Iterator[tuple[int, Sequence[Cell]]]


def read_bytes(path: Path) -> tuple[str, bytes]:
    """The name and content of the file, or of the one file inside it when it is an archive.

    Raises:
        ConfigError: it cannot be read, is empty, damaged, or an archive of several files.
    """
    with _readable(path):
        content = path.read_bytes()
        if content.startswith(_GZIP):
            return path.name.removesuffix(".gz"), gzip.decompress(content)
        if content.startswith(_ZIP):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                name = _only_name(path, archive)
                return name, archive.read(name)
    if not content or content.isspace():
        raise ConfigError(
            f"seen: {path} is empty; expected: recorded trades or candles; do: fetch it again"
        )
    return path.name, content


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of what `read_bytes` reads, one after the other and never all at once.

    Raises:
        ConfigError: it cannot be read, is damaged, or an archive of several files.
    """
    with _readable(path), ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        start = file.read(len(_ZIP))
        file.seek(0)
        lines: Iterable[bytes] = file
        if start.startswith(_GZIP):
            lines = opened.enter_context(gzip.GzipFile(fileobj=file))
        elif start == _ZIP:
            archive = opened.enter_context(zipfile.ZipFile(file))
            lines = opened.enter_context(archive.open(_only_name(path, archive)))
        yield from lines


def sha256_of(files: Sequence[Path]) -> str:
    """Of the one file; of several, of their digests in this order."""
    digests = []
    for file in files:
        with file.open("rb") as content:
            digests.append(hashlib.file_digest(content, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"seen: {path}: {reason}; expected: a file with recorded trades or candles; "
            "do: check the path, and that the file is whole"
        ) from error
    except (EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"seen: {path}: damaged archive ({error}); expected: a whole one; do: fetch it again"
        ) from error


def open_table(path: Path, name: str, content: bytes) -> Table:
    """The table in `content`, by what it is and not by how it is called.

    Raises:
        ConfigError: it is none of the formats, or damaged.
    """
    start = content.lstrip()[:1]
    try:
        if is_columnar(content):
            return _columnar(name, content)
        if start == b"[":
            return _json(path, name, content)
        if content.startswith(_FEATHER_V1) or start == b"{" or b"\x00" in content[:4096]:
            raise _unknown(path)
        return _csv(name, content)
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"seen: {path}: {error}; expected: a whole file in one of {_FORMATS}; "
            "do: fetch it again or convert it"
        ) from error


def delimiter_of(line: str) -> str:
    """What separates the cells of a CSV line: a comma, unless another one is more frequent."""
    return max(_DELIMITERS, key=line.count)


def is_columnar(content: bytes) -> bool:
    """Whether `content` is Parquet or Feather, which keep columns and their types."""
    return content.startswith((_PARQUET, _ARROW))


def columnar_frame(content: bytes) -> pl.DataFrame:
    """The columns of a Parquet or Feather file, with their types.

    Raises:
        ValueError: it is damaged.
    """
    # Half a second to import, and only these two formats need it.
    import polars as pl  # noqa: PLC0415

    read = pl.read_parquet if content.startswith(_PARQUET) else pl.read_ipc
    with _undamaged():
        return read(io.BytesIO(content))


@contextmanager
def _undamaged() -> Iterator[None]:
    """ValueError for what polars says of a damaged file."""
    import polars as pl  # noqa: PLC0415

    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(str(error)) from error


def _unknown(path: Path) -> ConfigError:
    return ConfigError(
        f"seen: {path} in a format not known here; expected: one of {_FORMATS}; "
        "do: convert it, for example to CSV with a header"
    )


def _only_name(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/")]
    if len(names) != 1:
        raise ConfigError(
            f"seen: {path} holds {len(names)} files; expected: one; do: unpack it and name one"
        )
    return names[0]


def _columnar(name: str, content: bytes) -> Table:
    import polars as pl  # noqa: PLC0415

    with _undamaged():
        if content.startswith(_PARQUET):
            frame = pl.scan_parquet(io.BytesIO(content))
        else:
            frame = columnar_frame(content).lazy()
        schema = frame.collect_schema()
    times = [key for key, kind in schema.items() if isinstance(kind, pl.Datetime | pl.Date)]
    frame = frame.with_columns(pl.col(key).dt.epoch("ns") for key in times)
    rows = (
        (number, [_text(value) for value in row])
        for number, row in enumerate(_rows_of(name, frame), start=1)
    )
    return Table(name, tuple(schema), rows)


def _rows_of(name: str, frame: pl.LazyFrame) -> Iterator[tuple[Any, ...]]:
    """The rows of a frame, of which a part at a time is unpacked."""
    for start in count(0, _UNPACKED_ROWS):
        try:
            with _undamaged():
                part = frame.slice(start, _UNPACKED_ROWS).collect()
        except ValueError as error:
            raise ConfigError(
                f"seen: {name}, rows from {start + 1} on: {error}; expected: a whole file; "
                "do: fetch it again"
            ) from error
        yield from part.iter_rows()
        if len(part) < _UNPACKED_ROWS:
            return


def _csv(name: str, content: bytes) -> Table:
    text = content.removeprefix(_BYTE_ORDER_MARK).decode("utf-8")
    lines = text.splitlines()
    reader = csv.reader(lines, delimiter=delimiter_of(lines[0]))
    rows = ((reader.line_num, cells) for cells in reader if cells)
    first = next(rows)
    if all(_is_number_or_time(cell) for cell in first[1][:2]):
        return Table(name, None, _chain(first, rows))
    return Table(name, tuple(cell.strip() for cell in first[1]), rows)


def _chain(
    first: tuple[int, Sequence[Cell]], rows: Iterable[tuple[int, Sequence[Cell]]]
) -> Iterator[tuple[int, Sequence[Cell]]]:
    yield first
    yield from rows


def _json(path: Path, name: str, content: bytes) -> Table:
    # Numbers stay text: a float in between would be another number.
    records = json.loads(content, parse_float=str)
    if not records:
        raise ConfigError(f"seen: {path} is an empty list; expected: trades or candles")
    if isinstance(records[0], dict):
        return Table(name, tuple(records[0]), _dict_rows(records))
    if isinstance(records[0], list):
        return Table(name, None, enumerate(([_text(cell) for cell in row] for row in records), 1))
    raise _unknown(path)


def _dict_rows(records: list[dict[str, Any]]) -> Iterator[tuple[int, Sequence[Cell]]]:
    columns = tuple(records[0])
    for number, record in enumerate(records, start=1):
        yield number, [_text(record.get(column)) for column in columns]


def _text(value: Any) -> Cell:
    """A cell: whole numbers as they are, floats by their shortest text, nothing as empty text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value is None or isinstance(value, dict | list):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _is_number_or_time(cell: str) -> bool:
    return cell.strip()[:1].isdigit()
