"""A process that stopped while it held the write lock of a SQLite file: who it is, and its end.

SQLite waits for it for good, and so would everybody else. Not here: what is written to the file.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

import msgspec

_WRITE_LOCK: Final = 120  # the byte of the `-shm` file that whoever writes has locked
_START_TIME: Final = 19  # of the fields after the name in /proc/PID/stat
_STOPPED: Final = ("T", "t")  # by a signal, by a debugger


class Process(msgspec.Struct, frozen=True):
    """A process of this host.

    Attributes:
        started: in clock ticks after boot, so that a pid used again is told apart; 0 where the
            system does not say.
    """

    pid: int
    started: int


def this_process() -> Process:
    """The process that asks."""
    fields = _stat(os.getpid())
    return Process(os.getpid(), int(fields[_START_TIME]) if fields else 0)


def is_alive(process: Process) -> bool:
    """Whether it runs yet, or is stopped; not what ended and was not waited for."""
    fields = _stat(process.pid)
    return fields is not None and int(fields[_START_TIME]) == process.started and fields[0] != "Z"


def is_stopped(process: Process) -> bool:
    """Whether it was halted by a signal or a debugger, and does not run until it is told to."""
    fields = _stat(process.pid)
    return fields is not None and fields[0] in _STOPPED


def writer_of(path: Path) -> Process | None:
    """Who holds the write lock of the database `path` (in WAL mode) at this moment.

    None when nobody does, or the system does not say. The table of the kernel is read and not the
    file: closing the file would drop the locks that this process itself has on it.
    """
    try:
        inode = path.with_name(f"{path.name}-shm").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return None
    for line in locks.splitlines():
        # "1: POSIX  ADVISORY  WRITE 4711 08:01:123456 120 120"; who only waits has "->".
        words = line.split()
        if words[1:4] != ["POSIX", "ADVISORY", "WRITE"] or len(words) != 8:
            continue
        first, last = words[6:]
        is_it = int(first) <= _WRITE_LOCK and (last == "EOF" or int(last) >= _WRITE_LOCK)
        if is_it and int(words[5].rpartition(":")[2]) == inode:
            fields = _stat(int(words[4]))
            return Process(int(words[4]), int(fields[_START_TIME])) if fields else None
    return None


def kill(process: Process) -> bool:
    """SIGKILL it when it still is that process; False when it may not be killed."""
    if not process.started or not is_alive(process):
        return True
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _stat(pid: int) -> list[str] | None:
    """What /proc says about a process from its state on; None when there is no such."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the name, in parentheses, may hold anything
