"""Reports in a file beside the journal's: filling or reading them never takes the journal's lock.

Not here: what is in the tables (journal.reports).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, DateTime, Numeric, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from holdfast.config.database import ReportPolicy
from holdfast.errors import ConfigError
from holdfast.journal.report_months import Month, moment, nanoseconds
from holdfast.journal.report_schema import BY_MONTH, metadata
from holdfast.journal.reports import Condition, Reports, Session
from holdfast.journal.sqlite_connect import BUSY_TIMEOUT_S, SQLITE_ERRORS, raise_translated

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # of one width, so that text sorts as time


class SqliteReports(Reports):
    """The tables in one file, unpartitioned; made at the first use."""

    def __init__(self, path: Path, policy: ReportPolicy) -> None:
        super().__init__(str(path), policy)
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def condition(self) -> Condition:
        """A file has no partitions."""
        return Condition()

    def close(self) -> None:
        """Release the file; may be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                self._connection = sqlite3.connect(
                    self.path, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
            except sqlite3.OperationalError as error:
                raise ConfigError(
                    f"seen: {self.path} cannot be opened ({error}); expected: the journal's "
                    "directory, which may be written; do: allow it"
                ) from error
            # What a crash of the machine takes is filled in again.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
        return self._connection

    @contextmanager
    def _transaction(self, *, makes: bool = False) -> Iterator[Session]:
        del makes  # every transaction that writes is alone in its file
        try:
            connection = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except SQLITE_ERRORS as error:
            self.close()
            raise_translated(self.path, error)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            yield self._opened()  # one statement is as of one moment
        except SQLITE_ERRORS as error:
            raise_translated(self.path, error)

    def _layout(self, session: Session) -> int | None:
        known = {name for (name,) in session.execute("SELECT name FROM sqlite_master")}
        if "report_layout" not in known:
            return None
        row = session.execute("SELECT version FROM report_layout").fetchone()
        return int(row[0]) if row is not None else None

    def _create(self, session: Session) -> None:
        dialect = sqlite.dialect()
        for table in metadata.sorted_tables:
            session.execute(str(CreateTable(table).compile(dialect=dialect)))
            for index in table.indexes:
                session.execute(str(CreateIndex(index).compile(dialect=dialect)))

    def _drop(self, session: Session) -> None:
        for table in metadata.sorted_tables:
            session.execute(f"DROP TABLE IF EXISTS {table.name}")

    def _tend(self, session: Session, months: Sequence[Month]) -> None:
        del months
        if self._oldest_kept is None:
            return
        if not self.policy.drop:  # there is nothing to put them
            self._oldest_kept = None
            return
        for table in BY_MONTH:
            session.execute(
                f'DELETE FROM {table.name} WHERE "{table.info["moment"]}" < ?',  # noqa: S608 - ours
                (self._oldest_kept.begin.strftime(_FORMAT),),
            )

    def _make_room(self, session: Session, table: Table, months: object) -> None:
        """A table holds any month."""

    def _stored(self, kind: object, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(kind, DateTime):
            return moment(value).strftime(_FORMAT)
        return f"{value:f}" if isinstance(kind, Numeric) else value

    def _shown(self, kind: object) -> Callable[[Any], Any]:
        if isinstance(kind, DateTime):
            return _moment_of
        if isinstance(kind, Boolean):
            return bool
        return Decimal if isinstance(kind, Numeric) else super()._shown(kind)


def _moment_of(stored: str) -> int:
    return nanoseconds(datetime.fromisoformat(stored))
