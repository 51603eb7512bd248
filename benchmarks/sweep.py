"""A thousand runs of a search in one process and in two, beside what the machine makes of two.

The control is a loop of plain Python in one process and in two, in the same minutes: where
processors share a core, or have other work, two are not twice one, whatever the code. Rounds take
turns; the table has the medians. Two numbers do not depend on other work: the processor time of two
processes over that of one, and how long the two neither ran nor waited for a processor, which is
what cannot be shared out. Not here: how fast one run is (`backtest`).
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from threading import Event, Thread

import polars as pl

from benchmarks.backtest import columns
from benchmarks.row import Row
from holdfast.app.research.search import Task, search
from holdfast.market.bar_table import SCHEMA, BarTable

BARS = 10_000
TRIALS = 1_000
ROUNDS = 3
COUNTED = 60_000_000
TASK = Task("sma_cross", {"quantity": "1"}, {"cash": "10000000", "fee_bps": "10"})
SPACE = ("fast=2:60", "slow=61:300")


def run() -> list[Row]:
    """How much quicker two processes are, of a search and of a bare loop."""
    bars = columns(BARS)
    frame = pl.DataFrame({name: getattr(bars, name) for name in SCHEMA.names()}, schema=SCHEMA)
    table = BarTable(frame, symbol=bars.symbol, bar_s=bars.bar_s)
    one, two, alone, both, idle = [], [], [], [], []
    for number in range(1, ROUNDS + 1):
        alone.append(_spent(lambda: _loops(1)))
        one.append(_spent(lambda: _sweep(table, 1)))
        both.append(_spent(lambda: _loops(2)))
        with _Watch() as watch:
            two.append(_spent(lambda: _sweep(table, 2)))
        idle.append(watch.idle_pct())
        told = ", ".join(f"{each[-1][0]:.1f} s" for each in (one, two, alone, both))
        print(f"  round {number}: one, two; control: {told}", file=sys.stderr, flush=True)
    turns = list(zip(one, two, alone, both, strict=True))
    gain = median(single[0] / double[0] for single, double, _, _ in turns)
    work = median(double[1] / single[1] for single, double, _, _ in turns)
    # Two processes count twice as far as one.
    control = median(2 * single[0] / double[0] for _, _, single, double in turns)
    what = f"{TRIALS:,} runs of sma_cross over {BARS:,} bars"
    return [
        Row(what=what, unit="runs/s", measured=TRIALS / median(wall_s for wall_s, _ in one)),
        Row(what="the same in two processes", unit="times", measured=gain, at_least=1.8),
        Row(what="control: a bare loop in two processes", unit="times", measured=control),
        Row(what="processor time of two, over one's", unit="times", measured=work, at_most=1.05),
        Row(what="the two without work", unit="%", measured=median(idle), at_most=3),
    ]


def _spent(what: Callable[[], None]) -> tuple[float, float]:
    """Seconds on the wall, and of all processors."""
    began_s, used_s = time.perf_counter(), _used_s()
    what()
    return time.perf_counter() - began_s, _used_s() - used_s


class _Watch:
    """Of the processes that this one begins: how long they slept. Linux only."""

    def __init__(self) -> None:
        self._over = Event()
        self._thread = Thread(target=self._look)
        # By process: when it was seen first and last, and its time awake at both, nanoseconds.
        self._seen: dict[int, tuple[int, int, int, int]] = {}

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def idle_pct(self) -> float:
        """Of their time the part in which they neither ran nor waited for a processor."""
        spans = [(last - first, end - start) for first, last, start, end in self._seen.values()]
        return (1 - sum(awake for _, awake in spans) / sum(span for span, _ in spans)) * 100

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for process in multiprocessing.active_children():
                now_ns = time.monotonic_ns()
                try:
                    text = Path(f"/proc/{process.pid}/schedstat").read_text()
                except FileNotFoundError:  # it has ended meanwhile
                    continue
                ran_ns, waited_ns, _ = map(int, text.split())
                awake_ns, pid = ran_ns + waited_ns, process.pid or 0
                first, _, start, _ = self._seen.get(pid, (now_ns, 0, awake_ns, 0))
                self._seen[pid] = (first, now_ns, start, awake_ns)


def _used_s() -> float:
    spent = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


def _sweep(table: BarTable, jobs: int) -> None:
    search(TASK, table, objective="return_pct", trials=TRIALS, space=SPACE, jobs=jobs, seed=7)


def _loops(processes: int) -> None:
    """As many loops as processes, each of the same length."""
    spawn = multiprocessing.get_context("spawn")
    started = [spawn.Process(target=_count) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join()


def _count() -> None:
    left = COUNTED
    while left:
        left -= 1


if __name__ == "__main__":
    for row in run():
        print(row)
