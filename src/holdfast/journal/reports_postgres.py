"""Reports in a PostgreSQL journal's database, in a partition per month; over borrowed connections.

Not here: what is in the tables (journal.reports), the connections (journal.postgres_pool).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from holdfast.config.database import ReportPolicy
from holdfast.journal.postgres_connect import Connection, PostgresRows, raise_translated
from holdfast.journal.postgres_pool import Pool
from holdfast.journal.report_months import Month
from holdfast.journal.report_schema import BY_MONTH, metadata
from holdfast.journal.reports import Condition, Reports, Session
from holdfast.telemetry.log import get_logger

log = get_logger("journal.reports")

_FIRST: Final = Month(2009, 1)
"""Nothing was traded before; what claims to be older, or of the future, makes no partition."""

_TURN: Final = 0x7265706F7274  # a number of ours, for those who make tables at once

_PARTITIONS = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = %s::regclass ORDER BY c.relname
"""


class PostgresReports(Reports):
    """The tables, with partitions that are made before they are needed.

    Args:
        pool: its owner closes it.
    """

    def __init__(self, pool: Pool, policy: ReportPolicy) -> None:
        super().__init__(pool.name, policy)
        self._pool = pool
        self._months: dict[str, set[Month]] = {}
        self._told: set[Month] = set()

    def condition(self) -> Condition:
        """The months that each table has a partition of, and rows that are in none of them."""
        with self._reading() as session:
            assert isinstance(session, _PostgresSession)  # noqa: S101 - `_reading` made it
            months: set[str] = set()
            in_default = 0
            for table in BY_MONTH:
                months |= {str(month) for month in _partitions(session.connection, table)}
                count = f"SELECT count(*) FROM {table.name}_default"  # noqa: S608 - a name of ours
                in_default += session.execute(count).fetchone()[0]
        return Condition(tuple(sorted(months)), in_default)

    def close(self) -> None:
        """Nothing is its own: the connections are the pool's."""

    @contextmanager
    def _transaction(self, *, makes: bool = False) -> Iterator[Session]:
        try:
            with self._pool.connection() as connection, connection.transaction():
                if makes:
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_TURN,))
                yield _PostgresSession(connection)
        except psycopg.Error as error:
            self._months.clear()  # what was made in it is gone
            raise_translated(self.name, error)
        except BaseException:
            self._months.clear()
            raise

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with self._pool.one_moment() as connection:
                yield _PostgresSession(connection)
        except psycopg.Error as error:
            raise_translated(self.name, error)

    def _layout(self, session: Session) -> int | None:
        (there,) = session.execute("SELECT to_regclass('report_layout')").fetchone()
        if there is None:
            return None
        row = session.execute("SELECT version FROM report_layout").fetchone()
        return int(row[0]) if row is not None else None

    def _create(self, session: Session) -> None:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        for table in metadata.sorted_tables:
            session.execute(str(CreateTable(table).compile(dialect=dialect)))
            for index in table.indexes:  # each partition gets its own with its table
                session.execute(str(CreateIndex(index).compile(dialect=dialect)))
            if table in BY_MONTH:
                name = table.name
                session.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")

    def _drop(self, session: Session) -> None:
        self._months.clear()
        for table in metadata.sorted_tables:
            session.execute(f"DROP TABLE IF EXISTS {table.name}")  # with its partitions

    def _tend(self, session: Session, months: Sequence[Month]) -> None:
        assert isinstance(session, _PostgresSession)  # noqa: S101 - `_transaction` made it
        for table in BY_MONTH:
            there = self._months[table.name] = _partitions(session.connection, table)
            self._make_room(session, table, set(months))
            for month in sorted(there):
                if self._oldest_kept is not None and month < self._oldest_kept:
                    self._retire(session, table, month)

    def _make_room(self, session: Session, table: Table, months: Set[Month]) -> None:
        """A partition for each of `months`, taking over what the default one holds of it."""
        assert isinstance(session, _PostgresSession)  # noqa: S101 - `_transaction` made it
        if table.name not in self._months:
            self._months[table.name] = _partitions(session.connection, table)
        there = self._months[table.name]
        for month in sorted(months - there):
            if _FIRST <= month <= self._newest:
                _make_partition(session.connection, table, month)
                there.add(month)
            elif month not in self._told:
                self._told.add(month)
                log.error(
                    "rows of a month that cannot be: they are kept by the default partition",
                    action="report_default", table=table.name, month=str(month),
                )  # fmt: skip

    def _retire(self, session: Session, table: Table, month: Month) -> None:
        name = _partition(table, month)
        session.execute(f"ALTER TABLE {table.name} DETACH PARTITION {name}")
        if self.policy.drop:
            session.execute(f"DROP TABLE {name}")
        else:  # under another name, so that it is not taken for a partition that is missing
            session.execute(f"ALTER TABLE {name} RENAME TO {name}_detached")
        self._months[table.name].discard(month)
        log.info(
            "old reports retired", action="report_retired", table=name, dropped=self.policy.drop
        )


class _PostgresSession(PostgresRows):
    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> None:
        """Run it once per row, without waiting for each answer."""
        with self.connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s").encode(), rows)


def _make_partition(connection: Connection, table: Table, month: Month) -> None:
    name, parent, at = _partition(table, month), table.name, table.info["moment"]
    begin, end = month.begin.isoformat(), month.plus(1).begin.isoformat()
    where = f"\"{at}\" >= '{begin}' AND \"{at}\" < '{end}'"
    for statement in (
        f"CREATE TABLE {name} (LIKE {parent} INCLUDING ALL)",
        # What the default partition has of that month would forbid another one to have it.
        f"INSERT INTO {name} SELECT * FROM {parent}_default WHERE {where}",  # noqa: S608 - ours
        f"DELETE FROM {parent}_default WHERE {where}",  # noqa: S608 - names of ours
        f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')",
    ):
        connection.execute(statement.encode())


def _partition(table: Table, month: Month) -> str:
    return f"{table.name}_{month.year:04}_{month.number:02}"


def _partitions(connection: Connection, table: Table) -> set[Month]:
    names = [name for (name,) in connection.execute(_PARTITIONS, (table.name,))]
    months = [name.removeprefix(f"{table.name}_") for name in names]
    return {Month(*map(int, month.split("_"))) for month in months if month != "default"}

