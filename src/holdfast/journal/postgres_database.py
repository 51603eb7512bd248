"""A journal in PostgreSQL as one thing: everything that can be opened at its address.

Not here: the parts (the other `postgres` modules), choosing a database (journal.database).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from holdfast.config.database import DatabasePool, ReportPolicy
from holdfast.journal.commands import Commands
from holdfast.journal.database import PoolState
from holdfast.journal.displace import nothing
from holdfast.journal.high_water import OF_POSTGRES, HighWater
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import (
    PostgresRows,
    database_name,
    name_of,
)
from holdfast.journal.postgres_owner import PostgresOwner
from holdfast.journal.postgres_pool import ON_DEMAND, Pool
from holdfast.journal.postgres_read import (
    PostgresReading,
    one_moment,
    read_stream,
    stored_version,
)
from holdfast.journal.reading import Rows
from holdfast.journal.record import Record
from holdfast.journal.tail import Tail
from holdfast.journal.version import Stored, require_usable

if TYPE_CHECKING:
    from holdfast.journal.reports import Reports
    from holdfast.platform.port import PlatformStore


class PostgresDatabase:
    """A journal at a PostgreSQL address; nothing is opened before it is asked for.

    Args:
        state: the directory for what this host knows and the database must not tell it.
        may_lose: accept a server that may lose commits, loudly.
        pool: how many connections to keep; None is for a process that looks once and ends.
    """

    def __init__(
        self,
        url: str,
        state: Path = Path(),
        *,
        may_lose: bool = False,
        pool: DatabasePool | None = None,
    ) -> None:
        self.name = name_of(url)
        self.url = url
        self._state = state
        self._pool = Pool(url, pool or ON_DEMAND)
        self.may_lose = may_lose

    def require(self) -> None:
        """Nothing: what is asked of it next says whether it is there."""

    def store(self) -> PostgresStore:
        """Open it for writing; its tables are made where there are none."""
        return PostgresStore(self.url, self._pool, may_lose=self.may_lose)

    def own(
        self, account: str, *, displace: bool = False, require: Callable[[], None] = nothing
    ) -> PostgresOwner:
        """Become the one live writer of `account` in this database."""
        self._state.mkdir(parents=True, exist_ok=True)
        return PostgresOwner(self.url, account, displace=displace, require=require)

    def high_water(self, account: str) -> HighWater:
        """How far this host knows that a stream had come."""
        return HighWater.beside(self._state / (database_name(self.url) + OF_POSTGRES), account)

    def commands(self) -> Commands:
        """The operators' commands."""
        return PostgresCommands(self._pool)

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, as of one moment, verified link by link."""
        return read_stream(self._pool, account, after_seq)

    def one_moment(self) -> AbstractContextManager[Rows]:
        """A connection for reading, as of one moment."""
        return one_moment(self._pool)

    def tail(self) -> Tail:
        """Follows streams as they grow; opens nothing yet."""
        return Tail(self.name, lambda: PostgresReading(self.url))

    def version(self) -> Stored | None:
        """What it says of itself; None without any tables."""
        return self._pool.run(stored_version)

    def upgrade(self) -> None:
        """Bring it to the schema of this program; safe to repeat."""
        from holdfast.journal.postgres_upgrade import upgrade  # noqa: PLC0415  # imports Alembic

        upgrade(self.url)

    def finalize(self) -> None:
        """Let this program write what older ones cannot read; there is no way back from here."""
        from holdfast.journal.postgres_upgrade import finalize  # noqa: PLC0415  # imports Alembic

        finalize(self.url)

    def downgrade(self) -> None:
        """Undo the last migration, as long as that is not final."""
        from holdfast.journal.postgres_upgrade import downgrade  # noqa: PLC0415  # imports Alembic

        downgrade(self.url)

    def reports(self, policy: ReportPolicy) -> Reports:
        """The tables of reports, over the connections that reads borrow."""
        from holdfast.journal.reports_postgres import PostgresReports  # noqa: PLC0415  # SQLAlchemy

        return PostgresReports(self._pool, policy)

    def platform(self) -> PlatformStore:
        """Users, tokens and the platform's stream, over the connections that reads borrow."""
        from holdfast.journal.platform_postgres import PostgresPlatform  # noqa: PLC0415  # of few

        return PostgresPlatform(self._pool)

    def pool(self) -> PoolState:
        """Its connections in numbers, for metrics."""
        return self._pool.state()

    def close(self) -> None:
        """Close the connections that reads had opened."""
        self._pool.close()


class PostgresCommands(Commands):
    """The commands in a PostgreSQL journal.

    Making them asks the server nothing: who takes an account over is not kept waiting for it.

    Raises:
        ConfigError, RetryableError: each call, as a connection; or the schema is not this
            program's.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(time.time_ns)
        self._pool = pool
        self._is_usable = False

    def close(self) -> None:
        """Nothing is its own: the connections are the database's."""

    def _run(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        def run(connection: psycopg.Connection[Any]) -> list[Any]:
            cursor = PostgresRows(connection).execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []  # type: ignore[attr-defined]

        if not self._is_usable:
            require_usable(self._pool.name, self._pool.run(stored_version))
            self._is_usable = True
        return self._pool.run(run)
