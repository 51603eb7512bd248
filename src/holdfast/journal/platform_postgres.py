"""The platform's tables in a PostgreSQL journal, over the connections that reads borrow.

Not here: the stream (journal.platform).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from holdfast.errors import OutcomeUnknownError
from holdfast.journal.platform import OvertakenError, PlatformTables
from holdfast.journal.postgres_connect import (
    IDLE_IN_TRANSACTION_MS,
    PostgresRows,
    raise_translated,
)
from holdfast.journal.postgres_pool import Pool
from holdfast.journal.postgres_read import one_moment, stored_version
from holdfast.journal.version import require_current

_GAVE_WAY: Final = frozenset({"40001", "40P01"})
_LIMITS = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"


class PostgresPlatform(PlatformTables):
    """A `PlatformStore` in a PostgreSQL journal. For threads.

    Raises:
        ConfigError, RetryableError: as a connection; or the schema is not this program's.
    """

    def __init__(self, pool: Pool, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        super().__init__(pool.name, now_ns)
        self._pool = pool
        require_current(pool.name, pool.run(stored_version))

    def close(self) -> None:
        """Nothing is its own: the connections are the database's."""

    @contextmanager
    def _transaction(self) -> Iterator[PostgresRows]:
        with self._pool.connection() as connection:
            try:
                connection.execute("BEGIN")
                # A process that freezes here must not keep others from appending.
                connection.execute(_LIMITS, (IDLE_IN_TRANSACTION_MS,))
                yield PostgresRows(connection)
            except psycopg.Error as error:
                if error.sqlstate in _GAVE_WAY:
                    raise OvertakenError from error
                raise_translated(self._pool.name, error)
            self._commit(connection)

    def _commit(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        try:
            connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise_translated(self._pool.name, error)
            raise OutcomeUnknownError(
                f"seen: {self._pool.name} was lost while committing ({error}); expected: an "
                "answer; do: look whether it took effect before you ask again"
            ) from error
        except psycopg.Error as error:
            raise_translated(self._pool.name, error)

    @contextmanager
    def _moment(self) -> Iterator[PostgresRows]:
        with one_moment(self._pool) as rows:
            yield rows
