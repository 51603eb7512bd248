"""The file of leases in SQLite: its tables, its transactions, and who holds them up.

Everything here blocks, but for `sync` for microseconds: no commit waits for the disk. Not here:
what is written (cluster.sqlite).
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, TypeVar

from holdfast.cluster.blocker import writer_of
from holdfast.cluster.host import Process, has_ended, is_stopped, kill, this_process
from holdfast.cluster.timing import Timing
from holdfast.errors import ConfigError, OutcomeUnknownError, PlatformError, RetryableError
from holdfast.telemetry.log import get_logger

T = TypeVar("T")

log = get_logger("cluster.sqlite")

VERSION: Final = 1
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_OF_A_BOOT: Final = re.compile(r"-[0-9a-f]{8}(-wal|-shm|-sync)?")

_TABLES: Final = """
    CREATE TABLE member (
        boot_id TEXT NOT NULL PRIMARY KEY,
        node TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started INTEGER NOT NULL,
        version TEXT NOT NULL,
        accounts TEXT NOT NULL, -- names, separated by commas
        renewals INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE claim (
        account TEXT NOT NULL PRIMARY KEY,
        boot_id TEXT NOT NULL DEFAULT '',
        turn INTEGER NOT NULL DEFAULT 0,
        wanted TEXT NOT NULL DEFAULT ''
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE opener ( -- processes that may be writing, and killed when they stop meanwhile
        pid INTEGER NOT NULL PRIMARY KEY,
        started INTEGER NOT NULL
    ) STRICT;
"""
_OPENED: Final = """
    INSERT INTO opener (pid, started) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET started = excluded.started
"""
_NOTHING_WRITTEN: Final = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_READONLY")
"""Errors of COMMIT that come before the mark which would make the transaction count."""


class LeaseFile:
    """The file with its one connection; opened by the first transaction.

    Leases end with the operating system that their nodes run on, so each boot of it has a file of
    its own, `<name>-<boot>`: what a power cut does to a file that no commit waited for is never
    read. Files of earlier boots are removed.

    A process that stops within a transaction holds the write lock until it ends. Whoever waits for
    it kills it, after half of `call_s` when it was stopped by a signal, else after `ttl_s`, and
    only when the kernel names it as holder, and this file as one of its openers. Where that cannot
    be known (no /proc), or it is of another user, the error names it, and a person must.
    """

    def __init__(self, path: Path, timing: Timing) -> None:
        self.path = of_this_boot(path)
        self._named = path
        self._timing = timing
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._holder: Process | None = None  # of the write lock, as far as was seen
        self._held_since_s = 0.0

    def transaction(self, function: Callable[[sqlite3.Connection], T], begin: str) -> T:
        """Run `function` in a transaction; all of it or nothing.

        Raises:
            sqlite3.Error: nothing was done; see `is_busy` and `meaning`.
            OutcomeUnknownError: the commit itself failed in a way that proves nothing.
            ConfigError: the file is of another kind or version, or was replaced.
        """
        connection = self._opened()
        connection.execute(begin)
        try:
            result = function(connection)
        except BaseException:
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            if error.sqlite_errorname.startswith(_NOTHING_WRITTEN):
                raise
            raise OutcomeUnknownError(
                f"seen: {self.path}: {error} while committing; expected: a commit; do: look again"
            ) from error
        self._holder = None
        return result

    def end_blocker(self) -> None:
        """Kill who holds the write lock, when it is certain that it does not give it back."""
        now_s, holder = time.monotonic(), writer_of(self.path)
        if holder is None or holder != self._holder:
            self._holder, self._held_since_s = holder, now_s
            return
        patience_s = self._timing.call_s / 2 if is_stopped(holder) else self._timing.ttl_s
        if now_s - self._held_since_s >= patience_s and self._is_opener(holder) and kill(holder):
            log.warning(
                "killed a process that stopped while it wrote leases", action="killed_blocker",
                pid=holder.pid, file=str(self.path), held_s=round(now_s - self._held_since_s, 3),
            )  # fmt: skip

    def blocked(self) -> RetryableError:
        """What to raise when the write lock could not be had in time."""
        by = f"pid {self._holder.pid}" if self._holder else "a process that cannot be told"
        return RetryableError(
            f"seen: {self.path} is blocked by {by}; expected: its lock within "
            f"{self._timing.call_s:g} s; nothing was done; do: if it stays so, end that process "
            f"(`fuser {self.path}` lists who has it open)"
        )

    def meaning(self, error: sqlite3.Error) -> PlatformError:
        """What an error that left nothing written means."""
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "no such" in str(error):
            return ConfigError(
                f"seen: {self.path} holds no leases that can be read ({error}); expected: the "
                "tables of this program; do: end all nodes that use it, remove it with its -wal "
                "and -shm, and start them again; nothing is lost"
            )
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            return self._not_writable(error)
        return RetryableError(
            f"seen: {self.path}: {error} ({name}); expected: a file that can be written; nothing "
            "was done; do: free space on its disk"
        )

    def sync(self) -> None:
        """Write a few bytes beside it, and wait for the disk; in any thread.

        Never of the file itself: closing it would drop the locks that this process has on it, and
        whoever closes it next would remove its log, and others begin another one.

        Raises:
            RetryableError: it did not take what was written.
        """
        beside = self.path.with_name(f"{self.path.name}-sync")
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.pwrite(file, b"written", 0)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise RetryableError(
                f"seen: {beside}: {error}; expected: a disk that takes what is written; do: look "
                "at that disk"
            ) from error

    def close(self) -> None:
        """Release the connection; a next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
            self._inode = self.path.stat().st_ino
            return self._connection
        with suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                return self._connection
        # Others would go on with another file, and this one alone with what is no more.
        raise ConfigError(
            f"seen: {self.path} was removed or replaced while nodes use it; expected: that it "
            "stays; do: end all of them, and start them again"
        )

    def _open(self) -> sqlite3.Connection:
        try:
            self._named.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rwc",
            uri=True, timeout=0, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        try:
            # A row is short, and who stops while it reads keeps the log from being reused.
            connection.execute("PRAGMA page_size = 512")
            connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not meet
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            self._require_tables(connection)
            gone = [p for p in _openers(connection) if has_ended(p)]
            connection.executemany("DELETE FROM opener WHERE pid = ?", [(p.pid,) for p in gone])
            me = this_process()
            connection.execute(_OPENED, (me.pid, me.started))
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._remove_older()
        return connection

    def _require_tables(self, connection: sqlite3.Connection) -> None:
        """Make them in a file that is empty; refuse what somebody else made."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (version, tables) == (0, 0):
            for statement in _TABLES.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise ConfigError(
                f"seen: {self.path} has tables of version {version}; expected: a file of leases, "
                f"version {VERSION}; do: name another in `cluster.lease_url`"
            )

    def _is_opener(self, process: Process) -> bool:
        """Whether that very process has opened this file to lead; reading waits for no writer."""
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
                return process in _openers(connection)
        except sqlite3.Error:  # then it cannot be known, and nobody is killed
            return False

    def _not_writable(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"seen: {self.path} cannot be written ({error}); expected: a file in a directory that "
            "may be written; do: allow it, or name another in `cluster.lease_url`"
        )

    def _remove_older(self) -> None:
        for file in self._named.parent.glob(f"{self._named.name}-*"):
            rest = file.name.removeprefix(self._named.name)
            if _OF_A_BOOT.fullmatch(rest) and not file.name.startswith(self.path.name):
                with suppress(OSError):
                    file.unlink()


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process only has to finish what it does."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"))


def of_this_boot(path: Path) -> Path:
    """The file that leases named `path` are in while this boot of the machine lasts."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return path
    return path.with_name(f"{path.name}-{boot[:8]}")


def _openers(connection: sqlite3.Connection) -> set[Process]:
    return {Process(*row) for row in connection.execute("SELECT pid, started FROM opener")}


def _roll_back(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # an error that ended the transaction itself
        if connection.in_transaction:
            connection.execute("ROLLBACK")
