"""A thousand runs of a search in one process and in two, beside what the machine makes of two.

The control is a loop of plain Python in one process and in two, in the same minutes: where
processors share a core, or have other work, two are not twice one, whatever the code. Rounds take
turns; the table has the medians. Not here: how fast one run is (`backtest`).
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from statistics import median

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
    one, two, alone, both = [], [], [], []
    for number in range(1, ROUNDS + 1):
        alone.append(_spent(lambda: _loops(1)))
        one.append(_spent(lambda: _sweep(table, 1)))
        both.append(_spent(lambda: _loops(2)))
        two.append(_spent(lambda: _sweep(table, 2)))
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
        Row(what="processor time of two over that of one", unit="times", measured=work),
    ]


def _spent(what: Callable[[], None]) -> tuple[float, float]:
    """Seconds on the wall, and of all processors."""
    began_s, used_s = time.perf_counter(), _used_s()
    what()
    return time.perf_counter() - began_s, _used_s() - used_s


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
