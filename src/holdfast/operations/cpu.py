"""How busy this machine's processors are, as the kernel counts, and how late it lets us run.

Not here: who makes them busy (app.chaos.burner), or what it means (doctor.host).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

STAT: Final = Path("/proc/stat")
NAP_S: Final = 0.005


class Load(msgspec.Struct, frozen=True):
    """Shares of the time of all processors together, 0 to 1.

    Attributes:
        busy: in which they were not idle; what a hypervisor took is busy.
        stolen: which a hypervisor gave to somebody else though something here wanted to run.
    """

    busy: float
    stolen: float


class Meter:
    """How busy the processors were since one looked last."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._last = self._read()

    def load(self) -> Load | None:
        """Since the last call; None where the kernel does not say, or no time has passed."""
        last, self._last = self._last, self._read()
        if last is None or self._last is None:
            return None
        passed, idle, stolen = (now - then for now, then in zip(self._last, last, strict=True))
        return Load(1 - idle / passed, stolen / passed) if passed > 0 else None

    def _read(self) -> tuple[int, int, int] | None:
        """Ticks in all, in which nothing ran (idle, or waiting for a disk), and stolen ones."""
        try:
            line = self._stat.read_text().splitlines()[0]
        except (OSError, IndexError):
            return None
        # user nice system idle iowait irq softirq steal; guests are in the first two already.
        ticks = [int(each) for each in line.split()[1:9]]
        return sum(ticks), sum(ticks[3:5]), sum(ticks[7:])


def longest_pause_s(watch_s: float) -> float:
    """By how much this process was woken too late, at worst, in `watch_s` seconds; blocks for them.

    As long stood still whatever else wanted to run here: for want of a processor, or with the host.
    """
    last_s = time.monotonic()
    end_s, longest_s = last_s + watch_s, 0.0
    while last_s < end_s:
        time.sleep(NAP_S)
        now_s = time.monotonic()
        longest_s, last_s = max(longest_s, now_s - last_s - NAP_S), now_s
    return longest_s
