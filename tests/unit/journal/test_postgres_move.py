"""Moving a journal from a file to PostgreSQL: the same streams, or nothing at all."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from holdfast.app.database import move as app_move
from holdfast.cli import main
from holdfast.errors import ConfigError, CorruptionError, FencedError, RetryableError
from holdfast.journal import postgres_move
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group, Head, Snapshot
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.postgres_move import move
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.verify import verify
from holdfast.platform.jobs.postgres import PostgresJobs
from holdfast.platform.jobs.rows import NewJob
from holdfast.platform.jobs.sqlite import SqliteJobs, jobs_beside
from tests.support.journal_facts import acked, armed, decided, filled, flow, taken
from tests.support.postgres import database
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def target(tmp_path: Path) -> Iterator[PostgresDatabase]:
    with database() as url:
        yield PostgresDatabase(url, tmp_path / "state")


@pytest.fixture
def source(tmp_path: Path) -> SqliteDatabase:
    """Two streams with every kind of claim, a snapshot and a command that was not taken."""
    path = tmp_path / "journal.db"
    file = SqliteFile(path)
    for account in ("main", "other"):
        head = file.acquire(account, "a")
        groups = [
            Group((decided(n), armed(n), acked(n), filled(f"t{n}"), flow(f"f{n}"), taken(f"c{n}")))
            for n in range(1, 30)
        ]
        head, _ = file.commit(head, groups, 1)
        file.save_snapshot(Snapshot(account, head.seq, head.hash, b"fold"))
    file.close()
    journal = SqliteDatabase(path)
    commands = journal.commands()
    commands.submit("main", "halt", "{}", "ana")
    commands.close()
    return journal


def own_at_last(journal: PostgresDatabase) -> None:
    """The server takes note of a session that has ended a moment later."""
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            journal.own("main").release()
        except FencedError:
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        else:
            return


def heads(journal: SqliteDatabase | PostgresDatabase) -> dict[str, int]:
    return {stream.account: stream.records for stream in verify(journal).streams}


def test_what_is_moved_is_the_same_journal_and_goes_on(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    before = {account: list(source.read(account)) for account in ("main", "other")}
    moved = move(source, target)

    assert {account: list(target.read(account)) for account in before} == before
    assert verify(target).ok
    assert (moved.kept.exists(), source.name.exists()) == (True, False)
    commands = target.commands()
    commands.submit("main", "resume", "{}", "ana")
    assert [(c.number, c.name) for c in commands.pending("main")] == [(1, "halt"), (2, "resume")]
    commands.close()


async def _loaded(target: PostgresDatabase) -> tuple[Snapshot | None, Head]:
    store = target.store()
    try:
        await target.high_water("main").check(store)
        return await store.load_snapshot("main"), await store.acquire("main", "b")
    finally:
        await store.close()


def test_the_next_writer_finds_snapshot_mark_and_a_higher_epoch(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    move(source, target)
    snapshot, head = asyncio.run(_loaded(target))
    assert snapshot is not None
    assert (snapshot.body, head.epoch, head.seq) == (b"fold", 2, 29 * 6)
    assert target.high_water("main").path.exists()


def test_an_interrupted_move_leaves_nothing_and_can_be_made_again(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    def interrupted(what: str, _done: int) -> None:
        if what == "record":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(source, target, interrupted)
    assert (heads(target), source.name.exists()) == ({}, True)

    moved = move(source, target)
    assert heads(target) == {"main": 174, "other": 174}

    moved.kept.rename(source.name)  # as if the end had come between the commit and the renaming
    assert move(source, target).rows == 0
    assert not source.name.exists()


def test_jobs_are_taken_along(source: SqliteDatabase, target: PostgresDatabase) -> None:
    file = jobs_beside(source.name)
    jobs = SqliteJobs(file)
    jobs.add([NewJob(id="a", kind="backtest", owner="ana", input="{}", attempts_allowed=1)], 1)
    jobs.close()
    told = list[tuple[str, int]]()
    app_move(source, target, lambda what, done: told.append((what, done)))
    assert told[-1] == ("job", 1)
    assert not file.exists()
    there = PostgresJobs(target.url)
    assert there.get("a") is not None
    there.close()


def test_no_node_can_begin_on_the_file_until_it_is_put_aside(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    met: list[str] = []

    def beside() -> None:
        for journal in (source, target):
            with pytest.raises(FencedError):
                journal.own("main")
            met.append(str(journal.name))

    move(source, target, along=beside)
    assert len(met) == 2
    own_at_last(target)


def test_who_had_the_file_open_before_leads_in_it_no_more(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    opened = list[SqliteFile]()
    move(source, target, along=lambda: opened.append(SqliteFile(source.name)))
    with closing(opened[0]) as follower, pytest.raises(ConfigError, match="was moved or replaced"):
        follower.acquire("main", "b")


def test_a_file_that_grew_while_its_jobs_were_taken_along_stays_where_it_is(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    def an_api_writes() -> None:
        file = SqliteFile(source.name)  # as what knows of no owner: a stream that is nobody's yet
        file.acquire("third", "a")
        file.close()

    with pytest.raises(ConfigError, match="grew meanwhile"):
        move(source, target, along=an_api_writes)
    assert source.name.exists()


def test_a_file_that_somebody_still_reads_is_not_put_aside_without_its_newest_pages(
    source: SqliteDatabase, target: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_move, "AT_LAST_S", 0.1)
    file = SqliteFile(source.name)
    file.acquire("main", "b")  # what is in no other file than the one beside it
    with source.one_moment() as rows, closing(file):
        rows.execute("SELECT count(*) FROM record")
        with pytest.raises(RetryableError, match="somebody still reads"):
            move(source, target)
    assert source.name.exists()
    move(source, target)
    log = source.name.with_name(f"{source.name.name}-wal")
    assert not (log.exists() and log.stat().st_size)


def test_a_target_with_another_journal_is_refused(
    source: SqliteDatabase, target: PostgresDatabase, tmp_path: Path
) -> None:
    other = SqliteFile(tmp_path / "other.db")
    other.acquire("main", "a")
    other.close()
    move(SqliteDatabase(tmp_path / "other.db"), target)
    own_at_last(target)
    with pytest.raises(ConfigError, match="holds a journal already"):
        move(source, target)
    assert source.name.exists()


def test_a_journal_that_a_node_writes_is_not_moved(
    source: SqliteDatabase, target: PostgresDatabase
) -> None:
    owner = source.own("main")
    with pytest.raises(FencedError, match="is written for account main"):
        move(source, target)
    owner.release()
    assert heads(target) == {}


@pytest.mark.parametrize(
    "damage",
    ["UPDATE record SET body = x'7b7d' WHERE seq = 7", "DELETE FROM attempt WHERE seq = 2"],
)
def test_a_damaged_journal_is_not_moved(
    damage: str, source: SqliteDatabase, target: PostgresDatabase
) -> None:
    file = SqliteFile(source.name)
    file.connection().execute(damage)
    file.close()
    with pytest.raises(CorruptionError):
        move(source, target)
    assert (heads(target), source.name.exists()) == ({}, True)


def test_the_verb_tells_what_was_moved(
    source: SqliteDatabase, target: PostgresDatabase, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = ["db", "move", "--from", f"sqlite:///{source.name}", "--to", target.url, "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["streams"]["main"]["records"] == 174
    with psycopg.connect(target.url) as connection:
        (stored,) = connection.execute("SELECT hash FROM head WHERE account = 'main'").fetchone()  # type: ignore[misc]
    assert told["streams"]["main"]["hash"] == stored.hex()
    assert main(["db", "move", "--from", target.url, "--to", target.url]) == 2
    assert main(words) == 2  # no such file any more
