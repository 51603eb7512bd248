"""Operator commands: written by any process, taken by the one that leads the account.

A command takes effect where the leader writes `CommandTaken` into the account's stream; that commit
marks it taken. Not here: what a command does (execution and the engine).
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.errors import PlatformError
from holdfast.journal.sqlite_connect import BUSY_TIMEOUT_S, SQLITE_ERRORS, connect, raise_translated
from holdfast.journal.sqlite_read import stored_version
from holdfast.journal.version import require_usable

SUBMIT = """
    INSERT INTO command (id, account, name, arguments, "by", at_ns) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING
"""
_PENDING = """
    SELECT c.number, c.id, c.account, c.name, c.arguments, c."by", c.at_ns FROM command c
    LEFT JOIN command_taken t ON t.account = c.account AND t.command_id = c.id
    WHERE c.account = ? AND c.number > ? AND t.seq IS NULL ORDER BY c.number
"""
_NEWEST = "SELECT coalesce(max(number), 0) FROM command WHERE account = ?"
_TAKEN = """
    SELECT t.seq FROM command c JOIN command_taken t
    ON t.account = c.account AND t.command_id = c.id WHERE c.id = ?
"""


WHOLE_S: Final = 60.0
"""Between two looks at all commands of an account."""
UNDER_WAY: Final = 64
"""As many of the newest numbers are looked at each time: others may still commit among them."""


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


class Commands(ABC):
    """The commands in a journal database. Blocks for one small statement; one thread at a time.

    Args:
        now_ns: the clock that commands are stamped with.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns

    def submit(self, account: str, name: str, arguments: str, by: str) -> str:
        """Ask for `name`, durably, and return the command's id. Not safe to repeat: asks again.

        Raises:
            RetryableError: nothing was written.
        """
        command_id = uuid.uuid4().hex
        self._run(SUBMIT, (command_id, account, name, arguments, by, self._now_ns()))
        return command_id

    def pending(self, account: str, after: int = 0) -> tuple[Command, ...]:
        """What the account's leader has not taken yet, in the order it was asked for.

        Args:
            after: a number; what stands at it or before is not looked at. From 0 on every command
                that ever was is, and another process may commit one behind a later number.
        """
        return tuple(Command(*row) for row in self._run(_PENDING, (account, after)))

    def newest(self, account: str) -> int:
        """The highest number that was given to a command of the account; 0 without any."""
        return int(self._run(_NEWEST, (account,))[0][0])

    def taken_at(self, command_id: str) -> int | None:
        """Where in the account's stream it took effect; None while it has not."""
        rows = self._run(_TAKEN, (command_id,))
        return int(rows[0][0]) if rows else None

    @abstractmethod
    def close(self) -> None:
        """Release the database; may be called twice."""

    @abstractmethod
    def _run(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        """The rows of a statement that may be run twice, with `?` for each parameter."""


class Waiting:
    """The commands that an account's leader has still to take, found without looking at all others.

    Every command is looked at only now and then: a process may commit one after another process
    committed a later number.
    """

    def __init__(
        self, commands: Commands, account: str, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._commands = commands
        self._account = account
        self._clock_s = clock_s
        self._after = 0
        self._whole_s: float | None = None

    def look(self) -> tuple[Command, ...]:
        """As `Commands.pending`."""
        now_s = self._clock_s()
        if self._whole_s is None or now_s - self._whole_s >= WHOLE_S:
            newest = self._commands.newest(self._account)
            found = self._commands.pending(self._account)
            self._after, self._whole_s = max(0, newest - UNDER_WAY), now_s
        else:
            found = self._commands.pending(self._account, self._after)
        if found:  # it may be taken late, and must be found until it is
            self._after = min(self._after, found[0].number - 1)
        return found


class SqliteCommands(Commands):
    """The commands in a journal file.

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
        super().__init__(now_ns)
        self._path = path
        self._connection = connect(path, busy_timeout_s, must_exist=True)
        try:
            require_usable(path, stored_version(self._connection))
        except SQLITE_ERRORS as error:
            self._connection.close()
            raise_translated(path, error)
        except PlatformError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._connection.close()

    def _run(self, statement: str, parameters: tuple[object, ...]) -> list[Any]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except SQLITE_ERRORS as error:
            raise_translated(self._path, error)
