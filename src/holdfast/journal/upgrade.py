"""Bringing a journal file to the schema of this program, ending that, and going back.

Imports SQLAlchemy and Alembic, and so is imported only when there is something to migrate. Not
here: other databases (journal.postgres_upgrade), what is migrated (journal.migrations).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from holdfast.errors import ConfigError
from holdfast.journal.record import FORMAT
from holdfast.journal.sqlite_connect import connect, raise_translated
from holdfast.journal.version import FIRST, SCHEMA_VERSION, Stored, require_current, stored_in

_FINALIZE = sa.text("UPDATE compatibility SET oldest = :oldest, writes = :writes")


def upgrade(path: Path) -> None:
    """Create the file or run what is missing, all in one transaction; safe to repeat.

    Two processes that do so at once take turns, and the second finds nothing left to do. Blocks.

    Raises:
        ConfigError, CorruptionError: as `connect`; ConfigError also when it is newer.
        RetryableError: it is in use, or the disk is full; nothing was changed.
    """
    connect(path).close()  # there from here on, and known to be durable
    with _migrating(path) as connection:
        run_upgrade(path, connection)


def finalize(path: Path) -> None:
    """Let this program write what older ones cannot read; there is no way back from here.

    Raises: as `upgrade`; ConfigError also when the file is of another schema.
    """
    with _migrating(path) as connection:
        run_finalize(path, connection)


def downgrade(path: Path) -> None:
    """Undo the last migration, as long as nothing that older programs cannot read was allowed.

    Raises: as `finalize`.
    """
    with _migrating(path) as connection:
        run_downgrade(path, connection)


@contextmanager
def _migrating(path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise_translated(path, error.orig)
        raise
    finally:
        engine.dispose()


# -- the same for every database, within a transaction ---------------------------------------------


def run_upgrade(name: Path | str, connection: sa.Connection) -> None:
    """Run what is missing; a database that is made now has no older programs to wait for."""
    is_new = not sa.inspect(connection).has_table("alembic_version")
    stored = None if is_new else _stored(connection)
    if stored is not None and stored.writes and stored.schema > SCHEMA_VERSION:
        raise ConfigError(
            f"seen: {name} has schema {stored.schema}; expected: at most {SCHEMA_VERSION}; do: "
            "nothing to trade on it before it is finalized; upgrade with the newer version of "
            "holdfast that made it so"
        )
    command.upgrade(alembic_config(connection), "head")
    if is_new:
        connection.execute(_FINALIZE, {"oldest": SCHEMA_VERSION, "writes": FORMAT})


def run_finalize(name: Path | str, connection: sa.Connection) -> None:
    """Only programs of this schema and later from here on."""
    stored = require_current(name, _stored(connection))
    if stored.schema > SCHEMA_VERSION:
        raise ConfigError(
            f"seen: {name} has schema {stored.schema}; expected: {SCHEMA_VERSION}; do: finalize it "
            "with the program that upgraded it"
        )
    connection.execute(_FINALIZE, {"oldest": SCHEMA_VERSION, "writes": FORMAT})


def run_downgrade(name: Path | str, connection: sa.Connection) -> None:
    """Back by one migration, unless records that older programs cannot read are allowed."""
    stored = require_current(name, _stored(connection))
    if stored.schema != SCHEMA_VERSION or stored.schema == FIRST:
        raise ConfigError(
            f"seen: {name} has schema {stored.schema}; expected: {SCHEMA_VERSION} with one before "
            "it; do: downgrade with the program that upgraded it"
        )
    if stored.oldest == SCHEMA_VERSION:
        raise ConfigError(
            f"seen: {name} is final at schema {stored.schema}: it may hold records that no older "
            "program reads; expected: one that was upgraded and not finalized; do: restore a "
            "backup of before, or stay with this version"
        )
    command.downgrade(alembic_config(connection), "-1")


def alembic_config(connection: sa.Connection) -> Config:
    """What Alembic needs to migrate over `connection`."""
    config = Config()
    config.set_main_option("script_location", "holdfast.journal:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _stored(connection: sa.Connection) -> Stored | None:
    query: Callable[[str], object] = lambda text: connection.execute(sa.text(text))  # noqa: E731
    return stored_in(sa.inspect(connection).get_table_names(), query)


def _leave_transactions_to_us(connection: object, _record: object) -> None:
    # The driver would otherwise commit before each CREATE TABLE.
    connection.isolation_level = None  # type: ignore[attr-defined]


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
