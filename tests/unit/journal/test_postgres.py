"""The journal in PostgreSQL: durable or refused, and what a lost connection or a lock means."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from holdfast.domain.fact import Armed
from holdfast.errors import (
    ConfigError,
    CorruptionError,
    FencedError,
    OutcomeUnknownError,
    RetryableError,
)
from holdfast.journal.port import CommitUnknownError, Group
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import IDLE_IN_TRANSACTION_MS, connect
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.record import FORMAT
from holdfast.journal.schema import metadata
from holdfast.journal.verify import verify
from holdfast.journal.version import SCHEMA_VERSION, Stored
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import acked, armed, decided, filled
from tests.support.ports import refusing_port
from tests.support.postgres import database
from tests.support.waiting import PATIENCE_S, until

MAIN = "main"


def with_store(url: str, test: Callable[[PostgresStore], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        store = PostgresStore(url)
        try:
            await test(store)
        finally:
            await store.close()

    asyncio.run(run())


def stored(url: str) -> list[object]:
    return [record.fact for record in PostgresDatabase(url).read(MAIN)]


def test_a_session_that_could_hold_a_lock_is_ended_when_it_idles(url: str) -> None:
    with closing(connect(url, idles=False)) as connection:
        connection.autocommit = False
        connection.execute("SELECT 1 FROM head FOR UPDATE")
        time.sleep(2 * int(IDLE_IN_TRANSACTION_MS) / 1000)  # idling is what is tried
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            connection.execute("SELECT 1")


# -- the schema ----------------------------------------------------------------------------------


def test_migrations_arrive_at_the_schema_and_two_at_once_take_turns() -> None:
    with database(empty=True) as url:
        found = PostgresDatabase(url)
        assert found.version() is None
        both = [threading.Thread(target=found.upgrade) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join(PATIENCE_S)
        assert found.version() == Stored(SCHEMA_VERSION, SCHEMA_VERSION, FORMAT)
        engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()


# -- commits -------------------------------------------------------------------------------------


def test_a_lock_held_by_another_is_retryable_and_writes_nothing(
    url: str, beside: psycopg.Connection[Any]
) -> None:
    async def test(store: PostgresStore) -> None:
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        with beside.transaction():
            beside.execute("SELECT 1 FROM head FOR UPDATE")
            with pytest.raises(RetryableError, match="lock timeout"):
                await writer.append(armed(1))
        await writer.append(armed(2))
        assert stored(url) == [armed(2)]

    with_store(url, test)


def test_a_connection_that_is_lost_while_idle_costs_nothing(
    url: str, beside: psycopg.Connection[Any]
) -> None:
    async def test(store: PostgresStore) -> None:
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        line = store._line
        assert line is not None
        beside.execute("SELECT pg_terminate_backend(%s)", (line.backend.pid,))
        await until(lambda: line.is_lost, "the loss is noticed")
        await writer.append(armed(2))
        assert stored(url) == [armed(1), armed(2)]

    with_store(url, test)


def test_a_connection_that_is_lost_in_a_commit_is_found_out_about(
    url: str, beside: psycopg.Connection[Any]
) -> None:
    """The commit waits for a lock when its backend is ended: it is not in, and not to be sent."""

    async def test(store: PostgresStore) -> None:
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        line = store._line
        assert line is not None
        with beside.transaction():
            beside.execute("SELECT 1 FROM head FOR UPDATE")
            append = writer.append(armed(2))
            await until(lambda: waits_for_a_lock(beside, line.backend.pid), "the commit waits")
            beside.execute("SELECT pg_terminate_backend(%s)", (line.backend.pid,))
            with pytest.raises(CommitUnknownError, match="the group is not in") as caught:
                await append
        assert caught.value.committed is False
        await writer.append(armed(3))
        assert stored(url) == [armed(1), armed(3)]

    with_store(url, test)


@pytest.mark.parametrize("turns", [0, 3])
def test_the_server_s_side_of_a_lost_commit_is_ended_before_the_head_is_told(
    turns: int, url: str, beside: psycopg.Connection[Any]
) -> None:
    """Else it could commit after we had looked; also when the loop had not turned since."""

    async def test(store: PostgresStore) -> None:
        head = await store.acquire(MAIN, "a")
        head, _ = await store.commit(head, [Group((armed(1),))], 1)
        line = store._line
        assert line is not None
        with beside.transaction():
            beside.execute("SELECT 1 FROM head FOR UPDATE")
            commit = asyncio.ensure_future(store.commit(head, [Group((armed(2),))], 2))
            await until(lambda: waits_for_a_lock(beside, line.backend.pid), "the commit waits")
            for _ in range(turns):
                await asyncio.sleep(0)
            commit.cancel()  # as good as a cut network: the server does not notice
            with pytest.raises(asyncio.CancelledError):
                await commit
            assert await store.head(MAIN) == head
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        assert beside.execute(gone, (line.backend.pid,)).fetchone() == (0,)
        await store.commit(head, [Group((armed(3),))], 3)
        assert stored(url) == [armed(1), armed(3)]

    with_store(url, test)


def test_a_session_that_takes_no_writes_any_more_gives_way_to_one_that_does(url: str) -> None:
    """So it is where an address was moved, and the server of before lives on."""
    frozen = b"SET default_transaction_read_only = on"

    async def test(store: PostgresStore) -> None:
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        line, side = store._line, store._side._connection
        assert line is not None
        assert side is not None
        for session in (line._connection, side):
            session.execute(frozen)
        await writer.append(armed(2))
        assert line.is_lost
        assert side.closed, "what it reads may be old"
        side = store._side._connection
        assert side is not None
        side.execute(frozen)
        await store.acquire(MAIN, "b", after=1)
        assert side.closed
        assert stored(url) == [armed(1), armed(2)]

    with_store(url, test)


def waits_for_a_lock(connection: psycopg.Connection[Any], pid: int) -> bool:
    waiting = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    return connection.execute(waiting, (pid,)).fetchone() == ("Lock",)


FROZEN = """
import asyncio, sys
sys.path.insert(0, {root!r})
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed

