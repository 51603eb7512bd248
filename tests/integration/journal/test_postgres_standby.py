"""A server with a standby behind it: what waits for it, what it takes over, who reads from it.

Not here: servers that crash and come back (test_postgres_crash).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from holdfast.app.chaos.postgres import PostgresServer, database_named
from holdfast.errors import ConfigError, RetryableError, exit_code
from holdfast.journal.port import CommitUnknownError
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed
from tests.support.postgres_servers import MAIN, OWN_SERVERS, Standby, cids, configure, new_journal
from tests.support.waiting import until

PAIRED = "paired"
pytestmark = OWN_SERVERS


class Pair(NamedTuple):
    """A journal, the server that it is on, and the one that follows."""

    url: str
    primary: PostgresServer
    standby: Standby

    @property
    def there(self) -> str:
        """The same journal, at the standby."""
        return database_named(self.standby.url, PAIRED)

    def follows(self, how: str) -> bool:
        """Whether the standby does, and whether commits wait for it."""
        with psycopg.connect(self.url) as beside:
            found = beside.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
        return found == [(how,)]

    def wait_for_standby(self) -> None:
        """Have commits wait for it."""
        configure(self.primary, "synchronous_standby_names", "follower")
        asyncio.run(until(lambda: self.follows("sync"), "it is waited for", every_s=0.05))


@contextmanager
def paired() -> Iterator[Pair]:
    with ExitStack() as stack:
        primary = PostgresServer()
        stack.callback(primary.stop)
        url = new_journal(primary, PAIRED)
        standby = Standby(primary)
        stack.callback(standby.stop)
        found = Pair(url, primary, standby)
        asyncio.run(until(lambda: found.follows("async"), "it follows", every_s=0.05))
        yield found


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with paired() as found:
        yield found


@pytest.fixture
def doomed_pair() -> Iterator[Pair]:
    with paired() as found:
        yield found


def test_a_standby_that_follows_at_its_leisure_is_refused_and_takes_no_writes(pair: Pair) -> None:
    """Its promotion would lose orders that were answered for."""
    configure(pair.primary, "synchronous_standby_names", "")
    asyncio.run(until(lambda: pair.follows("async"), "nobody waits for it", every_s=0.05))
    with pytest.raises(ConfigError, match="1 standby that follows asynchronously") as caught:
        PostgresStore(pair.url)
    assert exit_code(caught.value) == 2
    asyncio.run(PostgresStore(pair.url, may_lose=True).close())
    with pytest.raises(RetryableError, match=r"takes no writes \(a standby") as readonly:
        PostgresStore(pair.there)
    assert exit_code(readonly.value) == 4
    with closing(PostgresDatabase(pair.there)) as there:
        assert there.version() == PostgresDatabase(pair.url).version(), "but it can be read"


def test_a_commit_waits_for_the_standby_and_is_in_doubt_when_the_wait_is_cut_short(
    pair: Pair,
) -> None:
    pair.wait_for_standby()

    async def run() -> None:
        store = PostgresStore(pair.url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        line = store._line
        assert line is not None
        with psycopg.connect(pair.url, autocommit=True) as beside:

            def waits() -> bool:
                found = beside.execute(
                    "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (line.backend.pid,)
                ).fetchone()
                return found == ("SyncRep",)

            with pair.standby.frozen():
                waiting = writer.append(armed(2))
                await until(waits, "the commit waits for the standby")
                assert not waiting.done()
                beside.execute("SELECT pg_cancel_backend(%s)", (line.backend.pid,))
                with pytest.raises(CommitUnknownError):
                    await waiting
        await writer.append(armed(3))
        await store.close()

    asyncio.run(run())
    assert {armed(1).cid, armed(3).cid} <= cids(pair.url)


def test_what_was_answered_for_is_there_after_the_standby_took_over(doomed_pair: Pair) -> None:
    pair = doomed_pair
    pair.wait_for_standby()
    answered: set[str] = set()

    async def flood() -> None:
        store = PostgresStore(pair.url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        for number in range(1, 101):
            await writer.append(armed(number))
            answered.add(armed(number).cid)
        pair.primary.crash()
        await store.close()

    async def go_on() -> None:
        store = PostgresStore(pair.there)
        writer = JournalWriter(store, await store.acquire(MAIN, "b"))
        await writer.append(armed(0))
        await store.close()

    asyncio.run(flood())
    pair.standby.promote()
    assert answered <= cids(pair.there)
    asyncio.run(go_on())
    assert armed(0).cid in cids(pair.there)


def test_who_follows_waits_where_only_a_standby_answers_that_has_not_replayed_all(
    doomed_pair: Pair, tmp_path: Path
) -> None:
    pair = doomed_pair
    pair.wait_for_standby()
    hosts = f"{pair.primary.folder},{pair.standby.folder}"
    both = f"postgresql:///{PAIRED}?host={hosts}&user=postgres"

    async def run() -> None:
        store = PostgresStore(pair.url)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        tail, end = PostgresDatabase(both, tmp_path).tail(), writer.head
        with psycopg.connect(pair.standby.url, autocommit=True) as beside:
            beside.execute("SELECT pg_wal_replay_pause()")
            await writer.append(armed(1))
            end, records = tail.since(end)
            assert len(records) == 1
            pair.primary.crash()
            for _ in range(3):  # the first finds the connection lost
                with pytest.raises(RetryableError) as told:
                    tail.since(end)
            assert "a standby that has not replayed so much" in str(told.value)
            beside.execute("SELECT pg_wal_replay_resume()")
        pair.standby.promote()
        assert tail.since(end) == (end, [])
        tail.close()
        await store.close()

    asyncio.run(run())
