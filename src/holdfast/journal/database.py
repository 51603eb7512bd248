"""A journal database as one thing: everything that can be opened at an address.

Lives here: what each kind must offer, the one in a file, and which address means which. Not here:
how an address is written in the configuration (holdfast.config).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from holdfast.config.database import DatabasePool, ReportPolicy
from holdfast.errors import ConfigError
from holdfast.journal.commands import Commands, SqliteCommands
from holdfast.journal.displace import nothing
from holdfast.journal.high_water import HighWater
from holdfast.journal.owner import OwnerLock
from holdfast.journal.port import Store
from holdfast.journal.reading import Rows
from holdfast.journal.record import Record
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.sqlite_connect import SQLITE_ERRORS, connect, raise_translated
from holdfast.journal.sqlite_read import SqliteReading, one_moment, read_stream, stored_version
from holdfast.journal.tail import Tail
from holdfast.journal.version import Stored

if TYPE_CHECKING:
    from holdfast.journal.reports import Reports
    from holdfast.platform.port import PlatformStore

SQLITE = "sqlite:///"


class PoolState(msgspec.Struct, frozen=True):
    """Connections of this process to a database, in numbers.

    Attributes:
        min, max: how many are kept, and opened at most.
        open, in_use, idle: how many there are now.
        waiting: callers that wait for one now.
        requests, waits, timeouts: callers so far; those that had to wait, and those in vain.
        waited_ms: all waits together.
        connects, failed_connects: connections opened so far, and those that could not be.
        lost: connections that were found broken.
    """

    min: int
    max: int
    open: int
    in_use: int
    idle: int
    waiting: int
    requests: int
    waits: int
    waited_ms: int
    timeouts: int
    connects: int
    failed_connects: int
    lost: int


class Owner(Protocol):
    """Held by the one live writer of an account."""

    def hold(self) -> None:
        """Take it again where it was lost since: a session ended, or somebody put it aside.

        Blocks, for some seconds at most; does nothing after `release`.

        Raises:
            FencedError: another process has it now; the text names it.
            RetryableError: whether it is held cannot be told now.
        """
        ...

    def release(self) -> None:
        """Let others have it; may be called twice."""
        ...


class Database(Protocol):
    """A journal at an address. Making one opens nothing.

    Attributes:
        name: for people, without a password.

    Each method may raise ConfigError (wrong address, another schema), CorruptionError (damaged) and
    RetryableError (not now).
    """

    @property
    def name(self) -> Path | str: ...

    def require(self) -> None:
        """Refuse what cannot be there, before it is made by looking at it.

        Raises:
            ConfigError: there is no journal.
        """
        ...

    def store(self) -> Store:
        """Open it for writing; its tables are made where there are none."""
        ...

    def own(
        self, account: str, *, displace: bool = False, require: Callable[[], None] = nothing
    ) -> Owner:
        """Become the one live writer of `account`. Blocks, for some seconds at most.

        Args:
            displace: whoever is it has lost its lease, and may hang: it is put aside, and killed or
                cut off where it holds up the journal.
            require: called at the moment of doing so, perhaps in another thread; raises where
                that is not right any more.

        Raises:
            FencedError: another process is; the text names it.
            RetryableError: the one to be displaced cannot be; the text says who blocks.
        """
        ...

    def high_water(self, account: str) -> HighWater:
        """How far this host knows that a stream had come."""
        ...

    def commands(self) -> Commands:
        """The operators' commands."""
        ...

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, as of one moment, verified link by link."""
        ...

    def one_moment(self) -> AbstractContextManager[Rows]:
        """A connection for reading, as of one moment."""
        ...

    def tail(self) -> Tail:
        """Follows streams as they grow; opens nothing yet."""
        ...

    def version(self) -> Stored | None:
        """What it says of itself; None without any tables."""
        ...

    def upgrade(self) -> None:
        """Bring it to the schema of this program, or make it; safe to repeat."""
        ...

    def finalize(self) -> None:
        """Let this program write what older ones cannot read; there is no way back from here."""
        ...

    def downgrade(self) -> None:
        """Undo the last migration, as long as that is not final."""
        ...

    def reports(self, policy: ReportPolicy) -> Reports:
        """The tables of reports; the first `make` makes them."""
        ...

    def platform(self) -> PlatformStore:
        """Users, tokens and the platform's stream; who asks closes it."""
        ...

    def pool(self) -> PoolState | None:
        """Its connections in numbers, for metrics; None where there is nothing to share."""
        ...

    def close(self) -> None:
        """Release what reads had opened; stores, commands and owners are closed by who has them."""
        ...


