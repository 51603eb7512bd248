"""Reports may be read from a replica, as long as it lacks nothing that has been known for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from holdfast.app.view.history import History
from holdfast.app.view.journals import Journals
from holdfast.config import load
from holdfast.config.database import ReportPolicy
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.postgres_database import PostgresDatabase
from tests.support.exchange import on_loop
from tests.support.postgres import database
from tests.support.report_stream import opening, stream, trade, write

MOST_LAG_S = 0.05


class World:
    """A database, its copy, and a reader of reports."""

    def __init__(self, whole: Database, copy: Database) -> None:
        self.whole, self.copy = whole, copy
        self.journals = Journals(whole)
        self.history = History(
            whole, ReportPolicy(), self.journals, replica=copy, most_lag_s=MOST_LAG_S
        )

    async def look(self) -> None:
        await self.journals.look()
        await self.history.look()

    async def asked(self) -> str:
        """The name of the database that answers."""
        return await self.history.ask(lambda reports: reports.name)


@asynccontextmanager
async def world(kind: str, folder: Path) -> AsyncIterator[World]:
    with ExitStack() as stack:
        found: list[Database] = []
        for name in ("whole", "copy"):
            one: Database
            if kind == "sqlite":
                (folder / name).mkdir()
                one = SqliteDatabase(folder / name / "journal.db")
            else:
                one = PostgresDatabase(stack.enter_context(database()), folder)
            await asyncio.to_thread(write, one, stream(3))  # the same bytes in both
            found.append(one)
        made = World(found[0], found[1])
        try:
            yield made
        finally:
            await made.history.close()
            made.journals.close()
            for one in found:
                one.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@on_loop
async def test_a_replica_answers_while_it_is_near_and_not_otherwise(
    kind: str, tmp_path: Path
) -> None:
    async with world(kind, tmp_path) as made:
        replica, whole = (one.reports(ReportPolicy()).name for one in (made.copy, made.whole))
        assert await made.asked() == whole, "nobody has looked yet"
        await made.look()
        assert await made.asked() == replica
        await asyncio.to_thread(write, made.whole, trade(4))
        await made.look()
        assert await made.asked() == replica, "it may be on its way"
        await asyncio.sleep(2 * MOST_LAG_S)
        await made.look()
        assert made.history.lag_s is not None
        assert made.history.lag_s > MOST_LAG_S
        assert await made.asked() == whole
        await asyncio.to_thread(write, made.copy, trade(4))
        await made.look()
        assert (made.history.lag_s, await made.asked()) == (0, replica)


@on_loop
async def test_a_replica_that_follows_a_busy_database_at_a_short_distance_is_near(
    tmp_path: Path,
) -> None:
    """It lacks something at every look, and never the same."""
    async with world("sqlite", tmp_path) as made:
        for number in range(4, 12):
            await asyncio.to_thread(write, made.whole, trade(number))
            await made.look()
            assert made.history.is_near
            await asyncio.sleep(0.8 * MOST_LAG_S)
            await asyncio.to_thread(write, made.copy, trade(number))


@on_loop
async def test_a_replica_that_is_gone_is_not_asked(tmp_path: Path) -> None:
    async with world("sqlite", tmp_path) as made:
        await made.look()
        assert made.history.is_near
        assert isinstance(made.copy, SqliteDatabase)
        made.copy.name.unlink()
        await made.look()
        assert (made.history.lag_s, made.history.is_near) == (None, False)
        assert "whole" in await made.asked()


@pytest.mark.parametrize("folder", ["missing", "empty"])
@on_loop
async def test_tables_that_nobody_has_made_are_asked_again_later(
    tmp_path: Path, folder: str
) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    if folder == "empty":
        await asyncio.to_thread(write, journal, [opening()])
    history = History(journal, ReportPolicy(), Journals(journal))
    with pytest.raises((RetryableError, ConfigError)):
        await history.ask(lambda reports: reports.series("main"))
    await history.close()


def test_the_address_comes_from_the_environment_and_is_checked(tmp_path: Path) -> None:
    url = "postgresql://reader@replica.example/holdfast"
    assert load(None, {"DATABASE_REPLICA_URL": url}).database_replica_url == url
    with pytest.raises(ConfigError, match=r"DATABASE_REPLICA_URL.*database_replica_url"):
        load(None, {"DATABASE_REPLICA_URL": "mysql://replica.example/holdfast"})
