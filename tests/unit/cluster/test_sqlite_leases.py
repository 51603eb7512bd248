"""The file of leases: who may hold it up, and what is said about a file that cannot serve."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from holdfast.cluster.port import Claim, Member, View
from holdfast.cluster.sqlite import SqliteLeases
from holdfast.cluster.sqlite_file import LeaseFile
from holdfast.cluster.timing import Timing
from holdfast.errors import ConfigError, RetryableError
from tests.support.leases import PATIENT, member
from tests.support.waiting import PATIENCE_S

T = TypeVar("T")

QUICK = Timing(renew_s=0.2, ttl_s=1.5, call_s=0.6)
reads_proc = pytest.mark.skipif(
    not Path("/proc/locks").exists(), reason="the kernel does not say who holds a lock: Linux does"
)


def run(
    path: Path, use: Callable[[SqliteLeases], Awaitable[T]], timing: Timing = PATIENT
) -> T:
    """What `use` returns, with the leases in `path` open meanwhile."""

    async def opened() -> T:
        leases = SqliteLeases(path, timing)
        try:
            return await use(leases)
        finally:
            await leases.close()

    return asyncio.run(opened())


async def join(leases: SqliteLeases, who: Member | None = None) -> None:
    await leases.join(who or member("a"))


def file_of(path: Path) -> Path:
    return LeaseFile(path, PATIENT).path


@contextmanager
def writing(kind: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the write lock."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.stopped_writer", kind, str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        process.stdout.close()  # type: ignore[union-attr]


async def in_time(leases: SqliteLeases, tries: int) -> int:
    """How many renewals failed before one was good."""
    for failed in range(tries):
        try:
            assert await leases.renew("a") == ()
        except RetryableError:
            continue
        return failed
    raise AssertionError("never")


@reads_proc
def test_a_process_that_is_stopped_while_it_writes_is_killed_within_one_call(
    tmp_path: Path,
) -> None:
    path = tmp_path / "leases"
    run(path, join)
    with writing("leases", path) as other:
        other.send_signal(signal.SIGSTOP)
        assert run(path, lambda leases: in_time(leases, 1), QUICK) == 0
        assert other.wait(PATIENCE_S) == -signal.SIGKILL


@reads_proc
def test_one_that_runs_and_gives_nothing_back_is_killed_after_a_ttl_and_not_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "leases"
    run(path, join)
    with writing("leases", path) as other:
        began_s = time.monotonic()
        assert run(path, lambda leases: in_time(leases, 20), QUICK) >= 2
        assert time.monotonic() - began_s >= QUICK.ttl_s
        assert other.wait(PATIENCE_S) == -signal.SIGKILL


@reads_proc
def test_who_never_opened_it_to_lead_is_named_and_left_alone(tmp_path: Path) -> None:
    """A person with a database shell, say."""
    path = tmp_path / "leases"
    run(path, join)
    with writing("anybody", file_of(path)) as other:
        other.send_signal(signal.SIGSTOP)

        async def renew(leases: SqliteLeases) -> None:
            for _ in range(4):
                with pytest.raises(RetryableError, match=f"is blocked by pid {other.pid};"):
                    await leases.renew("a")

        run(path, renew, QUICK)
        assert other.poll() is None


def test_a_view_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "leases"

    async def look(leases: SqliteLeases) -> View:
        await join(leases)
        with writing("anybody", file_of(path)):
            return await leases.view()

    assert [seen.member.boot_id for seen in run(path, look, QUICK).members] == ["a"]


def test_the_loop_runs_while_a_call_waits(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    run(path, join)

    async def renew(leases: SqliteLeases) -> None:
        waiting = asyncio.ensure_future(leases.renew("a"))
        turns = 0
        while not waiting.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 10
        with pytest.raises(RetryableError):
            await waiting

    with writing("anybody", file_of(path)):
        run(path, renew, QUICK)


def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    with closing(sqlite3.connect(file_of(path))) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(ConfigError, match=r"tables of version 0; expected: a file of leases"):
        run(path, join)
    with closing(sqlite3.connect(file_of(path))) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("mine",)]


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    run(path, join)
    with closing(sqlite3.connect(file_of(path))) as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(ConfigError, match="tables of version 9; expected"):
        run(path, join)


def test_what_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    file_of(path).write_text("no database at all, " * 100)
    with pytest.raises(ConfigError, match="end all nodes that use it, remove it"):
        run(path, join)


def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written .*cluster.lease_url"):
        run(tmp_path / "file" / "leases", join)
    (tmp_path / "leases-dir").mkdir()
    file_of(tmp_path / "leases-dir" / "leases").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        run(tmp_path / "leases-dir" / "leases", join)


def test_a_file_that_is_replaced_while_it_is_used_ends_who_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "leases"

    async def use(leases: SqliteLeases) -> None:
        await join(leases)
        file_of(path).rename(tmp_path / "away")
        with pytest.raises(ConfigError, match="removed or replaced while nodes use it"):
            await leases.renew("a")

    run(path, use)


def test_a_disk_that_is_full_is_told_and_nothing_was_done(tmp_path: Path) -> None:
    async def use(leases: SqliteLeases) -> None:
        await join(leases)
        connection = leases._file._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 1")  # as full as it is
        many = tuple(f"account{number}" for number in range(500))
        with pytest.raises(RetryableError, match=r"disk is full.*nothing was done"):
            await leases.join(member("b", accounts=many))
        view = await leases.view()
        assert [seen.member.boot_id for seen in view.members] == ["a"]
        assert [claim.account for claim in view.claims] == ["main"]
        assert await leases.renew("a") == ()

    run(tmp_path / "leases", use)


def test_rows_changed_by_hand_are_shown_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    run(path, join)
    with closing(sqlite3.connect(file_of(path), isolation_level=None)) as hand:
        hand.execute("UPDATE member SET renewals = -3, accounts = 'main,,x'")
        hand.execute("UPDATE claim SET boot_id = 'nobody I know', turn = 99")
        with pytest.raises(sqlite3.IntegrityError):
            hand.execute("UPDATE member SET renewals = 'many'")

    async def look(leases: SqliteLeases) -> View:
        assert await leases.renew("a") == ()
        return await leases.view()

    view = run(path, look)
    assert view.claims == (Claim("main", "nobody I know", 99),)
    assert view.members[0].renewals == -2
    assert view.members[0].member.accounts == ("main", "", "x")


def test_tables_removed_by_hand_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    run(path, join)
    with closing(sqlite3.connect(file_of(path))) as hand:
        hand.execute("DROP TABLE claim")
    with pytest.raises(ConfigError, match=r"no such table: claim.*end all nodes"):
        run(path, lambda leases: leases.renew("a"))


def test_a_member_removed_by_hand_hears_of_it(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    run(path, join)
    with closing(sqlite3.connect(file_of(path), isolation_level=None)) as hand:
        hand.execute("DELETE FROM member")
    assert run(path, lambda leases: leases.renew("a")) is None


def looked_at_by_another(path: Path) -> int:
    """How often the one member has renewed, for a process that opens the file and closes it."""
    look = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "print(*c.execute('SELECT renewals FROM member').fetchone()); c.close()"
    )
    command = [sys.executable, "-I", "-S", "-c", look, str(file_of(path))]
    return int(subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S).stdout)


def test_who_has_asked_the_disk_is_seen_by_those_that_open_the_file_after_another_closed_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "leases"

    async def use(leases: SqliteLeases) -> None:
        await join(leases)
        await leases.sync()
        for renewals in (1, 2):
            await leases.renew("a")
            assert looked_at_by_another(path) == renewals

    run(path, use)


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    async def use(leases: SqliteLeases) -> None:
        await join(leases)
        file = file_of(tmp_path / "leases")
        file.with_name(f"{file.name}-sync").mkdir()
        with pytest.raises(RetryableError, match="expected: a disk that takes what is written"):
            await leases.sync()

    run(tmp_path / "leases", use)


def test_the_end_does_not_wait_for_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(LeaseFile, "sync", lambda _: answers.wait(PATIENCE_S))

    async def use(leases: SqliteLeases) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(leases.sync(), 0.01)

    began_s = time.monotonic()
    run(tmp_path / "leases", use)
    assert time.monotonic() - began_s < PATIENCE_S / 2
    answers.set()


@pytest.mark.skipif(
    not Path("/proc/sys/kernel/random/boot_id").exists(), reason="boots are not told apart here"
)
def test_leases_of_an_earlier_boot_are_removed_and_nothing_else(tmp_path: Path) -> None:
    of_a_boot = ("leases-01234567", "leases-01234567-wal", "leases-01234567-sync")
    for name in (*of_a_boot, "leases-0123", "leases-notahexa", "x"):
        (tmp_path / name).write_text("torn by a power cut")
    run(tmp_path / "leases", join)
    left = {file.name for file in tmp_path.iterdir()} - {file_of(tmp_path / "leases").name}
    assert left == {"leases-0123", "leases-notahexa", "x"}
