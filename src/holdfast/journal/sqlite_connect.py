"""Connections to a journal file, durable or read-only, and what SQLite's errors mean.

Not here: what is stored (journal.sqlite_file, journal.sqlite_read).
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import NoReturn

from holdfast.errors import ConfigError, CorruptionError, RetryableError

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What the driver raises; the second when damage reaches a name or a message."""

BUSY_TIMEOUT_S = 2.0
"""How long another process may hold the write lock before we give up."""

_LOCKED_PAUSE_S = 0.005


def connect(
    path: Path,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    *,
    read_only: bool = False,
    must_exist: bool = False,
) -> sqlite3.Connection:
    """A connection that is durable on commit, which is read back and not assumed.

    Raises:
        ConfigError: there is no such file or directory, or it cannot be made durable.
        CorruptionError: the file is no database.
        RetryableError: it is locked, or the disk does not let us.
    """
    mode = "ro" if read_only else "rw" if must_exist else "rwc"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise ConfigError(
            f"seen: {path} cannot be opened ({error}); expected: a journal file in a directory "
            "that exists and may be written; do: create it or name another"
        ) from error
    try:
        if not read_only:
            make_durable(connection, path, busy_timeout_s)
    except SQLITE_ERRORS as error:
        connection.close()
        raise_translated(path, error)
    except ConfigError:
        connection.close()
        raise
    return connection


def make_durable(
    connection: sqlite3.Connection, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> None:
    """Have commits survive a crash of the machine, and read back that they will.

    Raises:
        ConfigError: the file system, or this build of SQLite, cannot.
        sqlite3.OperationalError: another process kept the file locked.
    """
    mode = _write_ahead(connection, time.monotonic() + busy_timeout_s)
    connection.execute("PRAGMA synchronous = FULL")
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if (mode, level) != ("wal", 2):
        raise ConfigError(
            f"seen: {path} with journal_mode {mode}, synchronous {level}; expected: wal, 2 (FULL); "
            "do: keep the journal on a local disk with a file system that can lock and share memory"
        )


def _write_ahead(connection: sqlite3.Connection, until_s: float) -> str:
    """Ask for the write-ahead log; SQLite does not wait when two processes begin one file."""
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > until_s:
                raise
            time.sleep(_LOCKED_PAUSE_S)
        else:
            return str(mode)


def raise_translated(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> NoReturn:
    """Raise what `error` means when nothing was committed."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    damaged = name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "decode" in str(error)
    if damaged or isinstance(error, UnicodeDecodeError):
        raise CorruptionError(
            f"seen: {path} is damaged ({error}); expected: a journal; do: stop, keep it with its "
            "-wal and -shm for evidence, and restore a backup"
        ) from error
    raise RetryableError(
        f"seen: {path}: {error} ({name}); expected: a journal that can be written; nothing was "
        "written, and nothing is lost; do: free space, or end the process that holds it"
    ) from error
