"""Two neighbouring versions on one database: who may use it, and what may be written into it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from holdfast.domain.fact import Restored
from holdfast.errors import ConfigError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.record import FORMAT
from holdfast.journal.sqlite_connect import connect
from holdfast.journal.version import FIRST, SCHEMA_VERSION, Stored
from tests.support.postgres import database


@pytest.fixture(params=["sqlite", "postgres"])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield SqliteDatabase(tmp_path / "journal.db")
    else:
        with database(empty=True) as url:
            yield PostgresDatabase(url, tmp_path)


def say(found: Database, schema: str, oldest: str) -> None:
    """What a program of another version would have left there."""
    run(
        found,
        f"UPDATE alembic_version SET version_num = '{schema}'",
        f"UPDATE compatibility SET oldest = '{oldest}'",
    )


def run(found: Database, *statements: str) -> None:
    if isinstance(found, SqliteDatabase):
        with closing(connect(found.name)) as file:
            for statement in statements:
                file.execute(statement)
    else:
        assert isinstance(found, PostgresDatabase)
        with psycopg.connect(found.url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement.encode())


def test_a_new_database_waits_for_no_older_program(found: Database) -> None:
    found.upgrade()
    assert found.version() == Stored(SCHEMA_VERSION, SCHEMA_VERSION, FORMAT)


def test_a_program_goes_on_after_the_next_version_has_added_its_tables(found: Database) -> None:
    found.upgrade()
    say(found, "9999", SCHEMA_VERSION)
    store = found.store()
    asyncio.run(store.close())
    assert list(found.read("main")) == []


def test_an_older_program_says_that_it_cannot_upgrade_what_a_newer_one_has(found: Database) -> None:
    found.upgrade()
    say(found, "9999", SCHEMA_VERSION)
    with pytest.raises(ConfigError, match=r"schema 9999; expected: at most .*; do: nothing"):
        found.upgrade()
    assert found.version() == Stored("9999", SCHEMA_VERSION, FORMAT)


def test_a_program_is_refused_once_the_next_version_is_final(found: Database) -> None:
    found.upgrade()
    say(found, "9999", "9999")
    with pytest.raises(ConfigError, match=r"programs of 9999 and later; .*start the newer version"):
        found.store()


def test_a_backup_is_not_taken_up_while_the_version_before_may_share_it(found: Database) -> None:
    """Its programs cannot read the record that says so."""
    found.upgrade()
    run(found, "UPDATE compatibility SET writes = 1")

    async def take_up() -> None:
        store = found.store()
        head = await store.acquire("main", "a")
        fact = Restored(generation=2, since_ms=1, until_ms=2, lost=0, by="ana")
        try:
            with pytest.raises(ConfigError, match="`holdfast db finalize`"):
                await store.begin_generation(head, 2, (fact,), 1)
            assert (await store.head("main")).generation == 1
        finally:
            await store.close()

    asyncio.run(take_up())


def test_only_the_program_that_upgraded_a_database_finalizes_it(found: Database) -> None:
    found.upgrade()
    say(found, "9999", FIRST)
    with pytest.raises(ConfigError, match="finalize it with the program that upgraded it"):
        found.finalize()
    assert found.version() == Stored("9999", FIRST, FORMAT)


def test_nothing_goes_back_once_it_is_final(found: Database) -> None:
    found.upgrade()
    found.finalize()
    with pytest.raises(ConfigError, match=r"do: (downgrade with|restore a backup)"):
        found.downgrade()
    assert found.version() == Stored(SCHEMA_VERSION, SCHEMA_VERSION, FORMAT)


def test_a_journal_of_the_schema_before_is_traded_on_and_only_the_platform_waits(
    found: Database,
) -> None:
    found.upgrade()
    say(found, "0001", "0001")
    store = found.store()
    asyncio.run(store.close())
    with closing(found.commands()) as commands:
        assert commands.pending("main") == ()
    assert list(found.read("main")) == []
    with pytest.raises(ConfigError, match=r"has schema 0001; expected: 0002; .*db upgrade"):
        found.platform()
