"""A holder that hangs does not keep its successor from the journal (order-safety D3).

The hung ones are processes, stopped by SIGSTOP: one within a transaction, others between two.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from holdfast.errors import FencedError, RetryableError
from holdfast.journal.database import Database, SqliteDatabase, database_at
from holdfast.journal.displace import HUNG_S
from holdfast.journal.port import Group
from tests.support.journal_facts import armed
from tests.support.postgres import database
from tests.support.waiting import PATIENCE_S

MAIN = "main"
reads_proc = pytest.mark.skipif(
    not Path("/proc/locks").exists(), reason="the kernel does not say who holds a lock: Linux does"
)


@contextmanager
def holding(url: str, where: str) -> Iterator[subprocess.Popen[str]]:
    """A process that owns `main` and is at `where`; it runs yet."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.hung_holder", url, where],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdin.close()
        process.stdout.close()


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def wake(process: subprocess.Popen[str]) -> list[str]:
    """What became of the commits that it tries after a long sleep."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.send_signal(signal.SIGCONT)
    process.stdin.write("go on\n")
    process.stdin.flush()
    assert process.wait(PATIENCE_S) == 0
    return process.stdout.read().split()


def go_on(journal: Database) -> int:
    """Write as the successor; the epoch."""

    async def write() -> int:
        store = journal.store()
        try:
            head = await store.head(MAIN)
            head = await store.acquire(MAIN, "successor", after=head.epoch)
            await store.commit(head, [Group((armed(7),))], 7)
            return head.epoch
        finally:
            await store.close()

    return asyncio.run(write())


@reads_proc
def test_a_holder_stopped_within_a_transaction_of_a_file_is_killed(tmp_path: Path) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with holding(f"sqlite:///{journal.name}", "inside") as hung:
        stop(hung)
        with pytest.raises(FencedError, match=f"by process {hung.pid};"):
            journal.own(MAIN)
        owner = journal.own(MAIN, displace=True)
        assert hung.wait(PATIENCE_S) == -signal.SIGKILL
        assert go_on(journal) == 2
        owner.release()


@reads_proc
def test_a_displaced_holder_that_runs_and_does_not_let_go_is_killed_as_well(
    tmp_path: Path,
) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with holding(f"sqlite:///{journal.name}", "inside") as hung:
        began_s = time.monotonic()
        owner = journal.own(MAIN, displace=True)
        assert time.monotonic() - began_s >= HUNG_S
        assert hung.wait(PATIENCE_S) == -signal.SIGKILL
        assert go_on(journal) == 2
        owner.release()


def test_a_holder_stopped_between_transactions_of_a_file_lives_and_is_refused(
    tmp_path: Path,
) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with holding(f"sqlite:///{journal.name}", "between") as hung:
        stop(hung)
        owner = journal.own(MAIN, displace=True)
        assert go_on(journal) == 2
        with pytest.raises(FencedError, match=f"by process {os.getpid()};"):
            journal.own(MAIN)
        assert hung.poll() is None
        assert wake(hung) == ["FencedError", "FencedError"]
        with pytest.raises(FencedError, match=f"by process {os.getpid()};"):
            journal.own(MAIN)  # what the old holder released was its own file
        owner.release()
    journal.own(MAIN).release()


@reads_proc
def test_a_writer_stopped_for_another_account_does_not_block_this_one(tmp_path: Path) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with holding(f"sqlite:///{journal.name}", "inside") as hung:
        stop(hung)
        journal.own("other", displace=True).release()
        assert hung.wait(PATIENCE_S) == -signal.SIGKILL


@reads_proc
def test_an_api_that_stopped_while_it_wrote_a_file_does_not_block_a_takeover(
    tmp_path: Path,
) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with holding(f"sqlite:///{journal.name}", "platform") as hung:
        stop(hung)
        owner = journal.own(MAIN, displace=True)
        assert hung.wait(PATIENCE_S) == -signal.SIGKILL
        assert go_on(journal) == 1
        owner.release()
    with closing(journal.platform()) as store:
        assert store.head() == 0
        left = [file.name for file in tmp_path.glob("*.@platform-*.lock")]
        assert len(left) == 1, "what the killed one left is gone"
    assert list(tmp_path.glob("*.@platform-*.lock")) == []


@reads_proc
def test_an_api_that_runs_is_not_killed_for_a_write(tmp_path: Path) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with holding(f"sqlite:///{journal.name}", "platform") as busy:
        with pytest.raises(RetryableError, match=f"blocked by pid {busy.pid}"):
            journal.own(MAIN, displace=True)
        assert wake(busy) == ["committed"]
    journal.own(MAIN, displace=True).release()


BLOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("inside", flush=True)
time.sleep(3600)
"""


@reads_proc
def test_a_stranger_that_blocks_is_named_and_not_killed(tmp_path: Path) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    go_on(journal)
    command = [sys.executable, "-c", BLOCKER, str(journal.name)]
    stranger = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert stranger.stdout is not None
    try:
        assert stranger.stdout.readline() == "inside\n"
        stop(stranger)
        with pytest.raises(RetryableError, match=f"is blocked by pid {stranger.pid};"):
            journal.own(MAIN, displace=True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait(PATIENCE_S)
        stranger.stdout.close()
    journal.own(MAIN, displace=True).release()


def test_displacing_nobody_is_owning(tmp_path: Path) -> None:
    journal = SqliteDatabase(tmp_path / "journal.db")
    with journal.own(MAIN, displace=True), pytest.raises(FencedError):
        journal.own(MAIN)
    go_on(journal)
    with journal.own(MAIN, displace=True), closing(sqlite3.connect(journal.name)) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing was left behind that locks


def test_a_holder_stopped_between_statements_in_postgres_is_cut_off_and_refused() -> None:
    with database() as url:
        journal = database_at(url)
        with holding(url, "between") as hung:
            stop(hung)
            with pytest.raises(FencedError, match=rf"by process \S+:{hung.pid};"):
                journal.own(MAIN)
            began_s = time.monotonic()
            owner = journal.own(MAIN, displace=True)
            assert time.monotonic() - began_s < PATIENCE_S
            assert sessions_of(url, hung.pid) == 0
            assert go_on(journal) == 2
            assert wake(hung)[-1] == "FencedError"
            with pytest.raises(FencedError, match=rf"by process \S+:{os.getpid()};"):
                journal.own(MAIN)
            owner.release()


def test_displacing_in_postgres_leaves_the_sessions_of_others_alone() -> None:
    with database() as url, psycopg.connect(url, application_name="holdfast writer x:1") as other:
        journal = database_at(url)
        with holding(url, "between") as hung:
            stop(hung)
            journal.own("another", displace=True).release()
            assert sessions_of(url, hung.pid) == 2
            journal.own(MAIN, displace=True).release()
            assert sessions_of(url, hung.pid) == 0
        assert other.execute("SELECT 1").fetchone() == (1,)


def sessions_of(url: str, pid: int) -> int:
    """Of a process: as owner, and as writer."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s",
            (f"holdfast %:{pid}",),
        ).fetchone()
    assert row is not None
    return int(row[0])
