"""The SQLite file itself: durable or refused, and what a full disk, a lock or damage means."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from holdfast.errors import (
    ConfigError,
    CorruptionError,
    OutcomeUnknownError,
    RetryableError,
    exit_code,
)
from holdfast.journal.port import Group, Snapshot
from holdfast.journal.schema import metadata
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.sqlite_connect import make_durable
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.sqlite_read import find_attempt, read_stream
from holdfast.journal.upgrade import upgrade
from holdfast.journal.version import SCHEMA_VERSION
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed

MAIN = "main"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def file(path: Path) -> Iterator[SqliteFile]:
    file = SqliteFile(path, busy_timeout_s=0.05)
    yield file
    file.close()


def groups(*numbers: int) -> list[Group]:
    return [Group((armed(number),)) for number in numbers]


def numbers_in(path: Path) -> list[int]:
    return [int(record.fact.intent_id[-12:]) for record in read_stream(path, MAIN)]  # type: ignore[union-attr]


def test_every_writing_connection_is_durable(file: SqliteFile) -> None:
    assert file.connection().execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file.connection().execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_file_that_cannot_be_durable_is_refused() -> None:
    """A database in memory has no write-ahead log; so say file systems that cannot share memory."""
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(ConfigError, match=r"journal_mode \w+, .*expected: wal, 2 \(FULL\)"),
    ):
        make_durable(connection, Path(":memory:"))


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        SqliteFile(tmp_path / "missing" / "journal.db")


def test_migrations_arrive_at_the_schema(path: Path) -> None:
    upgrade(path)
    upgrade(path)  # safe to repeat
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == SCHEMA_VERSION
    engine.dispose()


@pytest.mark.parametrize(
    ("version", "told"),
    [("0000", r"schema 0000; .* holdfast db upgrade --database sqlite:///.*journal\.db"),
     ("9999", f"schema 9999, .*; expected: at most {SCHEMA_VERSION}; do: start the newer")],
)  # fmt: skip
def test_another_schema_is_refused_with_what_to_do(path: Path, version: str, told: str) -> None:
    SqliteFile(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        connection.execute("UPDATE compatibility SET oldest = ?", (version,))
        connection.commit()
    for opening in (lambda: SqliteFile(path), lambda: list(read_stream(path, MAIN))):
        with pytest.raises(ConfigError, match=told) as refused:
            opening()
        assert exit_code(refused.value) == 2


def test_another_kind_of_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (id)")
    with pytest.raises(ConfigError, match="other tables"):
        SqliteFile(path)


def test_a_file_that_is_no_database_is_corrupt(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(CorruptionError, match="keep it with its -wal and -shm"):
        SqliteFile(path)


def test_opening_a_current_file_imports_no_migration_tools(path: Path) -> None:
    """They cost more than the whole start of a node may."""
    SqliteFile(path).close()
    program = (
        "import sys, pathlib\n"
        "from holdfast.journal.sqlite_file import SqliteFile\n"
        f"SqliteFile(pathlib.Path({str(path)!r})).close()\n"
        "print([name for name in sys.modules if name.startswith(('sqlalchemy', 'alembic'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"


def test_two_processes_that_create_the_file_at_once_take_turns(path: Path) -> None:
    program = (
        "import pathlib\n"
        "from holdfast.journal.sqlite_file import SqliteFile\n"
        f"file = SqliteFile(pathlib.Path({str(path)!r}), 30.0)\n"
        "print(file.acquire('main', 'x').epoch)"
    )
    command = [sys.executable, "-c", program]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate(timeout=60)[0] for process in started) == ["1\n", "2\n"]


def test_a_lock_held_by_another_is_retryable_and_writes_nothing(file: SqliteFile) -> None:
    head = file.acquire(MAIN, "a")
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RetryableError, match="locked") as refused:
            file.commit(head, groups(1), 1)
        assert exit_code(refused.value) == 4
        assert file.head(MAIN) == head  # readers are not held up
        other.execute("ROLLBACK")
    file.commit(head, groups(1), 1)
    assert numbers_in(file.path) == [1]


def test_a_full_disk_is_retryable_and_loses_nothing(file: SqliteFile) -> None:
    head = file.acquire(MAIN, "a")
    connection = file.connection()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    written = 0

    def fill() -> None:
        nonlocal head, written
        while written < 999:
            head, _ = file.commit(head, groups(written + 1), 1)
            written += 1

    with pytest.raises(RetryableError, match="full"):
        fill()
    assert written > 0
    assert file.head(MAIN) == head
    connection.execute("PRAGMA max_page_count = 1000000")
    file.commit(head, groups(written + 1), 1)
    assert numbers_in(file.path) == list(range(1, written + 2))


def test_a_disk_that_refuses_the_commit_loses_nothing(path: Path) -> None:
    """The log itself hits a limit on file size; the writer's callers learn what is in."""
    SqliteFile(path).close()
    program = Path(__file__).with_name("full_disk_child.py")
    ran = subprocess.run(
        [sys.executable, program, str(path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["acknowledged"]
    assert told["failed"]
    assert set(told["failures"]) <= {"RetryableError", "not in"}
    assert numbers_in(path) == told["acknowledged"]


def test_a_read_only_file_is_retryable(file: SqliteFile) -> None:
    head = file.acquire(MAIN, "a")
    file.connection().execute("PRAGMA query_only = 1")
    with pytest.raises(RetryableError, match="readonly"):
        file.commit(head, groups(1), 1)
    file.connection().execute("PRAGMA query_only = 0")
    assert file.head(MAIN) == head


class FailingConnection:
    """A connection whose next COMMIT reports an I/O error, before or after doing it."""

    def __init__(self, real: sqlite3.Connection, *, does_it: bool) -> None:
        self._real = real
        self._does_it = does_it

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def execute(self, statement: str, *args: object) -> sqlite3.Cursor:
        if statement != "COMMIT":
            return self._real.execute(statement, *args)  # type: ignore[arg-type]
        if self._does_it:
            self._real.execute("COMMIT")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error


@pytest.mark.parametrize("does_it", [True, False])
def test_a_failed_sync_is_unknown_until_the_file_is_opened_afresh(
    file: SqliteFile, does_it: bool
) -> None:
    head = file.acquire(MAIN, "a")
    real = file.connection()
    file._connection = FailingConnection(real, does_it=does_it)  # type: ignore[assignment]
    with pytest.raises(OutcomeUnknownError, match="while committing"):
        file.commit(head, groups(1), 1)
    with pytest.raises(sqlite3.ProgrammingError):
        real.execute("SELECT 1")  # the connection that failed is closed
    assert file.head(MAIN).seq == int(does_it)
    assert numbers_in(file.path) == [1] * does_it


def test_rows_beyond_the_head_are_a_contradiction(file: SqliteFile) -> None:
    head = file.acquire(MAIN, "a")
    file.connection().execute(
        "INSERT INTO record (account, seq, body, hash) VALUES (?, 1, x'00', x'00')", (MAIN,)
    )
    with pytest.raises(CorruptionError, match="beyond the end"):
        file.commit(head, groups(1), 1)
    assert file.head(MAIN) == head


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM record WHERE seq = 1",
        "UPDATE record SET body = (SELECT body FROM record WHERE seq = 2) WHERE seq = 1",
    ],
)
def test_an_attempt_without_the_record_that_armed_it_is_a_contradiction(
    damage: str, file: SqliteFile
) -> None:
    head = file.acquire("main", "a")
    file.commit(head, [Group((armed(1),)), Group((armed(2),))], 1)
    file.connection().execute(damage)

    with pytest.raises(CorruptionError, match="audit verify"):
        find_attempt(file.path, "main", armed(1).cid)


def test_a_snapshot_with_changed_bytes_is_ignored(file: SqliteFile) -> None:
    first, _ = file.commit(file.acquire(MAIN, "a"), groups(1), 1)
    second, _ = file.commit(first, groups(2), 1)
    kept = [Snapshot(MAIN, head.seq, head.hash, b"fold") for head in (first, second)]
    for snapshot in kept:
        file.save_snapshot(snapshot)
    file.connection().execute("UPDATE snapshot SET body = x'00' WHERE seq = 2")
    assert file.load_snapshot(MAIN) == kept[0]


def test_reading_goes_on_while_the_writer_writes(file: SqliteFile) -> None:
    head, _ = file.commit(file.acquire(MAIN, "a"), groups(1, 2), 1)
    reading = read_stream(file.path, MAIN)
    next(reading)
    file.commit(head, groups(3), 1)
    assert len(list(reading)) == 1  # as of the moment when the read began
    assert numbers_in(file.path) == [1, 2, 3]


def test_the_event_loop_goes_on_while_the_disk_does_not(path: Path) -> None:
    async def run() -> None:
        store = SqliteStore(path, busy_timeout_s=5.0)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            appended = writer.append(armed(1))
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not appended.done()
            other.execute("ROLLBACK")
        assert await appended
        await store.close()
        with pytest.raises(RuntimeError, match="closed"):
            await store.head(MAIN)

    asyncio.run(run())


@pytest.mark.parametrize(("quick_s", "elsewhere"), [(60.0, 0), (0.0, 4)])
def test_the_event_loop_makes_commits_only_while_they_are_quick(
    path: Path, quick_s: float, elsewhere: int
) -> None:
    """The first is made there in either case: nothing is known of the disk yet."""
    committers: list[str] = []

    def trace(statement: str) -> None:
        if statement == "COMMIT":
            committers.append(threading.current_thread().name)

    async def run() -> None:
        store = SqliteStore(path, quick_s=quick_s)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        store._file.connection().set_trace_callback(trace)
        for number in range(5):
            await writer.append(armed(number))
        await store.close()

    asyncio.run(run())

    assert committers.count("journal journal.db") == elsewhere
    assert len(committers) == 5
    assert numbers_in(path) == [0, 1, 2, 3, 4]
