"""Connections that are lent: how many, for how long, and what who finds none is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from holdfast.app.live.opening import database_of
from holdfast.config import Config
from holdfast.config.database import DatabasePool
from holdfast.errors import ConfigError, RetryableError, exit_code
from holdfast.journal import postgres_pool
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.port import Group
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import CONNECT_TIMEOUT_S
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.postgres_pool import Pool
from tests.support.journal_facts import armed
from tests.support.waiting import PATIENCE_S, until


@contextmanager
def pool(url: str, **sizes: Any) -> Iterator[Pool]:
    with closing(Pool(url, DatabasePool(**{"min": 0, "max": 3, **sizes}))) as made:
        yield made


def wait_until(holds: Any, what: str) -> None:
    asyncio.run(until(holds, what, every_s=0.01))


def end_all(beside: psycopg.Connection[Any], url: str) -> None:
    """End every session of that database, as its server does when it ends."""
    beside.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = %s AND pid <> pg_backend_pid()",
        (conninfo_to_dict(url)["dbname"],),
    )


def end_all_others(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as beside:
        end_all(beside, url)


def test_the_sizes_and_times_are_those_of_the_acceptance_list() -> None:
    """DB-04: 10 to 50, idle 30 s, connect within 2 s, the first keep-alive after 10 s."""
    sizes = Config().database_pool
    assert (sizes.min, sizes.max, sizes.idle_s, CONNECT_TIMEOUT_S) == (10, 50, 30.0, 2)


def test_a_node_keeps_what_its_configuration_says(url: str) -> None:
    config = Config(database_url=url, database_pool=DatabasePool(min=2, max=4))
    journal = database_of(config)
    state = journal.pool()
    assert state is not None
    assert (state.min, state.max, state.open, state.connects) == (2, 4, 0, 0), "nothing before use"
    journal.version()
    wait_until(lambda: (journal.pool() or state).idle >= 2, "two are opened, whoever asks")
    journal.close()


def test_the_line_is_watched_by_keep_alives(url: str) -> None:
    """Through TCP; a Unix socket has none."""
    with pool(url) as connections, connections.connection() as connection:
        told = {option.keyword: option.val for option in connection.pgconn.info}
    assert (told[b"connect_timeout"], told[b"keepalives_idle"]) == (b"2", b"10")


def test_who_finds_all_in_use_is_told_and_others_are_not_held_up(url: str) -> None:
    with pool(url, max=1, wait_s=0.2) as connections:
        with (
            connections.one_moment(),
            pytest.raises(RetryableError, match=r"all 1 connections .* in use.*database_pool") as e,
        ):
            connections.run(lambda connection: connection.execute("SELECT 1"))
        assert exit_code(e.value) == 4
        state = connections.state()
        assert (state.open, state.in_use, state.timeouts, state.waits) == (1, 0, 1, 2)
        connections.run(lambda connection: connection.execute("SELECT 1"))


def test_a_caller_waits_for_one_that_comes_back(url: str) -> None:
    with pool(url, max=1, wait_s=PATIENCE_S) as connections:
        waiter = threading.Thread(target=connections.run, args=(lambda c: c.execute("SELECT 1"),))
        with connections.connection():
            waiter.start()
            wait_until(lambda: connections.state().waiting == 1, "it waits")
        waiter.join(PATIENCE_S)
        assert not waiter.is_alive()
        assert connections.state().timeouts == 0


def test_reports_that_take_every_connection_cost_no_order_a_wait(url: str) -> None:
    async def run(connections: Pool) -> None:
        store = PostgresStore(url, connections)
        with connections.one_moment() as reading:
            reading.execute("SELECT count(*) FROM record")
            head = await store.acquire("main", "a")
            for number in range(1, 20):
                head, _ = await store.commit(head, [Group((armed(number),))], 1)
            assert await store.head("main") == head
        await store.close()

    with pool(url, max=1, wait_s=0.1) as connections:
        asyncio.run(run(connections))


def test_one_that_nobody_uses_is_closed_after_a_while(url: str) -> None:
    with pool(url, min=1, max=3, idle_s=0.2) as connections:
        with connections.connection(), connections.connection(), connections.connection():
            assert connections.state().in_use == 3
        wait_until(lambda: connections.state().open == 1, "what nobody used is closed")


def test_one_is_replaced_when_it_is_old(url: str) -> None:
    with pool(url, max=1, lifetime_s=0.1) as connections:
        seen: set[int] = set()

        def two_seen() -> bool:
            seen.add(connections.run(lambda connection: connection.info.backend_pid))
            return len(seen) > 1

        wait_until(two_seen, "another backend")


def test_connections_that_were_lost_meanwhile_are_not_lent(url: str) -> None:
    """As after a restart of the server; none of them is tried for long."""
    with pool(url, min=3, max=3) as connections:
        connections.run(lambda connection: connection.execute("SELECT 1"))
        wait_until(lambda: connections.state().idle == 3, "three are there")
        for _ in range(3):
            end_all_others(url)
            assert connections.run(lambda c: c.execute("SELECT 7").fetchone()) == (7,)


def test_a_connection_that_is_lost_in_a_read_is_replaced_once(url: str) -> None:
    def end_myself_once(connection: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            end_all_others(url)
        return connection.execute("SELECT 7").fetchone()

    tries: list[int] = []
    with pool(url) as connections:
        assert connections.run(end_myself_once) == (7,)
    assert len(tries) == 2


def test_what_may_be_run_twice_asks_a_connection_nothing_before_it_is_used(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account looks for commands four times a second, and forty of them all day."""

    def answers(one: Any) -> bool:
        asked.append(one)
        return True

    asked = list[Any]()
    monkeypatch.setattr(postgres_pool, "_answers", answers)
    with pool(url) as connections:
        assert connections.run(lambda c: c.execute("SELECT 7").fetchone()) == (7,)
        assert not asked
        with connections.connection():
            assert len(asked) == 1, "what may run once only is lent what has just answered"


