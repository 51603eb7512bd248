"""Jobs in the database of a PostgreSQL journal, over a connection that commits no order.

Not here: the statements (rows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from holdfast.journal.postgres_connect import Connection, PostgresRows, name_of
from holdfast.journal.postgres_side import Side
from holdfast.platform.jobs.rows import JobRows, Session, make_tables

T = TypeVar("T")

_TURN: Final = 0x6A6F6273  # a number of ours, for those who make tables at once


class PostgresJobs(JobRows):
    """The rows at an address; the first call makes them."""

    def __init__(self, url: str) -> None:
        self.name = name_of(url)
        self._side = Side(url, self.name)
        self._is_made = False

    def close(self) -> None:
        """Release the connection; may be called twice."""
        self._side.close()

    def _run(self, steps: Callable[[Session], T]) -> T:
        def run(connection: Connection) -> T:
            if not self._is_made:
                with connection.transaction():
                    self._make(connection)
                self._is_made = True
            with connection.transaction():
                return steps(PostgresRows(connection))

        return self._side.run(run)

    def _make(self, connection: Connection) -> None:
        session = PostgresRows(connection)
        session.execute("SELECT pg_advisory_xact_lock(?)", (_TURN,))
        session.execute("CREATE TABLE IF NOT EXISTS job_layout (version BIGINT NOT NULL)")
        rows = session.execute("SELECT version FROM job_layout").fetchall()
        make_tables(self.name, session, rows[0][0] if rows else 0)
