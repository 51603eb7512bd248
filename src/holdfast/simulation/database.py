"""`Database` of a simulated machine: the world's store, and files of its own.

Not here: what fails on the way to the store (store).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from holdfast.config.database import ReportPolicy
from holdfast.errors import RetryableError
from holdfast.journal.commands import Command, SqliteCommands
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.displace import nothing
from holdfast.journal.high_water import HighWater
from holdfast.journal.port import Store
from holdfast.journal.reading import Rows
from holdfast.journal.record import Record
from holdfast.journal.reports import Reports
from holdfast.journal.tail import Tail
from holdfast.journal.version import Stored
from holdfast.platform.port import PlatformStore
from holdfast.simulation.clock import LIFE
from holdfast.simulation.store import Backend, StoreLine, Trouble


class _Reading:
    """A connection for reading that may be cut.

    A step of this world is one moment of its file: who reads needs no transaction, nor a connection
    of its own, which would read again each page that a commit has changed.
    """

    def __init__(self, backend: Backend, trouble: Trouble) -> None:
        self._backend = backend
        self._trouble = trouble

    def moment(self) -> AbstractContextManager[Rows]:
        """As of one moment."""
        self._require_way()
        return nullcontext(self._backend.rows())

    def version(self) -> int:
        """Of the streams; to ask the file costs more than all else of a look at nothing new."""
        self._require_way()
        return self._backend.changes

    def lags(self) -> bool:
        """There is one file."""
        return False

    def close(self) -> None:
        """The world keeps it."""

    def _require_way(self) -> None:
        if self._trouble.is_cut:
            raise RetryableError("seen: the store does not answer (simulated); do: try again")


class _Commands(SqliteCommands):
    """The commands of a world, in whose file nobody looks before there is one."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend.path)
        self._backend = backend

    def submit(self, account: str, name: str, arguments: str, by: str) -> str:
        """From here on there are some."""
        self._backend.was_commanded = True
        return super().submit(account, name, arguments, by)

    def pending(self, account: str, after: int = 0) -> tuple[Command, ...]:
        """Those that were not taken yet."""
        return super().pending(account, after) if self._backend.was_commanded else ()

    def newest(self, account: str) -> int:
        """The highest number."""
        return super().newest(account) if self._backend.was_commanded else 0


class _NoLock:
    """Who owns an account on a machine is the world's to say: one process at a time."""

    def hold(self) -> None:
        """It cannot be lost."""

    def release(self) -> None:
        """Nothing to let go."""


class SimDatabase:
    """`Database` of one machine: the shared store, and files of its own."""

    def __init__(self, backend: Backend, machine: str) -> None:
        self._backend = backend
        self._machine = machine
        self._real = SqliteDatabase(backend.path)

    @property
    def name(self) -> Path:
        """For people."""
        return self._backend.path

    def require(self) -> None:
        """It is there."""

    def store(self) -> Store:
        """The way to it of the process that asks."""
        life = LIFE.get()
        assert life is not None  # noqa: S101 - only processes open a journal
        return StoreLine(self._backend, life)

    def own(
        self, account: str, *, displace: bool = False, require: Callable[[], None] = nothing
    ) -> _NoLock:
        """Nobody else on this machine."""
        return _NoLock()

    def high_water(self, account: str) -> HighWater:
        """This machine's own."""
        path = self._backend.path.with_name(f"{self._machine}.{account}.highwater")
        return HighWater(path, account)

    def commands(self) -> SqliteCommands:
        """The operators' commands."""
        return _Commands(self._backend)

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order."""
        return self._real.read(account, after_seq)

    def one_moment(self) -> AbstractContextManager[Rows]:
        """For reports."""
        return self._real.one_moment()

    def close(self) -> None:
        """The world keeps it."""

    def pool(self) -> None:
        """A file has no pool."""

    def tail(self) -> Tail:
        """Follows the stream, unless the way is cut."""
        trouble = self._backend.trouble(self._machine)
        return Tail(self.name, lambda: _Reading(self._backend, trouble))

    def reports(self, policy: ReportPolicy) -> Reports:
        """The tables of reports."""
        return self._real.reports(policy)

    def platform(self) -> PlatformStore:
        """The platform's tables."""
        return self._real.platform()

    def version(self) -> Stored | None:
        """What it says of itself."""
        return self._real.version()

    def upgrade(self) -> None:
        """It is of this version."""

    def finalize(self) -> None:
        """It is of this version alone."""

    def downgrade(self) -> None:
        """Never: nobody rolls a release here."""
        raise NotImplementedError
