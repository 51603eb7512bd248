"""Reports as tables, whichever database they are in: what may be asked of them, and of whom filled.

A row is a mapping of its columns: moments are UTC nanoseconds, numbers are Decimals. Not here: the
tables (journal.report_schema), what makes rows (app.reports).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import DateTime, Table

from holdfast.config.database import ReportPolicy
from holdfast.errors import ConfigError, FencedError
from holdfast.journal.reading import Answer
from holdfast.journal.record import GENESIS
from holdfast.journal.report_months import Month, moment, nanoseconds
from holdfast.journal.report_query import Moment, Statement, Wanted, newest_first, thinned
from holdfast.journal.report_schema import FILLED, LAYOUT, metadata
from holdfast.journal.report_schema import saved as saved_table
from holdfast.telemetry.log import get_logger

log = get_logger("journal.reports")

Row = Mapping[str, Any]
Changes = Mapping[str, Iterable[Row]]
"""Rows by the name of their table, at most one per key."""

MONTHS_AHEAD: Final = 2
"""Partitions that are made before anything needs them."""

TABLES: Final = {table.name: table for table in FILLED}


class Progress(msgspec.Struct, frozen=True):
    """How far the reports of an account have come in its stream.

    Attributes:
        hash: of record `seq`, so that another history is told apart (32 bytes).
    """

    seq: int = 0
    hash: bytes = GENESIS


class Condition(msgspec.Struct, frozen=True):
    """What keeps the tables.

    Attributes:
        months: the partitions of each month that is there, `2026-11`; empty without partitions.
        in_default: rows outside of all months; more than none deserve a look at their times.
    """

    months: tuple[str, ...] = ()
    in_default: int = 0


Point = tuple[int, Decimal, float]
"""A moment (ns), a value, and how far it is below the highest so far, percent."""


class Series(msgspec.Struct, frozen=True):
    """A value over time.

    Attributes:
        points: the oldest first.
        worst: the deepest of all drawdowns, percent, those between the points too.
    """

    points: tuple[Point, ...]
    worst: float


class Session(Protocol):
    """One transaction, with `?` for each parameter."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Answer:
        """Run one statement."""
        ...

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> object:
        """Run it once per row."""
        ...


