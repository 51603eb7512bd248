"""Reading a PostgreSQL journal beside its writer, as of one moment.

Not here: the statements (journal.reading), anything that writes (journal.postgres).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from holdfast.journal.postgres_connect import (
    Connection,
    PostgresRows,
    connect,
    name_of,
    raise_translated,
)
from holdfast.journal.postgres_pool import Pool
from holdfast.journal.reading import proved
from holdfast.journal.record import Record
from holdfast.journal.version import Stored, require_usable, stored_in

_TABLES = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
    AND NOT starts_with(table_name, 'lease_')
"""


def stored_version(connection: Connection) -> Stored | None:
    """What the database says of itself; None when it has no tables yet; leases do not count."""
    tables = {name for (name,) in connection.execute(_TABLES)}
    return stored_in(tables, lambda text: connection.execute(text.encode()))


@contextmanager
def one_moment(pool: Pool) -> Iterator[PostgresRows]:
    """A connection that shows the database as of one moment, whatever is written meanwhile.

    Raises:
        ConfigError: the address is wrong, or the schema is not the one of this program.
        CorruptionError: it is damaged.
        RetryableError: it cannot be read now.
    """
    try:
        with pool.one_moment() as connection:
            require_usable(pool.name, stored_version(connection))
            yield PostgresRows(connection)
    except psycopg.Error as error:
        raise_translated(pool.name, error)


def read_stream(pool: Pool, account: str, after_seq: int = 0) -> Iterator[Record]:
    """Records in order, all as of one moment, verified link by link.

    Raises:
        As `one_moment`; CorruptionError also when the chain does not hold.
    """
    with one_moment(pool) as rows:
        yield from proved(pool.name, rows, account, after_seq)



class PostgresReading:
    """A connection that is kept, for who looks again and again."""

    def __init__(self, url: str) -> None:
        self._name = name_of(url)
        self._connection = connect(url, application="holdfast follower")
        try:
            self._connection.read_only = True
            require_usable(self._name, stored_version(self._connection))
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except psycopg.Error as error:
            self._connection.close()
            raise_translated(self._name, error)
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def moment(self) -> Iterator[PostgresRows]:
        """The database as of one moment, while it is entered."""
        try:
            with self._connection.transaction():
                yield PostgresRows(self._connection)
        except psycopg.Error as error:
            raise_translated(self._name, error)

    def version(self) -> None:
        """Only a look can tell."""

    def lags(self) -> bool:
        """Whether the server is a standby, which replays what its primary wrote."""
        try:
            row = self._connection.execute("SELECT pg_is_in_recovery()").fetchone()
        except psycopg.Error as error:
            raise_translated(self._name, error)
        return row == (True,)

    def close(self) -> None:
        """Release it; may be called twice."""
        self._connection.close()
