"""The platform's tables in a journal file: one connection that writes, one that reads.

Who writes here holds the file for as long as a transaction lasts, and an order that is armed waits
meanwhile, so whatever takes long is done before. Not here: the stream (journal.platform).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import RetryableError
from holdfast.journal.owner import WriterNote
from holdfast.journal.platform import PlatformTables
from holdfast.journal.sqlite_file import SqliteFile, Transaction
from holdfast.journal.sqlite_read import SqliteReading, stored_version
from holdfast.journal.version import require_current


class SqlitePlatform(PlatformTables):
    """A `PlatformStore` in a journal file, which is made where there is none. For threads.

    Raises:
        As `SqliteFile`.
    """

    def __init__(self, path: Path, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        super().__init__(path, now_ns)
        self._path = path
        self._file = _of_this_schema(path)
        self._note = WriterNote(path)
        self._writing = threading.Lock()
        self._reading: SqliteReading | None = None
        self._looking = threading.Lock()

    def close(self) -> None:
        """Release the file; may be called twice."""
        with self._writing:
            self._file.close()
        self._note.release()
        with self._looking:
            self._close_reading()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, Transaction(self._file) as connection:
            yield connection

    @contextmanager
    def _moment(self) -> Iterator[sqlite3.Connection]:
        with self._looking:
            if self._reading is None:
                self._reading = SqliteReading(self._path)
            try:
                with self._reading.moment() as connection:
                    yield connection
            except RetryableError:
                self._close_reading()
                raise

    def _close_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None


def _of_this_schema(path: Path) -> SqliteFile:
    """The file; the one before could be traded on, and has no platform."""
    file = SqliteFile(path)
    try:
        require_current(path, stored_version(file.connection()))
    except BaseException:
        file.close()
        raise
    return file
