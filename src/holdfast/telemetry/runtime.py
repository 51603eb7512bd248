"""A process in numbers: memory, processor, threads, files, garbage collection, its event loop.

Read from Linux's /proc; elsewhere what cannot be read is left out. Not here: other machines'
numbers, which are node_exporter's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from pathlib import Path
from typing import Final

from holdfast.telemetry.build import build_of
from holdfast.telemetry.catalogue import services as metrics
from holdfast.telemetry.meter import Meter

LAG_EVERY_S: Final = 0.5
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# Of /proc/PID/stat, counted after the name in parentheses.
_UTIME, _STIME, _THREADS, _START, _RSS = 11, 12, 17, 19, 21


class Runtime:
    """Keeps a process's numbers in a meter, looked up when they are collected.

    Args:
        process: kind of the process.
        account: the meter's process trades this one; None where the reader adds it.
        pid: another process, of which only what the system knows is told; None is this one.
    """

    def __init__(
        self, meter: Meter, process: str, account: str | None = "", pid: int | None = None
    ) -> None:
        self._labels = (process,) if account is None else (process, account)
        self._is_self = pid is None
        self._folder = Path("/proc") / ("self" if pid is None else str(pid))
        self._memory = meter.gauge(metrics.MEMORY)
        self._threads = meter.gauge(metrics.THREADS)
        self._files = meter.gauge(metrics.FILES)
        self._started = meter.gauge(metrics.STARTED)
        self._lag = meter.gauge(metrics.LOOP_LAG)
        self._cpu = meter.counter(metrics.CPU)
        self._collections = meter.counter(metrics.COLLECTIONS)
        self._counted_s = 0.0
        self._counted = [0, 0, 0]
        self._lag_s: float | None = None
        meter.on_collect(self._look)

    async def watch_loop(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag_s = max(0.0, loop.time() - due_s)

    def _look(self) -> None:
        self._look_at_system()
        if not self._is_self:
            return
        for generation, stats in enumerate(gc.get_stats()):
            runs = stats["collections"]
            labels = (*self._labels, str(generation))
            self._collections.add(labels, runs - self._counted[generation])
            self._counted[generation] = runs
        if self._lag_s is not None:
            self._lag.set(self._lag_s, self._labels)

    def _look_at_system(self) -> None:
        try:
            stat = (self._folder / "stat").read_text(encoding="ascii", errors="replace")
            files = len(os.listdir(self._folder / "fd"))
        except OSError:  # no /proc here, or the process has ended
            return
        fields = stat.rpartition(")")[2].split()
        cpu_s = (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS
        self._cpu.add(self._labels, max(0.0, cpu_s - self._counted_s))
        self._counted_s = cpu_s
        self._memory.set(int(fields[_RSS]) * _PAGE, self._labels)
        self._threads.set(int(fields[_THREADS]), self._labels)
        self._files.set(files, self._labels)
        up_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_START]) / _TICKS
        self._started.set(time.time() - up_s, self._labels)


def tell_build(meter: Meter) -> None:
    """Say what runs."""
    build, made_of = meter.gauge(metrics.BUILD), build_of()
    meter.on_collect(lambda: build.set(1, (made_of.version, made_of.git_sha)))