async def main():
    store = PostgresStore({url!r})
    writer = JournalWriter(store, await store.acquire("main", "child"))
    for number in range(1, 10**9):
        await writer.append(armed(number))
        print(number, flush=True)

asyncio.run(main())
"""


def test_a_frozen_writer_blocks_nobody_and_is_refused_when_it_wakes(url: str) -> None:
    program = FROZEN.format(root=str(Path(__file__).parents[3]), url=url)
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGSTOP)  # wherever it is, in the middle of a commit most likely

    async def test(store: PostgresStore) -> None:
        writer = JournalWriter(store, await store.acquire(MAIN, "b"))
        await asyncio.wait_for(writer.append(decided(1)), 5)
        os.kill(child.pid, signal.SIGCONT)
        out, said = await asyncio.to_thread(child.communicate, timeout=PATIENCE_S)
        assert FencedError.__name__ in said
        facts = stored(url)
        assert facts[-1] == decided(1)
        last = max([20, *map(int, out.split())])
        acknowledged = {armed(number).cid for number in range(1, last + 1)}
        assert acknowledged <= {fact.cid for fact in facts if isinstance(fact, Armed)}

    with_store(url, test)


def test_rows_beyond_the_head_are_a_contradiction(
    url: str, beside: psycopg.Connection[Any]
) -> None:
    async def test(store: PostgresStore) -> None:
        head = await store.acquire(MAIN, "a")
        beside.execute("INSERT INTO record VALUES ('main', 1, 'x', 'y')")
        with pytest.raises(CorruptionError, match="rows beyond the end of main"):
            await store.commit(head, [Group((acked(1),))], 1)

    with_store(url, test)


def test_a_missing_table_is_a_usage_error(url: str) -> None:
    async def test(store: PostgresStore) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER TABLE attempt RENAME TO elsewhere")
        try:
            head = await store.acquire(MAIN, "a")
            with pytest.raises(ConfigError, match="attempt"):
                await store.commit(head, [Group((armed(1),))], 1)
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ALTER TABLE elsewhere RENAME TO attempt")

    with_store(url, test)


def test_a_commit_without_the_row_that_it_needs_is_unknown_only_when_it_is(url: str) -> None:
    """A warning at the end of a commit is what a cancelled wait for a standby looks like."""

    async def test(store: PostgresStore) -> None:
        head = await store.acquire(MAIN, "a")
        with pytest.raises(OutcomeUnknownError, match="might not have been replicated"):
            await store.commit(head, [Group((armed(1),))], 1)
        assert (await store.head(MAIN)).seq == 1

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE WARNING 'might not have been replicated'; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER warn AFTER INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION warn()"
        )
        try:
            with_store(url, test)
        finally:
            connection.execute("DROP FUNCTION warn() CASCADE")


# -- what stands beside the streams --------------------------------------------------------------


def test_one_live_writer_and_the_next_is_told_who(url: str, tmp_path: Path) -> None:
    journal = PostgresDatabase(url, tmp_path)
    first = journal.own(MAIN)
    with pytest.raises(FencedError, match=f"by process .*:{os.getpid()};"):
        journal.own(MAIN)
    journal.own("other").release()
    first.release()
    journal.own(MAIN).release()


def test_commands_are_taken_once_and_in_order(url: str) -> None:
    commands = PostgresDatabase(url).commands()
    first = commands.submit(MAIN, "halt", "{}", "ana")
    second = commands.submit(MAIN, "resume", "{}", "ana")
    assert [c.command_id for c in commands.pending(MAIN)] == [first, second]
    assert commands.taken_at(first) is None
    commands.close()


def test_commands_ask_the_server_nothing_until_they_are_used() -> None:
    """Whoever takes an account over makes them, and would wait for a connection of its own."""
    with refusing_port() as port:
        commands = PostgresDatabase(f"postgresql://postgres@127.0.0.1:{port}/journal").commands()
        with pytest.raises(RetryableError):
            commands.newest(MAIN)


def test_the_audit_names_what_is_wrong(url: str, beside: psycopg.Connection[Any]) -> None:
    async def test(store: PostgresStore) -> None:
        head = await store.acquire(MAIN, "a")
        groups = [Group((decided(n), armed(n), filled(f"t{n}"))) for n in range(1, 500)]
        await store.commit(head, groups, 1)

    with_store(url, test)
    report = verify(PostgresDatabase(url))
    assert (report.ok, report.records, report.streams[0].rows) == (True, 1497, 1497)
    beside.execute("DELETE FROM fill_key WHERE trade_id = 't7'")
    (stream,) = verify(PostgresDatabase(url)).streams
    assert [bad.key for bad in stream.bad_rows] == ["symbol BTC/USDT, trade_id t7"]
    beside.execute("UPDATE record SET body = '{}' WHERE seq = 900")
    bad = verify(PostgresDatabase(url)).first_bad
    assert bad is not None
    assert bad.seq == 900
