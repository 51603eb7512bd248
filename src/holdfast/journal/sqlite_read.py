"""Reading a journal file beside its writer: nothing here can lock it out or change it.

Not here: the statements (journal.reading), anything that writes (journal.sqlite_file).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from holdfast.domain.fact import Armed, CancelArmed
from holdfast.journal.reading import attempt_of, proved
from holdfast.journal.record import Record
from holdfast.journal.sqlite_connect import (
    BUSY_TIMEOUT_S,
    SQLITE_ERRORS,
    connect,
    raise_translated,
)
from holdfast.journal.version import Stored, require_usable, stored_in


def stored_version(connection: sqlite3.Connection) -> Stored | None:
    """What the open file says of itself; None when it has no tables yet."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return stored_in(tables, connection.execute)


def read_stream(
    path: Path, account: str, after_seq: int = 0, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Iterator[Record]:
    """Records in order, all as of one moment, verified link by link.

    Raises:
        ConfigError: there is no such file, or its schema is not the one of this program.
        CorruptionError: the file is damaged or the chain does not hold.
        RetryableError: the file cannot be read now.
    """
    with one_moment(path, busy_timeout_s) as connection:
        yield from proved(path, connection, account, after_seq)


@contextmanager
def one_moment(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[sqlite3.Connection]:
    """A connection that shows the file as of one moment, whatever is written meanwhile.

    Raises:
        As `read_stream`; what SQLite raises inside is translated as well.
    """
    with closing(connect(path, busy_timeout_s, read_only=True)) as connection:
        try:
            require_usable(path, stored_version(connection))
            connection.execute("BEGIN")
            yield connection
        except SQLITE_ERRORS as error:
            raise_translated(path, error)


class SqliteReading:
    """A connection that is kept, for who looks again and again."""

    def __init__(self, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._connection = connect(path, busy_timeout_s, read_only=True)
        try:
            require_usable(path, stored_version(self._connection))
        except SQLITE_ERRORS as error:
            self._connection.close()
            raise_translated(path, error)
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def moment(self) -> Iterator[sqlite3.Connection]:
        """The file as of one moment, while it is entered."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")
        except SQLITE_ERRORS as error:
            raise_translated(self._path, error)

    def version(self) -> int:
        """Another number after each commit of another connection."""
        try:
            (found,) = self._connection.execute("PRAGMA data_version").fetchone()
        except SQLITE_ERRORS as error:
            raise_translated(self._path, error)
        return int(found)

    def lags(self) -> bool:
        """There is one file."""
        return False

    def close(self) -> None:
        """Release it; may be called twice."""
        self._connection.close()


def find_attempt(
    path: Path, account: str, cid: str, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Armed | CancelArmed | None:
    """The order or cancel that was armed under `cid`, however long ago; None when none was.

    Raises:
        As `read_stream`; CorruptionError also when the record behind the row is not of this id.
    """
    with one_moment(path, busy_timeout_s) as connection:
        return attempt_of(path, connection, account, cid)
