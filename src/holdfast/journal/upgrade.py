"""Bringing a journal file to the schema of this program.

Imports SQLAlchemy and Alembic, and so is imported only when there is something to migrate. Not
here: other databases (journal.postgres_upgrade), what is migrated (journal.migrations).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from holdfast.journal.sqlite_connect import connect, raise_translated


def upgrade(path: Path) -> None:
    """Create the file or run what is missing, all in one transaction; safe to repeat.

    Two processes that do so at once take turns, and the second finds nothing left to do. Blocks.

    Raises:
        ConfigError, CorruptionError: as `connect`.
        RetryableError: it is in use, or the disk is full; nothing was changed.
    """
    connect(path).close()  # there from here on, and known to be durable
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    sa.event.listen(engine, "connect", _leave_transactions_to_us)
    sa.event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            command.upgrade(alembic_config(connection), "head")
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise_translated(path, error.orig)
        raise
    finally:
        engine.dispose()


def alembic_config(connection: sa.Connection) -> Config:
    """What Alembic needs to migrate over `connection`."""
    config = Config()
    config.set_main_option("script_location", "holdfast.journal:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _leave_transactions_to_us(connection: object, _record: object) -> None:
    # The driver would otherwise commit before each CREATE TABLE.
    connection.isolation_level = None  # type: ignore[attr-defined]


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
