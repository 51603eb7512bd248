"""The writing side of one journal file: its statements, and what each failure proves.

Everything here blocks and belongs to one thread at a time. Not here: threads and the event loop
(journal.sqlite), reading streams (journal.sqlite_read).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn, TypeVar

from holdfast.domain.fact import AnyFact
from holdfast.errors import (
    ConfigError,
    CorruptionError,
    FencedError,
    OutcomeUnknownError,
    PlatformError,
)
from holdfast.journal.chain import (
    Batch,
    extend,
    fenced_text,
    merge,
    next_generation,
    require_epoch,
)
from holdfast.journal.claim_tables import CLAIMING, refused_groups
from holdfast.journal.port import Group, Head, Outcome, Snapshot
from holdfast.journal.reading import hash_of, head_of, snapshot_digest, snapshot_of
from holdfast.journal.record import GENESIS
from holdfast.journal.sqlite_connect import (
    BUSY_TIMEOUT_S,
    SQLITE_ERRORS,
    connect,
    raise_translated,
)
from holdfast.journal.sqlite_read import stored_version
from holdfast.journal.version import require_usable, writing

T = TypeVar("T")

_ACQUIRE = """
    INSERT INTO head (account, epoch, generation, seq, hash, node) VALUES (?, 1, 1, 0, ?, ?)
    ON CONFLICT (account) DO UPDATE SET epoch = epoch + 1, node = excluded.node
"""
_ADVANCE = """
    UPDATE head SET seq = ?, hash = ? WHERE account = ? AND epoch = ? AND seq = ? AND hash = ?
"""
_BEGIN_GENERATION = """
    UPDATE head SET epoch = ?, generation = ?, seq = ?, hash = ?
    WHERE account = ? AND epoch = ? AND generation = ? AND seq = ? AND hash = ?
"""
_RECORD = "INSERT INTO record (account, seq, body, hash) VALUES (?, ?, ?, ?)"
_SAVE = "INSERT OR REPLACE INTO snapshot (account, seq, hash, body, digest) VALUES (?, ?, ?, ?, ?)"
_DROP_OLDER = """
    DELETE FROM snapshot WHERE account = ?1 AND seq NOT IN
        (SELECT seq FROM snapshot WHERE account = ?1 ORDER BY seq DESC LIMIT 2)
