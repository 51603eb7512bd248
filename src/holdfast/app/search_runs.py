"""The runs of a search: one after the other here, or side by side in local processes.

Lives here: how the bars are shared. Every process reads one Arrow file once and unfolds a window of
it once, however many runs it makes; a run is sent its parameters alone. Processes are begun anew,
never forked: Polars does not survive a fork.
Not here: which parameters are tried (search).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import polars as pl

from holdfast.app.research import backtest
from holdfast.domain.market import BarColumns
from holdfast.errors import ConfigError, RejectedError
from holdfast.lab.result import Result
from holdfast.market.bar_table import BarTable
from holdfast.strategy.load import find
from holdfast.strategy.parameters import build

Span = tuple[int, int]


class Task(msgspec.Struct, frozen=True):
    """What all runs of a search have in common.

    Attributes:
        strategy: a shipped name, or `FILE:Class`.
        fixed: parameters that are not searched.
        costs: the options of `backtest`, cash among them.
    """

    strategy: str
    fixed: Mapping[str, Any]
    costs: Mapping[str, Any]


class Outcome(msgspec.Struct, frozen=True):
    """What a run came to: figures, or why there are none.

    Attributes:
        figures: by name, as in `Result.stats`; empty when there was no result.
        refused: the parameters do not go together.
        broke: the strategy failed.
    """

    figures: Mapping[str, Any] = {}
    refused: str = ""
    broke: str = ""


class _Unfolded(BarTable):
    """A table that keeps its columns as lists, which every run only reads."""

    __slots__ = ("_columns",)

    def __init__(self, whole: BarTable, span: Span) -> None:
        start, stop = span
        super().__init__(
            whole.frame.slice(start, stop - start),
            symbol=whole.symbol,
            bar_s=whole.bar_s,
            sha256=whole.sha256,
            source=whole.source,
        )
        self._columns = super().columns()

    def columns(self) -> BarColumns:
        return self._columns


class Bench:
    """Runs of one task over one table, in this process. It keeps the span that it ran last."""

    def __init__(self, task: Task, table: BarTable) -> None:
        """Find the strategy; ConfigError when there is none."""
        self._task = task
        self._table = table
        self._kind = find(task.strategy)
        self._kept: tuple[Span, _Unfolded] | None = None

    @property
    def cash(self) -> Any:
        """Quote units that each run begins with, as they were given."""
        return self._task.costs["cash"]

    def result(self, span: Span, params: Mapping[str, Any], **other: Any) -> Result:
        """A whole result; raises what `build` and `backtest` raise."""
        if self._kept is None or self._kept[0] != span:
            self._kept = (span, _Unfolded(self._table, span))
        made = build(self._kind, {**self._task.fixed, **params})
        return backtest(made, self._kept[1], **{**self._task.costs, **other})

    def run(self, span: Span, params: Mapping[str, Any]) -> Outcome:
        """Figures, or why there are none: a search goes on after both."""
        try:
            return Outcome(self.result(span, params).stats)
        except (ConfigError, ValueError) as error:
            return Outcome(refused=str(error))
        except RejectedError as error:
            return Outcome(broke=str(error))


class Runs:
    """Where runs are made: here (`jobs` = 1), or in so many processes. A context manager."""

    def __init__(self, task: Task, table: BarTable, jobs: int) -> None:
        """Begin nothing yet but what this process needs itself."""
        self.bench = Bench(task, table)
        self._task, self._table, self._jobs = task, table, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Runs:
        if self._jobs > 1:
            self._folder = tempfile.TemporaryDirectory(prefix="holdfast-search-")
            file = Path(self._folder.name) / "bars.arrow"
            self._table.frame.write_ipc(file, compression="uncompressed")
            about = (str(file), self._table.symbol, self._table.bar_s, self._table.sha256)
            self._pool = ProcessPoolExecutor(
                self._jobs,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._task, *about),
            )
        return self

    def __exit__(self, *_: object) -> None:
        # After Ctrl-C too: what waits is dropped, the runs under way end by themselves.
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def submit(self, span: Span, params: Mapping[str, Any]) -> Callable[[], Outcome]:
        """Begin a run where there is room for it; what is returned waits for its outcome."""
        if self._pool is None:
            return lambda: self.bench.run(span, params)
        with _held_back(signal.SIGINT):
            future = self._pool.submit(_run, span, params)

        def outcome() -> Outcome:
            try:
                return future.result()
            except BrokenProcessPool as error:
                raise RejectedError(
                    "process-ended",
                    "a process of the search ended by itself; look for a lack of memory, or find "
                    "the strategy's mistake with --jobs 1",
                ) from error

        return outcome


@contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """Keep a signal waiting; processes that are begun meanwhile never get it.

    So Ctrl-C reaches the search, which says what it has, and not every run of it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_benches: list[Bench] = []


def _begin(task: Task, file: str, symbol: str, bar_s: int, sha256: str) -> None:
    """In a new process: read the bars, once for all of its runs."""
    Thread(target=_end_with_parent, daemon=True).start()
    frame = pl.read_ipc(file)
    _benches[:] = [Bench(task, BarTable(frame, symbol=symbol, bar_s=bar_s, sha256=sha256))]


def _end_with_parent() -> None:
    """A search that was killed leaves no process behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(span: Span, params: Mapping[str, Any]) -> Outcome:
    return _benches[0].run(span, params)