class Reports(ABC):
    """The tables in one database. Blocks; for one thread at a time.

    Each method may raise ConfigError (no right to do it), RetryableError (not now; nothing was
    changed) and CorruptionError (the database is damaged).
    """

    def __init__(self, name: str, policy: ReportPolicy) -> None:
        self.name = name
        self.policy = policy
        self._oldest_kept: Month | None = None
        self._newest = Month(1970, 1)

    def make(self, now_ns: int) -> None:
        """Make what is missing, partitions of the months to come too, and retire what is too old.

        Safe to repeat, and worth it now and then: months go by. Tables of an older layout are made
        anew, and what they held is to be filled in again.

        Raises:
            ConfigError: a newer program made them.
        """
        month = Month.of(now_ns)
        kept = self.policy.keep_months
        self._oldest_kept = month.plus(1 - kept) if kept else None
        self._newest = month.plus(MONTHS_AHEAD)
        with self._transaction(makes=True) as session:
            version = self._layout(session)
            if version is not None and version > LAYOUT:
                raise ConfigError(
                    f"seen: {self.name} has reports of layout {version}; expected: at most "
                    f"{LAYOUT}; do: start the newer version of holdfast that made them"
                )
            if version is not None and version < LAYOUT:
                log.warning("reports are made anew", action="reports_layout", seen=version)
                self._drop(session)
                version = None
            if version is None:
                self._create(session)
                session.execute("INSERT INTO report_layout (version) VALUES (?)", (LAYOUT,))
            self._tend(session, [month.plus(n) for n in range(MONTHS_AHEAD + 1)])

    def begin(self, account: str) -> Progress:
        """How far they have come; from now on `write` may go on from there."""
        with self._transaction() as session:
            session.execute(
                "INSERT INTO report_progress (account, seq, hash) VALUES (?, 0, ?) "
                "ON CONFLICT (account) DO NOTHING",
                (account, GENESIS),
            )
            row = session.execute(
                "SELECT seq, hash FROM report_progress WHERE account = ?", (account,)
            ).fetchone()
            return Progress(row[0], bytes(row[1]))

    def saved(self, account: str) -> bytes | None:
        """What `write` was last given to keep."""
        with self._transaction() as session:
            row = session.execute(
                "SELECT body FROM report_saved WHERE account = ?", (account,)
            ).fetchone()
            return bytes(row[0]) if row is not None else None

    def write(
        self,
        account: str,
        before: Progress,
        after: Progress,
        changes: Changes,
        saved: bytes | None = None,
    ) -> None:
        """Take in what the records after `before` up to `after` changed: all of it, or nothing.

        Args:
            saved: kept for who goes on after a restart.

        Raises:
            FencedError: another process has moved the reports of this account on.
        """
        with self._transaction() as session:
            moved = session.execute(
                "UPDATE report_progress SET seq = ?, hash = ? "
                "WHERE account = ? AND seq = ? AND hash = ? RETURNING seq",
                (after.seq, after.hash, account, before.seq, before.hash),
            )
            if moved.fetchone() is None:
                raise FencedError(
                    f"seen: the reports of {account} in {self.name} are not at record {before.seq} "
                    "any more; expected: one process that fills them; do: let the other one do it"
                )
            for name, rows in changes.items():
                self._write_rows(session, TABLES[name], rows)
            if saved is not None:
                session.execute(upsert(saved_table), (account, after.seq, saved))

    def reset(self, account: str) -> None:
        """Forget everything of an account; it can be filled in again."""
        with self._transaction() as session:
            for table in (*FILLED, metadata.tables["report_progress"], saved_table):
                session.execute(
                    f"DELETE FROM {table.name} WHERE account = ?",  # noqa: S608 - a name of ours
                    (account,),
                )

    def read(
        self,
        table: str,
        account: str,
        since_ns: int | None = None,
        until_ns: int | None = None,
        limit: int = 1000,
    ) -> list[Row]:
        """Rows in the order of their keys, as of one moment.

        Args:
            since_ns, until_ns: of tables by month: at or after, and before.
            limit: at most so many.
        """
        of = TABLES[table]
        where: list[str] = ["account = ?"]
        parameters: list[object] = [account]
        for sign, moment_ns in ((">=", since_ns), ("<", until_ns)):
            if moment_ns is not None:
                where.append(f'"{of.info["moment"]}" {sign} ?')
                parameters.append(self._stored(DateTime(), moment_ns))
        columns = ", ".join(f'"{column.name}"' for column in of.columns)
        keys = ", ".join(f'"{column.name}"' for column in of.primary_key)
        statement = (
            f"SELECT {columns} FROM {of.name} WHERE {' AND '.join(where)} "  # noqa: S608 - ours
            f"ORDER BY {keys} LIMIT ?"
        )
        with self._reading() as session:
            found = session.execute(statement, (*parameters, limit)).fetchall()
        return self._rows(of, found)

    def newest(self, table: str, account: str, wanted: Wanted) -> list[Row]:
        """Rows of a table by month, newest first, as of one moment."""
        of = TABLES[table]
        return self._rows(of, self._found(newest_first(of, account, wanted)))

    def series(
        self,
        account: str,
        bot: str = "",
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        points: int = 500,
    ) -> Series:
        """Equity of an account, or the profit of a bot, thinned; drawdowns are of all marks."""
        columns = TABLES["report_equity"].columns
        shown_at, shown = self._shown(columns["at"].type), self._shown(columns["equity"].type)
        found = self._found(thinned(account, bot, since_ns, until_ns, points))
        points_ = tuple(
            [(shown_at(at), shown(value), float(fall)) for at, value, fall, _ in found]
        )
        return Series(points_, max((float(worst) for *_, worst in found), default=0.0))

    def reached(self, account: str) -> int:
        """The last record that the tables have; 0 without any."""
        statement = "SELECT seq FROM report_progress WHERE account = ?"
        return next((int(row[0]) for row in self._found((statement, [account]))), 0)

    def _found(self, question: Statement) -> list[Any]:
        statement, parameters = question
        stored = [
            self._stored(DateTime(), one.at_ns) if isinstance(one, Moment) else one
            for one in parameters
        ]
        with self._reading() as session:
            return session.execute(statement, stored).fetchall()

    @abstractmethod
    def condition(self) -> Condition:
        """What keeps the tables, for people and alarms."""

    @abstractmethod
    def close(self) -> None:
        """Release the database; may be called twice."""

    def _write_rows(self, session: Session, table: Table, rows: Iterable[Row]) -> None:
        at = table.info.get("moment")
        if at and (oldest := self._oldest_kept):
            rows = (row for row in rows if Month.of(row[at]) >= oldest)
        columns = list(table.columns)
        found = list(rows)
        if found and at:
            self._make_room(session, table, {Month.of(row[at]) for row in found})
        if found:
            session.executemany(
                upsert(table),
                [[self._stored(c.type, row[c.name]) for c in columns] for row in found],
            )

    def _stored(self, kind: object, value: Any) -> Any:
        return moment(value) if isinstance(kind, DateTime) and value is not None else value

    def _rows(self, of: Table, found: Iterable[Sequence[Any]]) -> list[Row]:
        names = [column.name for column in of.columns]
        shown = [(column.name, self._shown(column.type)) for column in of.columns]
        other = [(name, show) for name, show in shown if show is not _same]
        rows: list[Row] = []
        for values in found:
            row = dict(zip(names, values, strict=True))
            for name, show in other:
                if row[name] is not None:
                    row[name] = show(row[name])
            rows.append(row)
        return rows

    def _shown(self, kind: object) -> Callable[[Any], Any]:
        """What makes a row's value of a stored one that is not null."""
        return nanoseconds if isinstance(kind, DateTime) else _same

    @abstractmethod
    def _transaction(self, *, makes: bool = False) -> AbstractContextManager[Session]:
        """One that is written as a whole; who `makes` tables is alone in it."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Session]:
        """The database as of one moment."""

    @abstractmethod
    def _layout(self, session: Session) -> int | None:
        """Of the tables that are there; None without any."""

    @abstractmethod
    def _create(self, session: Session) -> None:
        """Make the tables."""

    @abstractmethod
    def _drop(self, session: Session) -> None:
        """Remove them with everything in them."""

    @abstractmethod
    def _tend(self, session: Session, months: Sequence[Month]) -> None:
        """Make room for `months`, and retire what is older than what is kept."""

    @abstractmethod
    def _make_room(self, session: Session, table: Table, months: Set[Month]) -> None:
        """Rows of these months are about to come."""


def _same(value: Any) -> Any:
    return value


def upsert(table: Table) -> str:
    """A statement that writes a row, over one of the same key."""
    names = [f'"{column.name}"' for column in table.columns]
    keys = [f'"{column.name}"' for column in table.primary_key]
    new = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) "  # noqa: S608 - names of ours
        f"VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {new}"
    )
