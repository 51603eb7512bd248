"""The runs of a search: one after the other here, or side by side in local processes.

Lives here: the processes. A run is sent its parameters alone. Processes are begun anew, never
forked: Polars does not survive a fork. Not here: which parameters are tried (search), the bars and
how they are shared (search_data).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec

from holdfast.app.research.front import backtest
from holdfast.app.research.search_data import SearchData, Shared, Span, Unfolded
from holdfast.errors import ConfigError, RejectedError
from holdfast.lab.result import Result
from holdfast.strategy.load import find
from holdfast.strategy.parameters import build


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
        refused: the parameters do not go together, or wait for more bars than there are.
        broke: the strategy failed.
    """

    figures: Mapping[str, Any] = {}
    refused: str = ""
    broke: str = ""


class Bench:
    """Runs of one task over the same bars, in this process. It keeps the span that it ran last."""

    def __init__(self, task: Task, data: SearchData) -> None:
        """Find the strategy; ConfigError when there is none."""
        self._task = task
        self._data = data
        self._kind = find(task.strategy)
        self._kept: tuple[Span, list[Unfolded]] | None = None

    @property
    def cash(self) -> Any:
        """Quote units that each run begins with, as they were given."""
        return self._task.costs["cash"]

    def result(self, span: Span, params: Mapping[str, Any], **other: Any) -> Result:
        """A whole result; raises what `build` and `backtest` raise."""
        if self._kept is None or self._kept[0] != span:
            self._kept = (span, [Unfolded(table) for table in self._data.cut(span)])
        made = build(self._kind, {**self._task.fixed, **params})
        return backtest(made, self._kept[1], **{**self._task.costs, **other})

    def run(self, span: Span, params: Mapping[str, Any]) -> Outcome:
        """Figures, or why there are none: a search goes on after both."""
        try:
            found = self.result(span, params)
        except (ConfigError, ValueError) as error:
            return Outcome(refused=str(error))
        except RejectedError as error:
            return Outcome(broke=str(error))
        # Who never trades loses nothing, and would be the best where all others lose.
        return Outcome(found.stats) if found.asked else Outcome(refused="; ".join(found.warnings))


class Runs:
    """Where runs are made: here (`jobs` = 1), or in so many processes. A context manager."""

    def __init__(self, task: Task, data: SearchData, jobs: int) -> None:
        """Begin nothing yet but what this process needs itself."""
        self.bench = Bench(task, data)
        self._task, self._data, self._jobs = task, data, jobs
        self._pool: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Runs:
        if self._jobs > 1:
            self._folder = tempfile.TemporaryDirectory(prefix="holdfast-search-")
            self._pool = ProcessPoolExecutor(
                self._jobs,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(self._task, self._data.share(Path(self._folder.name))),
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
        with _held_back(signal.SIGINT), _one_thread_each():
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


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are begun meanwhile have one thread for their tables, not one per processor.

    There are as many processes as processors already: a run would wait for a thread of its own
    nine times, each time behind the other processes.
    """
    name = "POLARS_MAX_THREADS"
    before = os.environ.get(name)
    os.environ[name] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


_benches: list[Bench] = []


def _begin(task: Task, shared: Sequence[Shared]) -> None:
    """In a new process: read the bars, once for all of its runs."""
    Thread(target=_end_with_parent, daemon=True).start()
    _benches[:] = [Bench(task, SearchData([one.read() for one in shared]))]


def _end_with_parent() -> None:
    """A search that was killed leaves no process behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(span: Span, params: Mapping[str, Any]) -> Outcome:
    return _benches[0].run(span, params)
