"""A series in a file: read at once for a backtest, or followed while somebody appends to it.

JSON lines, one entry each, or CSV with the columns `known_at`, `value` and perhaps `id`. Not here:
the shape of an entry (port).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from holdfast.errors import ConfigError
from holdfast.signals.port import Entry, SignalRefused, as_value, make_entry, read_entry

_CHUNK: Final = 1 << 20
_LONGEST_LINE: Final = 1 << 14


class Line(NamedTuple):
    """A line of the file, with its number from 1."""

    number: int
    text: str


def read_series(path: Path) -> list[Entry]:
    """All entries of a file, each with its time, oldest first.

    Raises:
        ConfigError: it cannot be read, or a line is no entry, has no time, or is out of order.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"seen: {path} cannot be read ({error}); expected: a series of known_at and value"
        ) from error
    form = Form(path)
    found: list[Entry] = []
    last_ns = 0
    for line in (Line(number, text) for number, text in enumerate(lines, 1)):
        try:
            entry = form.entry(line)
        except SignalRefused as refused:
            raise ConfigError(f"seen: {path}, line {line.number}: {refused}") from refused
        if entry is None:
            continue
        if entry.known_at_ns is None or entry.known_at_ns < last_ns:
            what = "no known_at" if entry.known_at_ns is None else "an earlier known_at"
            raise ConfigError(
                f"seen: {path}, line {line.number}: {what}; expected: the time at which it was "
                "known, oldest first"
            )
        last_ns = entry.known_at_ns
        found.append(entry)
    return found


class Form:
    """How the lines of a file are written: CSV by its name, JSON lines otherwise."""

    def __init__(self, path: Path) -> None:
        self._is_csv = path.suffix.lower() == ".csv"
        self._columns: list[str] | None = None

    def entry(self, line: Line) -> Entry | None:
        """The entry in a line; None of an empty line and of the header of a CSV file.

        Raises:
            SignalRefused: it is none.
        """
        text = line.text.strip()
        if not text:
            return None
        if not self._is_csv:
            return read_entry(text)
        cells = next(csv.reader([text]))
        if self._columns is None or line.number == 1:
            if not {"known_at", "value"} <= set(cells):
                raise SignalRefused(
                    400, f"seen: the columns {', '.join(cells)}; expected: known_at, value[, id]"
                )
            self._columns = cells
            return None
        if len(cells) != len(self._columns):
            raise SignalRefused(
                400, f"seen: {len(cells)} cells; expected: {len(self._columns)}, as in the header"
            )
        row = dict(zip(self._columns, cells, strict=True))
        return make_entry(as_value(row["value"]), row["known_at"], row.get("id", ""))


class FileTail:
    """Follows a file: the lines that are complete and were not read before.

    A file that became shorter, or another one of the same name, is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0
        self._file_id: tuple[int, int] | None = None
        self._rest = b""
        self._number = 0

    def read(self) -> Iterator[Line]:
        """New lines. Blocks for the disk; safe to repeat.

        Raises:
            OSError: it cannot be read now.
        """
        with self.path.open("rb") as file:
            self._begin(os.fstat(file.fileno()))
            file.seek(self._at)
            while chunk := file.read(_CHUNK):
                self._at += len(chunk)
                yield from self._lines(chunk)

    def _begin(self, stat: os.stat_result) -> None:
        file_id = (stat.st_dev, stat.st_ino)
        if file_id != self._file_id or stat.st_size < self._at:
            self._file_id, self._at, self._rest, self._number = file_id, 0, b"", 0

    def _lines(self, chunk: bytes) -> Iterator[Line]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            self._rest = self._rest[: _LONGEST_LINE + 1]  # it is refused when it ends
        for line in lines:
            self._number += 1
            yield Line(self._number, line.decode("utf-8", "replace"))
