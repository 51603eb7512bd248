"""Which operating system this is, and what has become of one of its processes.

Not here: what is concluded from it (election, the stores).
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Final

import msgspec

from holdfast.cluster.port import Member

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NUMBERING: Final = Path("/proc/self/ns/pid")
_START_TIME: Final = 19  # of the fields after the name in /proc/PID/stat
_ENDED: Final = ("Z", "X")  # and perhaps its parent has not heard of it yet
_STOPPED: Final = ("T", "t")  # by a signal, by a debugger


class Process(msgspec.Struct, frozen=True):
    """A process of this host.

    Attributes:
        started: in clock ticks after boot, so that a pid used again is told apart; 0 where the
            system does not say.
    """

    pid: int
    started: int


def host_id() -> str:
    """Names this operating system from one boot to the next; within it a process id means one.

    Containers on one machine share its kernel and not its process ids, so they are hosts of their
    own.
    """
    try:
        return f"{_BOOT.read_text(encoding='ascii').strip()} {_NUMBERING.readlink()}"
    except OSError:
        return socket.gethostname()


def this_process() -> Process:
    """The process that asks."""
    return Process(os.getpid(), started_at(os.getpid()))


def started_at(pid: int) -> int:
    """Start time of a process in clock ticks after boot; 0 where the system does not say."""
    fields = _stat(pid)
    return int(fields[_START_TIME]) if fields else 0


def has_ended(process: Process) -> bool:
    """Whether it is proven that it is no more; False also when nobody can tell."""
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs, or another has its number: the start time says which
        pass
    if process.started and started_at(process.pid) not in {0, process.started}:
        return True
    fields = _stat(process.pid)
    return fields is not None and fields[0] in _ENDED


def is_gone(member: Member) -> bool:
    """Whether a member's process is proven to be no more; False also when nobody can tell."""
    return member.host == host_id() and has_ended(Process(member.pid, member.started))


def is_stopped(process: Process) -> bool:
    """Whether it was halted by a signal or a debugger, and does not run until it is told to."""
    fields = _stat(process.pid)
    return fields is not None and fields[0] in _STOPPED


def kill(process: Process) -> bool:
    """SIGKILL exactly that process; False when its identity is unknown, or it may not be killed."""
    if has_ended(process):
        return True
    if not process.started:
        return False
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
