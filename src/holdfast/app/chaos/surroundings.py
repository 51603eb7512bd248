"""A leash whose `holdfast` believes what chaos makes of its machine: the host, the time of day.

`HOLDFAST_CHAOS_HOST` names a host of its own: two nodes on one machine are to each other then what
two hosts are, and nobody can look whether the other's process still runs. `HOLDFAST_CHAOS_CLOCK` is
a file that says what its wall clock is off, now. Not here: the leash (app.demo.leash).
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

HOST: Final = "HOLDFAST_CHAOS_HOST"
CLOCK: Final = "HOLDFAST_CHAOS_CLOCK"
_OFF: Final = struct.Struct("=q")  # nanoseconds


def set_clock(file: Path, off_s: float) -> None:
    """Let whoever follows this file be so far ahead of the true time, at once."""
    file.touch()
    with file.open("r+b") as opened:
        opened.write(_OFF.pack(int(off_s * 1e9)))


def follow_clock(file: Path) -> None:
    """Have `time` tell this process and those it forks a wall clock that is off as the file says.

    Its monotonic clock is left alone, as by a real jump.
    """
    with file.open("rb") as opened:
        memory = mmap.mmap(opened.fileno(), _OFF.size, prot=mmap.PROT_READ)
    true_ns = time.time_ns

    def time_ns() -> int:
        return true_ns() + int(_OFF.unpack_from(memory)[0])

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def main() -> None:
    """Take up host and clock, and hold the leash."""
    clock, name = os.environ.get(CLOCK), os.environ.get(HOST)
    if clock:
        follow_clock(Path(clock))  # before anything that could keep the clock it finds
    import holdfast.cluster.host  # noqa: PLC0415
    from holdfast.app.demo import leash  # noqa: PLC0415

    if name:
        holdfast.cluster.host.host_id = lambda: name
    leash.main()


if __name__ == "__main__":
    main()
