"""A journal for reports, in a file and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.postgres import database


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        found: Database
        if request.param == "sqlite":
            found = SqliteDatabase(tmp_path / "journal.db")
        else:
            found = PostgresDatabase(stack.enter_context(database()), tmp_path)
        stack.callback(found.close)
        yield found
