"""Bringing a PostgreSQL journal to the schema of this program.

Imports SQLAlchemy and Alembic, and so is imported only when there is something to migrate. Not
here: what is migrated (journal.migrations), the same for every database.
"""

from __future__ import annotations

import psycopg
import sqlalchemy as sa
from alembic import command

from holdfast.journal.postgres_connect import connect, name_of, raise_translated
from holdfast.journal.upgrade import alembic_config

_TURN = 0x686F6C64666173  # a number of ours, for those who migrate at once


def upgrade(url: str) -> None:
    """Run what is missing, all in one transaction; safe to repeat.

    Two processes that do so at once take turns, and the second finds nothing left to do. Blocks.

    Raises:
        ConfigError: wrong address, or a role that may not create tables.
        RetryableError: it is in use, or does not answer; nothing was changed.
    """

    def opened() -> psycopg.Connection[object]:
        connection = connect(url)
        connection.autocommit = False  # SQLAlchemy begins and ends transactions
        return connection

    engine = sa.create_engine("postgresql+psycopg://", creator=opened, poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
            command.upgrade(alembic_config(connection), "head")
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise_translated(name_of(url), error.orig)
        raise
    finally:
        engine.dispose()
