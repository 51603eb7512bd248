"""How busy this machine's processors are, as the kernel counts.

Not here: who makes them so (burner).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

STAT: Final = Path("/proc/stat")


class Meter:
    """The share of time in which the processors were not idle, since one looked last."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._last = self._read()

    def busy(self) -> float | None:
        """0 to 1 since the last call, all processors together; what a hypervisor took is busy.

        None where the kernel does not say, or no time has passed.
        """
        last, self._last = self._last, self._read()
        if last is None or self._last is None:
            return None
        passed, idle = self._last[0] - last[0], self._last[1] - last[1]
        return 1 - idle / passed if passed > 0 else None

    def _read(self) -> tuple[int, int] | None:
        """Ticks in all, and those in which nothing ran (idle, or waiting for a disk)."""
        try:
            line = self._stat.read_text().splitlines()[0]
        except (OSError, IndexError):
            return None
        # user nice system idle iowait irq softirq steal; guests are in the first two already.
        ticks = [int(each) for each in line.split()[1:9]]
        return sum(ticks), sum(ticks[3:5])
