"""Opening a stream: owned, folded, begun; and how far the next start has to fold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from holdfast.app.live import opening
from holdfast.app.live.activity import is_led
from holdfast.app.live.opening import Stream, follow_stream, open_stream, take_over
from holdfast.config import Config
from holdfast.config.database import DatabasePool
from holdfast.domain.fact import Opened, TookOver
from holdfast.errors import CorruptionError, FencedError, RetryableError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.high_water import HighWater
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.ledger.fold import apply
from tests.support.exchange import on_loop
from tests.support.journal_facts import armed
from tests.support.postgres import database


async def opened(path: Path) -> Stream:
    database = SqliteDatabase(path)
    return await open_stream(database, account="main", deployment="test", reporting="USDT")


async def append(stream: Stream, number: int) -> None:
    outcome = await stream.writer.append(armed(number))
    assert isinstance(outcome, tuple)
    for record in outcome:
        apply(stream.account, record.seq, record.epoch, record.at_ns, record.fact)


@on_loop
async def test_a_new_stream_begins_and_every_later_start_takes_it_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await (await opened(path)).close()
    again = await opened(path)
    kinds = [type(record.fact) for record in again.store.read("main")]
    assert kinds == [Opened, TookOver, TookOver]
    assert (again.account.epoch, again.account.counters.takeovers) == (2, 2)
    await again.close()


@on_loop
async def test_a_crash_does_not_make_the_next_snapshot_wait_longer(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    stream = await opened(path)
    await append(stream, 1)
    await stream.save()
    saved = stream.saved_seq
    await append(stream, 2)
    await stream.store.close()  # as after a kill: no snapshot at the end
    stream.owner.release()
    again = await opened(path)
    assert again.saved_seq == saved == 3
    assert again.account.seq == 5, "the tail after the snapshot is folded, and the takeover"
    await again.close()


@on_loop
async def test_a_stream_whose_last_snapshot_cannot_be_kept_is_left_to_others_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await opened(tmp_path / "journal.db")

    async def full(_: object) -> None:
        raise RetryableError("the disk is full")

    monkeypatch.setattr(stream.store, "save_snapshot", full)
    with pytest.raises(RetryableError):
        await stream.close()
    await (await opened(tmp_path / "journal.db")).close()


@on_loop
async def test_a_server_that_was_set_back_is_refused(tmp_path: Path) -> None:
    with database() as url:
        journal = PostgresDatabase(url, tmp_path)

        async def begun() -> Stream:
            return await open_stream(journal, account="main", deployment="test", reporting="USDT")

        await (await begun()).close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DELETE FROM snapshot")
            connection.execute("DELETE FROM record")
            connection.execute("UPDATE head SET seq = 0, hash = %s", (bytes(32),))
        with pytest.raises(CorruptionError, match="journal behind: main ends at 0"):
            await begun()


@on_loop
async def test_a_stream_that_is_owned_is_refused_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "WAIT_FOR_OWNER_S", 0.0)
    first = await opened(tmp_path / "journal.db")
    with pytest.raises(FencedError, match="is written for account main by process"):
        await opened(tmp_path / "journal.db")
    await first.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@on_loop
async def test_a_takeover_that_fails_once_it_has_begun_lets_go_of_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def full(*_: object) -> bool:
        raise RetryableError("the disk of the marks is full")

    with ExitStack() as stack:
        journal: Database = SqliteDatabase(tmp_path / "journal.db")
        if kind == "postgres":
            journal = PostgresDatabase(stack.enter_context(database()), tmp_path)
        stack.enter_context(monkeypatch.context()).setattr(HighWater, "write", full)
        with pytest.raises(RetryableError, match="the disk of the marks is full"):
            await open_stream(journal, account="main", deployment="test", reporting="USDT")
        journal.own("main").release()


@on_loop
async def test_a_standby_whose_connection_died_with_the_server_takes_over_all_the_same(
    tmp_path: Path,
) -> None:
    with database() as url:
        fold = await follow_stream(PostgresDatabase(url, tmp_path), "main")
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        # What is read while following finds out by itself, and connects anew.
        with suppress(RetryableError):
            fold.news()
        with suppress(RetryableError):
            await fold.store.head("main")

        async def catch_up() -> None:
            assert fold.news() == []

        stream = await take_over(fold, deployment="test", reporting="USDT", catch_up=catch_up)
        kinds = [type(record.fact) for record in stream.store.read("main")]
        assert kinds == [Opened, TookOver]
        assert stream.account.seq == 2
        await stream.close()


@on_loop
async def test_records_are_stamped_with_the_clock_that_is_given_and_not_the_machine_s(
    tmp_path: Path,
) -> None:
    fold = await follow_stream(SqliteDatabase(tmp_path / "journal.db"), "main")

    async def catch_up() -> None:
        assert fold.news() == []

    stream = await take_over(
        fold, deployment="test", reporting="USDT", catch_up=catch_up, now_ns=lambda: 7
    )
    assert {record.at_ns for record in stream.store.read("main")} == {7}
    await stream.close()


@pytest.mark.parametrize(("told", "kept"), [(10, 1), (1, 1), (0, 0)])
def test_the_process_of_an_account_keeps_one_connection_for_reads(told: int, kept: int) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"  # nothing is opened
    config = Config(database_url=url, database_pool=DatabasePool(min=told))
    own, others = opening.database_of(config, in_a_node=True), opening.database_of(config)
    found = own.pool(), others.pool()
    assert [pool.min for pool in found if pool is not None] == [kept, told]


@contextmanager
def journal_of(kind: str, folder: Path) -> Iterator[Database]:
    """A journal in a file, or in PostgreSQL."""
    if kind == "sqlite":
        yield SqliteDatabase(folder / "journal.db")
        return
    with database() as url:
        yield PostgresDatabase(url, folder)


@pytest.mark.parametrize("asked", [0, 1])  # how often it is told that its lease runs
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@on_loop
async def test_who_has_no_lease_any_more_puts_nobody_aside(
    tmp_path: Path, kind: str, asked: int
) -> None:
    with journal_of(kind, tmp_path) as journal:
        stream = await open_stream(journal, account="main", deployment="test", reporting="USDT")
        fold = await follow_stream(journal, "main")
        answers = [True] * asked

        async def catch_up() -> None:
            """Nothing is new."""

        with pytest.raises(FencedError, match="the lease of account main ran out"):
            await take_over(
                fold, deployment="test", reporting="USDT", catch_up=catch_up, displace=True,
                may_lead=lambda: bool(answers) and answers.pop(),
            )  # fmt: skip
        await append(stream, 1)
        await append(stream, 2)
        assert is_led(journal, "main")
        await fold.close()
        await stream.close()
        assert not is_led(journal, "main")


@on_loop
async def test_a_lock_that_was_lost_with_its_server_s_sessions_is_taken_again(
    tmp_path: Path,
) -> None:
    with database() as url:
        journal = PostgresDatabase(url, tmp_path)
        stream = await open_stream(journal, account="main", deployment="test", reporting="USDT")
        for _ in range(2):
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            assert not is_led(journal, "main")
            stream.owner.hold()
            assert is_led(journal, "main")
        stream.owner.hold()
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        other = journal.own("main")
        with pytest.raises(FencedError, match="is written for account main by process"):
            stream.owner.hold()
        other.release()
        stream.owner.hold()
        assert is_led(journal, "main")
        stream.owner.release()
        stream.owner.hold()
        assert not is_led(journal, "main")
        await stream.store.close()


def test_a_lock_file_that_gave_way_or_is_gone_is_taken_again(tmp_path: Path) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    owner = journal.own("main")
    other = journal.own("main", displace=True)
    with pytest.raises(FencedError, match="is written for account main by process"):
        owner.hold()
    other.release()
    assert not is_led(journal, "main")
    owner.hold()
    assert is_led(journal, "main")
    (tmp_path / "journal.db.main.lock").unlink()
    owner.hold()
    assert is_led(journal, "main")
    owner.release()
    owner.hold()
    assert not is_led(journal, "main")
