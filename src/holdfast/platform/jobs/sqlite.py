"""Jobs in a file beside a journal's: a worker that computes at full load never holds up the writer.

Not here: the statements (rows).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from holdfast.journal.sqlite_connect import SQLITE_ERRORS, connect, raise_translated
from holdfast.platform.jobs.rows import JobRows, Session, make_tables

T = TypeVar("T")

# SQLite lets nobody queue: one of several workers may be passed by for seconds, and no job is that
# urgent.
_BUSY_TIMEOUT_S: Final = 20.0


def jobs_beside(journal: Path) -> Path:
    """The file of jobs that belongs to a journal's file."""
    return journal.with_name(f"{journal.name}.jobs")


class SqliteJobs(JobRows):
    """The rows in one file, which the first call makes.

    Args:
        path: in a directory that exists.
    """

    def __init__(self, path: Path) -> None:
        self.name = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Release the file; may be called twice."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _run(self, steps: Callable[[Session], T]) -> T:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                return _as_one(self._connection, steps)
            except SQLITE_ERRORS as error:
                raise_translated(self.name, error)

    def _opened(self) -> sqlite3.Connection:
        self.name.parent.mkdir(parents=True, exist_ok=True)
        connection = connect(self.name, _BUSY_TIMEOUT_S)
        try:
            _as_one(connection, self._make)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self, session: Session) -> None:
        session.execute("CREATE TABLE IF NOT EXISTS job_layout (version BIGINT NOT NULL)")
        rows = session.execute("SELECT version FROM job_layout").fetchall()
        make_tables(self.name, session, rows[0][0] if rows else 0)


class _Dialect:
    """SQLite has one writer, and so no rows to skip."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: object = (), /) -> sqlite3.Cursor:
        plain = statement.replace("FOR UPDATE SKIP LOCKED", "")
        return self._connection.execute(plain, parameters)  # type: ignore[arg-type]


def _as_one(connection: sqlite3.Connection, steps: Callable[[Session], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = steps(_Dialect(connection))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return found