"""
_NOTHING_WRITTEN = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_READONLY")
"""Errors of COMMIT that come before the mark which would make the transaction count."""

_INSERTING = {
    kind: (
        f"INSERT INTO {claiming.table} ({', '.join(claiming.columns)}) "  # noqa: S608 - our names
        f"VALUES ({', '.join('?' * len(claiming.columns))})",
        claiming.row_of,
    )
    for kind, claiming in CLAIMING.items()
}


class SqliteFile:
    """A journal file with its one writing connection.

    Args:
        busy_timeout_s: how long another process may hold the write lock before we give up.

    Raises:
        As `connect` and `require_usable`; a file without tables is brought up to date.
    """

    def __init__(self, path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._waits = True
        self._connection: sqlite3.Connection | None = self._open()

    def acquire(self, account: str, node: str, after: int | None = None) -> Head:
        """Take the stream over: epoch + 1, durably; only if it is `after`, unless that is None.

        Raises:
            ConfigError: the file has another name by now, or there is another one in its place.
        """
        with Transaction(self) as connection:
            self._require_here()
            require_epoch(head_of(self.path, connection, account), after)
            stored = require_usable(self.path, stored_version(connection))
            connection.execute(_ACQUIRE, (account, GENESIS, node))
            return writing(head_of(self.path, connection, account), stored)

    def begin_generation(
        self, head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int
    ) -> Head:
        """Append `facts` under the next epoch and `generation`, if all is as in `head`."""
        with Transaction(self) as connection:
            stored = require_usable(self.path, stored_version(connection))
            batch = next_generation(writing(head, stored), generation, facts, at_ns)
            end, account = batch.head, head.account
            begun = connection.execute(
                _BEGIN_GENERATION,
                (end.epoch, generation, end.seq, end.hash, account,
                 head.epoch, head.generation, head.seq, head.hash),
            )  # fmt: skip
            if begun.rowcount != 1:
                raise FencedError(fenced_text(head, head_of(self.path, connection, account)))
            for seq, line in enumerate(
                zip(batch.bodies, batch.hashes, strict=True), head.seq + 1
            ):
                connection.execute(_RECORD, (account, seq, *line))
        return end

    def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int, *, wait: bool = True
    ) -> tuple[Head, list[Outcome]]:
        """Append `groups` in one transaction, as the port promises.

        Args:
            wait: for another process that holds the write lock; else fail at once.
        """
        batch = extend(head, groups, at_ns)  # nearly always all of it is new
        try:
            with Transaction(self, wait=wait) as connection:
                self._insert(connection, head, batch)
        except sqlite3.IntegrityError:
            return self._commit_what_is_free(head, groups, at_ns, wait=wait)
        return batch.head, [*batch.records]

    def _commit_what_is_free(
        self, head: Head, groups: Sequence[Group], at_ns: int, *, wait: bool
    ) -> tuple[Head, list[Outcome]]:
        try:
            with Transaction(self, wait=wait) as connection:
                refused = refused_groups(connection, head.account, groups)
                free = [group for position, group in enumerate(groups) if position not in refused]
                batch = extend(head, free, at_ns)
                self._insert(connection, head, batch)
        except sqlite3.IntegrityError as error:
            raise CorruptionError(
                f"seen: {self.path} holds rows beyond the end of {head.account} ({error}); "
                "expected: none; do: stop, keep the file, and restore a backup"
            ) from error
        return batch.head, merge(refused, batch.records, len(groups))

    def _insert(self, connection: sqlite3.Connection, head: Head, batch: Batch) -> None:
        """Move the head, add the records, and claim what they need.

        Raises:
            FencedError: the head is not where it should be.
            sqlite3.IntegrityError: something of what they claim is taken.
        """
        account, end = head.account, batch.head
        advanced = connection.execute(
            _ADVANCE, (end.seq, end.hash, account, head.epoch, head.seq, head.hash)
        )
        if advanced.rowcount != 1:
            raise FencedError(fenced_text(head, head_of(self.path, connection, account)))
        seq = head.seq
        for body, digest in zip(batch.bodies, batch.hashes, strict=True):
            seq += 1
            connection.execute(_RECORD, (account, seq, body, digest))
        for records in batch.records:
            for record in records:
                claiming = _INSERTING.get(type(record.fact))
                if claiming is not None:
                    statement, row_of = claiming
                    row = row_of(account, record.seq, record.fact)
                    if row is not None:
                        connection.execute(statement, row)

    def head(self, account: str) -> Head:
        """The head as stored; epoch 0 when nobody ever acquired the stream."""
        return self._reading(lambda connection: head_of(self.path, connection, account))

    def hash_at(self, account: str, seq: int) -> bytes | None:
        """Chain hash of one record as stored; None when there is no such record."""
        return self._reading(lambda connection: hash_of(self.path, connection, account, seq))

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it, and drop older ones of the account but one."""
        digest = snapshot_digest(snapshot)
        row = (snapshot.account, snapshot.seq, snapshot.hash, snapshot.body, digest)
        with Transaction(self) as connection:
            connection.execute(_SAVE, row)
            connection.execute(_DROP_OLDER, (snapshot.account,))

    def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest one that is whole and on the chain, or None."""
        return self._reading(lambda connection: snapshot_of(connection, account))

    def close(self) -> None:
        """Release the connection; a next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def connection(self, *, wait: bool = True) -> sqlite3.Connection:
        """The writing connection, opened afresh after a failure that closed it.

        Args:
            wait: whether its next transaction waits for another process's.
        """
        if self._connection is None:
            self._connection = self._open()
            self._waits = True
        if wait is not self._waits:
            timeout_ms = round(self._busy_timeout_s * 1000) if wait else 0
            self._connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
            self._waits = wait
        return self._connection

    def _require_here(self) -> None:
        """Who leads in a file that was put aside is alone with what he writes."""
        try:
            is_here = self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            is_here = False
        if not is_here:
            raise ConfigError(
                f"seen: {self.path} was moved or replaced while it was open; expected: that it "
                "stays; do: end what has it open, and start it with the journal's new place"
            )

    def _open(self) -> sqlite3.Connection:
        connection = connect(self.path, self._busy_timeout_s)
        try:
            self._inode = self.path.stat().st_ino
            version = stored_version(connection)
            if version is None:
                from holdfast.journal.upgrade import upgrade  # noqa: PLC0415  # slow, rarely needed

                upgrade(self.path)
                version = stored_version(connection)
            require_usable(self.path, version)
        except SQLITE_ERRORS as error:
            connection.close()
            raise_translated(self.path, error)
        except PlatformError:
            connection.close()
            raise
        return connection

    def _reading(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return read(self.connection())
        except SQLITE_ERRORS as error:
            raise_translated(self.path, error)


class Transaction:
    """One durable transaction, which nobody else writes beside; all of it or nothing.

    Raises:
        RetryableError: it was not committed, for certain.
        OutcomeUnknownError: the commit itself failed in a way that proves nothing.
        sqlite3.IntegrityError: a unique index said no; nothing was written.
    """

    __slots__ = ("_connection", "_file")

    def __init__(self, file: SqliteFile, *, wait: bool = True) -> None:
        self._file = file
        self._connection = file.connection(wait=wait)

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise_translated(self._file.path, error)
        return self._connection

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error as failure:
                self._commit_failed(failure)
            return
        self._roll_back()
        if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
            raise_translated(self._file.path, error)

    def _commit_failed(self, error: sqlite3.Error) -> NoReturn:
        self._roll_back()
        if getattr(error, "sqlite_errorname", "").startswith(_NOTHING_WRITTEN):
            raise_translated(self._file.path, error)
        self._file.close()  # what the file says once it is opened afresh is the outcome
        raise OutcomeUnknownError(
            f"seen: {self._file.path}: {error} while committing; expected: a durable commit; "
            "do: read the head to find out whether it is in"
        ) from error

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._file.close()  # closing ends the transaction as well

