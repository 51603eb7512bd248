"""Bringing a PostgreSQL journal to the schema of this program, ending that, and going back.

Imports SQLAlchemy and Alembic, and so is imported only when there is something to migrate. Not
here: what is done, which is the same for every database (journal.upgrade, journal.migrations).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from holdfast.journal.postgres_connect import connect, name_of, raise_translated
from holdfast.journal.upgrade import run_downgrade, run_finalize, run_upgrade

_TURN = 0x686F6C64666173  # a number of ours, for those who migrate at once


def upgrade(url: str) -> None:
    """Run what is missing, all in one transaction; safe to repeat.

    Two processes that do so at once take turns, and the second finds nothing left to do. Blocks.

    Raises:
        ConfigError: wrong address, a role that may not create tables, or it is newer.
        RetryableError: it is in use, or does not answer; nothing was changed.
    """
    with _migrating(url) as connection:
        run_upgrade(name_of(url), connection)


def finalize(url: str) -> None:
    """Let this program write what older ones cannot read; there is no way back from here.

    Raises: as `upgrade`; ConfigError also when the database is of another schema.
    """
    with _migrating(url) as connection:
        run_finalize(name_of(url), connection)


def downgrade(url: str) -> None:
    """Undo the last migration, as long as nothing that older programs cannot read was allowed.

    Raises: as `finalize`.
    """
    with _migrating(url) as connection:
        run_downgrade(name_of(url), connection)


@contextmanager
def _migrating(url: str) -> Iterator[sa.Connection]:
    def opened() -> psycopg.Connection[object]:
        connection = connect(url)
        connection.autocommit = False  # SQLAlchemy begins and ends transactions
        return connection

    engine = sa.create_engine("postgresql+psycopg://", creator=opened, poolclass=sa.NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
            yield connection
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise_translated(name_of(url), error.orig)
        raise
    finally:
        engine.dispose()
