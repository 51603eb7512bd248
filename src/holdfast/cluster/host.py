"""Which operating system this is, and whether one of its processes still runs.

Not here: what is concluded from it (election, the stores).
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from holdfast.cluster.port import Member

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def host_id() -> str:
    """Names this operating system from one boot to the next; within it a process id means one."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()


def started_at(pid: int) -> int:
    """Start time of a process in clock ticks after boot; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    # The name, in parentheses, may hold anything; the start time is the 20th field after it.
    return int(status.rpartition(")")[2].split()[19])


def is_gone(member: Member) -> bool:
    """Whether it is proven that a member's process is no more; False also when nobody can tell.

    A process that ended, but whom its parent has not heard of yet, is gone as well.
    """
    if member.host != host_id():
        return False
    try:
        os.kill(member.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs, or another has its number: the start time says which
        pass
    if member.started and started_at(member.pid) not in {0, member.started}:
        return True
    return _is_zombie(member.pid)


def _is_zombie(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}
