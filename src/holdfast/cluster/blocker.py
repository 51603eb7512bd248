"""Who holds the write lock of a SQLite file, so that who stopped with it in its hands can be ended.

SQLite waits for it for good, and so would everybody else. Not here: whether to end it (the stores).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from holdfast.cluster.host import Process, started_at

_WRITE_LOCK: Final = 120  # the byte of the `-shm` file that whoever writes has locked


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
            pid = int(words[4])
            return Process(pid, started_at(pid)) if pid > 0 else None
    return None