def test_a_wrong_address_is_told_at_once_and_shows_no_password(url: str) -> None:
    wrong = url.replace("/holdfast_", "/missing_") + "&password=hunter2"
    with pool(wrong, wait_s=PATIENCE_S) as connections:
        for _ in range(2):
            with pytest.raises(ConfigError, match="does not exist") as caught:
                connections.run(lambda connection: connection.execute("SELECT 1"))
            assert "hunter2" not in str(caught.value)


def test_a_server_that_takes_no_more_connections_is_told_as_that(url: str) -> None:
    allow = f'ALTER DATABASE "{conninfo_to_dict(url)["dbname"]}" ALLOW_CONNECTIONS '
    with (
        pool(url, wait_s=0.2) as connections,
        psycopg.connect(url, dbname="postgres", autocommit=True) as beside,
    ):
        connections.run(lambda connection: connection.execute("SELECT 1"))
        beside.execute(f"{allow} false".encode())
        try:
            end_all(beside, url)
            with pytest.raises(RetryableError, match=r"lets nobody in .*not currently accepting"):
                connections.run(lambda connection: connection.execute("SELECT 1"))
        finally:
            beside.execute(f"{allow} true".encode())
        assert connections.run(lambda c: c.execute("SELECT 7").fetchone()) == (7,)


@pytest.mark.parametrize("most", [3, 1000])
def test_a_pool_that_the_server_has_no_room_for_is_told(
    most: int, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pool(url, max=most) as connections:
        connections.run(lambda connection: connection.execute("SELECT 1"))
    assert ("pool_size" in caplog.text) is (most == 1000)


def test_a_read_writes_nothing_and_takes_no_longer_than_it_may(url: str) -> None:
    with pool(url, max=1, read_timeout_s=0.1) as connections:
        with (
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
            connections.one_moment() as connection,
        ):
            connection.execute("DELETE FROM head")
        with (
            pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"),
            connections.one_moment() as connection,
        ):
            connection.execute("SELECT pg_sleep(600)")
        limit = connections.run(lambda c: c.execute("SHOW statement_timeout").fetchone())
        assert limit == ("0",), "the limit is of reads alone"


def test_who_holds_a_journal_no_more_holds_no_connections(url: str) -> None:
    journal = PostgresDatabase(url)
    journal.version()
    journal.close()
    with pytest.raises(RetryableError, match="are closed"):
        journal.version()
    PostgresDatabase(url).version()
    count = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    with psycopg.connect(url, autocommit=True) as beside:
        wait_until(lambda: beside.execute(count).fetchone() == (0,), "none is left")


def test_a_file_has_no_connections_to_share(tmp_path: Path) -> None:
    journal: Database = SqliteDatabase(tmp_path / "journal.db")
    assert journal.pool() is None
