"""The platform's store of each kind, for contract tests.

Not here: what is asked of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.postgres import database

KINDS = ("sqlite", "postgres")


@contextmanager
def journal(kind: str, directory: Path) -> Iterator[Database]:
    """An empty journal of this kind, with its tables."""
    if kind == "sqlite":
        yield SqliteDatabase(directory / "journal.db")
        return
    with database() as url:
        made = PostgresDatabase(url, directory)
        try:
            yield made
        finally:
            made.close()
