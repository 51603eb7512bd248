"""The owner lock: one live writer per account and journal file on this host.

The epoch is what makes a second writer harmless; this is what tells a person at once, and by name.
The operating system drops it with the process, however that ends. Not here: fencing (the stores).
"""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
from collections.abc import Callable
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from holdfast.cluster.host import Process, this_process
from holdfast.domain.platform import PLATFORM
from holdfast.errors import ConfigError, FencedError
from holdfast.journal.displace import free_writing, nothing

_numbers = itertools.count(1)


class OwnerLock:
    """Held from creation until `release`, the end of the `with` block, or the end of the process.

    Args:
        path: the journal file; the lock is a file beside it, which stays.
        displace: whoever holds it has lost its lease, and may hang: then the lock file gives way to
            a new one, and what hinders writing the journal is ended (journal.displace).
        require: called just before that; raises where it is not right any more.

    Raises:
        FencedError: another process holds it; the text names it.
        ConfigError: the lock file cannot be made.
        RetryableError: the journal is blocked by a process that may not be ended; the text names
            it.
    """

    def __init__(
        self,
        path: Path,
        account: str,
        *,
        displace: bool = False,
        require: Callable[[], None] = nothing,
    ) -> None:
        self._journal, self._account = path, account
        self.path = path.with_name(f"{path.name}.{account}.lock")
        self._file = _opened(self.path)
        self._held = True
        self._using = threading.Lock()
        holder = _read(self._file)
        is_free = _locked(self._file)
        if not is_free and not displace:
            os.close(self._file)
            raise self._another(holder)
        if displace:
            try:
                require()
                free_writing(path, _recorded(path), holder, require)
                require()
            except BaseException:
                os.close(self._file)
                raise
        if not is_free:
            os.close(self._file)
            self._file = _replaced(self.path)
        _sign(self._file)

    def hold(self) -> None:
        """Take it again where its file gave way to another, or is gone.

        Raises:
            FencedError: another process has the one that is there now; the text names it.
            ConfigError: the lock file cannot be made.
        """
        with self._using:
            if not self._held or _is_at(self.path, self._file):
                return
            file = _opened(self.path)
            holder = _read(file)
            if not _locked(file) or not _is_at(self.path, file):
                os.close(file)
                raise self._another(holder)
            os.close(self._file)
            self._file = file
            _sign(file)

    def release(self) -> None:
        """Let others have it; may be called twice."""
        with self._using:
            if self._held:
                self._held = False
                os.close(self._file)

    def _another(self, holder: Process | None) -> FencedError:
        return FencedError(
            f"seen: {self._journal} is written for account {self._account} by process "
            f"{holder.pid if holder else 'unknown'}; expected: one writer; do: end that process "
            "first, or name another journal"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.release()


class WriterNote:
    """Says beside a journal that this process writes it, although it owns no account of it.

    So who takes an account over may end it where it stops with the write lock in its hands. It is
    gone with `release`; what a killed process left is removed by the next one.

    Raises:
        ConfigError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        _forget_ended(path)
        number = f"{os.getpid()}-{next(_numbers)}"
        self._path = path.with_name(f"{path.name}.{PLATFORM}-{number}.lock")
        self._file = _replaced(self._path)
        os.pwrite(self._file, msgspec.json.encode(this_process()), 0)
        self._held = True

    def release(self) -> None:
        """This process writes no more; may be called twice."""
        if self._held:
            self._held = False
            self._path.unlink(missing_ok=True)
            os.close(self._file)


def _forget_ended(path: Path) -> None:
    for file in path.parent.glob(f"{escape(path.name)}.{PLATFORM}-*.lock"):
        descriptor = _opened(file)
        if _locked(descriptor):  # the kernel let go of it with its process
            file.unlink(missing_ok=True)
        os.close(descriptor)


def _recorded(path: Path) -> set[Process]:
    """Who wrote into some lock of the journal `path` that it writes an account."""
    found: set[Process] = set()
    for file in path.parent.glob(f"{escape(path.name)}.*.lock"):
        descriptor = _opened(file)
        holder = _read(descriptor)
        os.close(descriptor)
        found |= {holder} if holder else set()
    return found


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"seen: {path} cannot be opened ({error.strerror}); expected: a directory that may be "
            "written; do: create it or name another"
        ) from error


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, file: int) -> bool:
    """Whether `file` is what others find at `path`."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _sign(file: int) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, msgspec.json.encode(this_process()), 0)


def _replaced(path: Path) -> int:
    """A new file at `path`, locked before anybody can see it; the old one is its holder's alone."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    file = _opened(new)
    _locked(file)
    new.replace(path)
    return file


def _read(file: int) -> Process | None:
    try:
        return msgspec.json.decode(os.pread(file, 256, 0), type=Process)
    except msgspec.DecodeError:  # it is being written this moment
        return None
