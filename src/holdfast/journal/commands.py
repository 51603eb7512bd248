"""Operator commands: written by any process, taken by the one that leads the account.

A command takes effect where the leader writes `CommandTaken` into the account's stream; that commit
marks it taken. Not here: what a command does (execution and the engine).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from holdfast.errors import PlatformError
from holdfast.journal.sqlite_connect import BUSY_TIMEOUT_S, SQLITE_ERRORS, connect, raise_translated
from holdfast.journal.version import require_current, stored_version

_SUBMIT = (
    'INSERT INTO command (id, account, name, arguments, "by", at_ns) VALUES (?, ?, ?, ?, ?, ?)'
)
_PENDING = """
    SELECT c.number, c.id, c.account, c.name, c.arguments, c."by", c.at_ns FROM command c
    LEFT JOIN command_taken t ON t.account = c.account AND t.command_id = c.id
    WHERE c.account = ? AND t.seq IS NULL ORDER BY c.number
"""
_TAKEN = """
    SELECT t.seq FROM command c JOIN command_taken t
    ON t.account = c.account AND t.command_id = c.id WHERE c.id = ?
"""


class Command(msgspec.Struct, frozen=True):
    """What an operator asked for.

    Attributes:
        number: its place among all commands of this database, rising.
        arguments: canonical JSON, empty when there are none.
        by: who asked.
        at_ns: when, by the clock of the process that wrote it; for people.
    """

    number: int
    command_id: str
    account: str
    name: str
    arguments: str
    by: str
    at_ns: int


class SqliteCommands:
    """The commands in a journal file. Blocks for one small statement; one thread at a time.

    Args:
        now_ns: the clock that commands are stamped with.

    Raises:
        ConfigError: there is no such file, or its schema is not the one of this program.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._path = path
        self._now_ns = now_ns
        self._connection = connect(path, busy_timeout_s, must_exist=True)
        try:
            require_current(path, stored_version(self._connection))
        except SQLITE_ERRORS as error:
            self._connection.close()
            raise_translated(path, error)
        except PlatformError:
            self._connection.close()
            raise

    def submit(self, account: str, name: str, arguments: str, by: str) -> str:
        """Ask for `name`, durably, and return the command's id. Not safe to repeat: asks again.

        Raises:
            RetryableError: nothing was written.
        """
        command_id = uuid.uuid4().hex
        row = (command_id, account, name, arguments, by, self._now_ns())
        try:
            self._connection.execute(_SUBMIT, row)
        except SQLITE_ERRORS as error:
            raise_translated(self._path, error)
        return command_id

    def pending(self, account: str) -> tuple[Command, ...]:
        """What the account's leader has not taken yet, in the order it was asked for."""
        try:
            rows = self._connection.execute(_PENDING, (account,)).fetchall()
        except SQLITE_ERRORS as error:
            raise_translated(self._path, error)
        return tuple(Command(*row) for row in rows)

    def taken_at(self, command_id: str) -> int | None:
        """Where in the account's stream it took effect; None while it has not."""
        try:
            row = self._connection.execute(_TAKEN, (command_id,)).fetchone()
        except SQLITE_ERRORS as error:
            raise_translated(self._path, error)
        return row[0] if row else None

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._connection.close()
