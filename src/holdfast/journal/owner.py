"""The owner lock: one live writer per account and journal file on this host.

The epoch is what makes a second writer harmless; this is what tells a person at once, and by name.
The operating system drops it with the process, however that ends. Not here: fencing (the stores).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from holdfast.cluster.host import started_at
from holdfast.errors import ConfigError, FencedError


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock.

    Attributes:
        started: the process's start time in clock ticks after boot, so that a pid used again is
            told apart; 0 where the system does not say.
    """

    pid: int
    started: int


class OwnerLock:
    """Held from creation until `release`, the end of the `with` block, or the end of the process.

    Args:
        path: the journal file; the lock is a file beside it, which stays.

    Raises:
        FencedError: another process holds it; the text names it.
        ConfigError: the lock file cannot be made.
    """

    def __init__(self, path: Path, account: str) -> None:
        self.path = path.with_name(f"{path.name}.{account}.lock")
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"seen: {self.path} cannot be opened ({error.strerror}); expected: a directory "
                "that may be written; do: create it or name another"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _read(self._file)
            os.close(self._file)
            raise FencedError(
                f"seen: {path} is written for account {account} by process "
                f"{holder.pid if holder else 'unknown'}; expected: one writer; do: end that "
                "process first, or name another journal"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(Holder(os.getpid(), started_at(os.getpid()))), 0)
        self._held = True

    def release(self) -> None:
        """Let others have it; may be called twice."""
        if self._held:
            self._held = False
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.release()


def _read(file: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(file, 256, 0), type=Holder)
    except msgspec.DecodeError:  # it is being written this moment
        return None