class SqliteDatabase:
    """A journal in a file, and the files beside it."""

    def __init__(self, path: Path) -> None:
        self.name = path

    def require(self) -> None:
        """Refuse a file that is not there."""
        if not self.name.is_file():
            raise ConfigError(
                f"seen: no journal at {self.name}; expected: the file of a node; do: name it with "
                "--database, or start `holdfast node`"
            )

    def store(self) -> SqliteStore:
        """Open it for writing; its tables are made where there are none."""
        return SqliteStore(self.name)

    def own(
        self, account: str, *, displace: bool = False, require: Callable[[], None] = nothing
    ) -> OwnerLock:
        """Become the one live writer of `account` on this host; the directory is made."""
        self.name.parent.mkdir(parents=True, exist_ok=True)
        return OwnerLock(self.name, account, displace=displace, require=require)

    def high_water(self, account: str) -> HighWater:
        """How far this host knows that a stream had come."""
        return HighWater.beside(self.name, account)

    def commands(self) -> SqliteCommands:
        """The operators' commands."""
        return SqliteCommands(self.name)

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, as of one moment, verified link by link."""
        return read_stream(self.name, account, after_seq)

    def one_moment(self) -> AbstractContextManager[Rows]:
        """A connection for reading, as of one moment."""
        return one_moment(self.name)

    def tail(self) -> Tail:
        """Follows streams as they grow; opens nothing yet."""
        return Tail(self.name, lambda: SqliteReading(self.name))

    def version(self) -> Stored | None:
        """What it says of itself; None without any tables."""
        with closing(connect(self.name, read_only=True)) as connection:
            try:
                return stored_version(connection)
            except SQLITE_ERRORS as error:
                raise_translated(self.name, error)

    def upgrade(self) -> None:
        """Bring it to the schema of this program, or make it; safe to repeat."""
        from holdfast.journal.upgrade import upgrade  # noqa: PLC0415  # imports Alembic

        upgrade(self.name)

    def finalize(self) -> None:
        """Let this program write what older ones cannot read; there is no way back from here."""
        from holdfast.journal.upgrade import finalize  # noqa: PLC0415  # imports Alembic

        self.require()
        finalize(self.name)

    def downgrade(self) -> None:
        """Undo the last migration, as long as that is not final."""
        from holdfast.journal.upgrade import downgrade  # noqa: PLC0415  # imports Alembic

        self.require()
        downgrade(self.name)

    def reports(self, policy: ReportPolicy) -> Reports:
        """The tables of reports, in a file of their own: filling them never locks the journal."""
        from holdfast.journal.reports_sqlite import SqliteReports  # noqa: PLC0415  # SQLAlchemy

        return SqliteReports(self.name.with_name(f"{self.name.name}.reports"), policy)

    def platform(self) -> PlatformStore:
        """Users, tokens and the platform's stream."""
        from holdfast.journal.platform_sqlite import SqlitePlatform  # noqa: PLC0415  # of few

        return SqlitePlatform(self.name)

    def pool(self) -> None:
        """None: each read opens the file, which costs next to nothing."""

    def close(self) -> None:
        """Nothing is kept open."""


def database_at(
    url: str,
    state: Path = Path(),
    *,
    may_lose: bool = False,
    pool: DatabasePool | None = None,
) -> Database:
    """The journal at a `sqlite:///` or `postgresql://` address.

    Args:
        state: the directory for what this host knows of a database elsewhere.
        pool: how many connections to keep; None is for a process that looks once and ends.
        may_lose: accept a server that may lose commits, loudly.

    Raises:
        ConfigError: the driver is not installed, or does not understand the address.
    """
    if url.startswith(SQLITE):
        return SqliteDatabase(Path(url.removeprefix(SQLITE)))
    try:
        from holdfast.journal.postgres_database import PostgresDatabase  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ConfigError(
            f"seen: an address of PostgreSQL, and no driver for it ({error}); expected: psycopg; "
            "do: pip install 'holdfast[postgres]'"
        ) from error
    return PostgresDatabase(url, state, may_lose=may_lose, pool=pool)
