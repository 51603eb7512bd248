"""`search`: which parameters of a strategy did best, and whether they did as well afterwards.

Lives here: the order of trials, windows, and what is reported of them. Trials are asked for and
told in the order of their numbers, so many ahead whatever the number of processes: a seed gives the
same search for any of them. Not here: the space (search_space), the runs (search_runs), where
trials are kept (search_store).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import msgspec

from holdfast import __version__
from holdfast.app.research.costs import recorded_sha256
from holdfast.app.research.front import backtest, require_alike, source_sha256
from holdfast.app.research.search_data import SearchData, Span
from holdfast.app.research.search_figures import comparable, direction_of, joined, number_of
from holdfast.app.research.search_runs import Outcome, Runs, Task
from holdfast.app.research.search_space import Dimension, space_of
from holdfast.app.research.search_store import Record, Store
from holdfast.domain.money import parse
from holdfast.errors import ConfigError, RejectedError
from holdfast.lab.result import Result
from holdfast.market.bar_table import BarTable
from holdfast.market.stamp import iso
from holdfast.strategy.api import Setup, Strategy, View
from holdfast.strategy.load import find
from holdfast.strategy.wish import KEEP, Wish

__all__ = ["Search", "Task", "search", "search_window"]

# Trials under way at once, for one process as for many: it is what makes them agree.
IN_FLIGHT = 8
_PARTED = 0.5
_REASONS = 3
Progress = Callable[[int, int, int], None]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One search, and what became of its best parameters.

    Attributes:
        window: from 1.
        first, last: when its first bar opened and its last one closed, ISO 8601 UTC.
        value: of the objective; None is undefined.
        figures: of a backtest of `params` over these bars.
    """

    window: int
    first: str
    last: str
    bars: int
    params: Mapping[str, Any]
    value: float | None
    figures: Mapping[str, Any]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What the best parameters came to on bars of one sort.

    Attributes:
        value, figures: in-sample of the last window; out-of-sample of all windows joined.
    """

    value: float | None
    figures: Mapping[str, Any]
    windows: Sequence[Window]


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What a search came to.

    Attributes:
        objective, direction: what was searched for, and `maximize` or `minimize`.
        best: `params` and `value`; with windows those of the last one.
        trials: all that were told, by window and number.
        out_of_sample: None without walk-forward, or when no window was finished.
        warnings: where in-sample and out-of-sample part.
        interrupted: the search was stopped before its end.
    """

    objective: str
    direction: str
    best: Mapping[str, Any]
    trials: Sequence[Record]
    in_sample: Sample
    out_of_sample: Sample | None
    warnings: Sequence[str]
    interrupted: bool


class _Idle(Strategy):
    """Wants nothing: a run of it checks what all runs share."""

    signals: Sequence[str] = ()

    def setup(self, on: Setup) -> None:
        for name in self.signals:
            on.signal(name)

    def decide(self, now: View) -> Wish:
        del now
        return KEEP


def search(
    task: Task,
    data: BarTable | Sequence[BarTable],
    *,
    objective: str,
    trials: int,
    space: Sequence[str] = (),
    walk_forward: int = 0,
    jobs: int = 1,
    seed: int | None = None,
    study: str | None = None,
    progress: Progress | None = None,
    known: Mapping[int, Sequence[Record]] = MappingProxyType({}),
) -> Search:
    """Search the parameters of a strategy for the best figure of a backtest.

    Args:
        data: what `load` returned; of several symbols a list, the bot's own first.
        objective: a figure of `docs/metrics.md`.
        trials: how many each window has in the end, those of an earlier call with `study` counted.
        space: bounds other than the declared ones, see `search_space.space_of`.
        walk_forward: 0 searches all bars. K cuts the closes (of any symbol) into K + 1 parts of as
            many (what is over is in the first); window k searches parts 1 to k and is judged on
            the next one.
        jobs: processes.
        seed: makes the search repeatable.
        study: a file to keep trials in; the same call goes on from there.
        progress: told (window, done, trials) after each trial.
        known: the trials of windows that `search_window` has searched, by window.

    Raises:
        ConfigError: something cannot be meant, or `study` is of another search.
        RejectedError: no trial of the first window had a defined objective.
    """
    with _begun(
        task, data, objective=objective, trials=trials, space=space, walk_forward=walk_forward,
        jobs=jobs, seed=seed, study=study, progress=progress,
    ) as (walk, spans):  # fmt: skip
        return walk.over(spans, known)


def search_window(
    task: Task,
    data: BarTable | Sequence[BarTable],
    window: int,
    *,
    objective: str,
    trials: int,
    space: Sequence[str] = (),
    walk_forward: int = 0,
    seed: int | None = None,
    progress: Progress | None = None,
) -> list[Record]:
    """The trials of one window of a search, from 1, as `search` would make them; see there.

    Of those that are not the best one, the figures are left out.
    """
    with _begun(
        task, data, objective=objective, trials=trials, space=space, walk_forward=walk_forward,
        jobs=1, seed=seed, study=None, progress=progress,
    ) as (walk, spans):  # fmt: skip
        return walk.alone(window, spans[window - 1][0])


@contextmanager
def _begun(
    task: Task,
    data: BarTable | Sequence[BarTable],
    *,
    objective: str,
    trials: int,
    space: Sequence[str],
    walk_forward: int,
    jobs: int,
    seed: int | None,
    study: str | None,
    progress: Progress | None,
) -> Iterator[tuple[_Walk, list[tuple[Span, Span | None]]]]:
    """Everything checked, and the search about to begin."""
    direction = direction_of(objective)
    if trials < 1 or jobs < 1 or walk_forward < 0:
        raise ConfigError(
            f"seen: trials={trials}, jobs={jobs}, walk-forward={walk_forward}; expected: at least "
            "one trial and one job, and no negative number of windows"
        )
    tables = [data] if isinstance(data, BarTable) else list(data)
    require_alike(tables)
    bars = SearchData(tables)
    spans = _spans(bars, walk_forward)
    kind = find(task.strategy)
    dimensions = space_of(kind, space, task.fixed)
    named = list(task.costs.get("signals") or ())
    backtest(_Idle(signals=named), bars.first_bars(), **task.costs)
    made_of = {
        "version": __version__,
        "strategy": source_sha256(kind),
        "task": msgspec.to_builtins(task),
        "data": [
            [table.sha256, table.symbol, table.bar_s, table.first_ns, len(table)]
            for table in tables
        ],
        "space": [repr(dimension) for dimension in dimensions],
        "objective": objective,
        "walk_forward": walk_forward,
        "recordings": recorded_sha256(task.costs),
    }
    with Store(study, made_of, direction, seed) as store, Runs(task, bars, jobs) as runs:
        walk = _Walk(
            bars, objective=objective, direction=direction, dimensions=dimensions,
            trials=trials, store=store, runs=runs, progress=progress,
        )  # fmt: skip
        yield walk, spans


def _spans(bars: SearchData, count: int) -> list[tuple[Span, Span | None]]:
    """As `windows`; ConfigError where there is too little of a symbol in one of them."""
    if len(bars) < 2 * (count + 1):
        raise ConfigError(
            f"seen: {len(bars)} bars for {count} windows; expected: two in each part at least; do: "
            "take more data, or fewer windows"
        )
    spans = windows(len(bars), count)
    for number, pair in enumerate(spans, start=1):
        for span in filter(None, pair):
            try:
                require_alike(bars.cut(span))
            except ConfigError as error:
                since, until = map(iso, bars.times_ns(span))
                raise ConfigError(
                    f"window {number}, {since} to {until}: {error}, or fewer windows"
                ) from error
    return spans


def windows(bars: int, count: int) -> list[tuple[Span, Span | None]]:
    """In-sample and out-of-sample bars of each window, as (first, one after the last)."""
    if not count:
        return [((0, bars), None)]
    part = bars // (count + 1)
    ends = [bars - part * left for left in range(count, -1, -1)]
    return [((0, ends[at]), (ends[at], ends[at + 1])) for at in range(count)]


class _Walk:
    """One search, window after window."""

    def __init__(
        self, bars: SearchData, *, objective: str, direction: str, dimensions: Sequence[Dimension],
        trials: int, store: Store, runs: Runs, progress: Progress | None,
    ) -> None:  # fmt: skip
        self._bars, self._objective, self._direction = bars, objective, direction
        self._dimensions, self._trials = dimensions, trials
        self._store, self._runs, self._progress = store, runs, progress
        self._inside: list[Window] = []
        self._outside: list[Window] = []
        self._judged: list[Result] = []
        self._warnings: list[str] = []

    def alone(self, number: int, span: Span) -> list[Record]:
        """The trials of one window."""
        self._try(number, span)
        records = self._store.records(number)
        best = best_of(records, self._direction)
        return [
            one if one is best else msgspec.structs.replace(one, figures={}) for one in records
        ]

    def over(
        self, spans: Sequence[tuple[Span, Span | None]], known: Mapping[int, Sequence[Record]]
    ) -> Search:
        """Search all windows that are not `known`, or up to Ctrl-C, and say what was found."""
        interrupted = False
        records: list[Record] = []
        for number, (within, after) in enumerate(spans, start=1):
            try:
                if number not in known:
                    self._try(number, within)
            except KeyboardInterrupt:
                interrupted = True
            told = known[number] if number in known else self._store.records(number)
            records += told
            best = best_of(told, self._direction)
            if best is None and not (interrupted and self._inside):
                raise _nothing_found(self._objective, number, told)
            if best is not None:
                self._inside.append(
                    self._window(number, within, best.params, best.value, best.figures)
                )
            if after is not None and best is not None and not interrupted:
                try:
                    self._judge(number, after, best.params)
                except KeyboardInterrupt:
                    interrupted = True
            if interrupted:
                break
        last = self._inside[-1]
        return Search(
            objective=self._objective,
            direction=self._direction,
            best={"params": last.params, "value": last.value},
            trials=records,
            in_sample=Sample(value=last.value, figures=last.figures, windows=self._inside),
            out_of_sample=self._out_of_sample(),
            warnings=self._warnings,
            interrupted=interrupted,
        )

    def _try(self, window: int, span: Span) -> None:
        """Bring a window's trials up to their number."""
        begun = done = self._store.begin(window)
        under_way: deque[tuple[int, dict[str, Any], Callable[[], Outcome]]] = deque()
        while done < self._trials:
            while begun < self._trials and len(under_way) < IN_FLIGHT:
                number, params = self._store.ask(self._dimensions)
                under_way.append((number, params, self._runs.submit(span, params)))
                begun += 1
            # The oldest first, although another may be there before it.
            number, params, outcome = under_way.popleft()
            self._store.tell(number, params, outcome(), self._objective)
            done += 1
            if self._progress is not None:
                self._progress(window, done, self._trials)

    def _judge(self, number: int, span: Span, params: Mapping[str, Any]) -> None:
        """Go on with the best parameters, and with what the windows before left of the cash."""
        more: dict[str, Any] = (
            {"cash": self._judged[-1].figures.final_equity} if self._judged else {}
        )
        result = self._runs.bench.result(span, params, **more)
        value = number_of(result.stats[self._objective])
        self._judged.append(result)
        self._outside.append(self._window(number, span, params, value, result.stats))
        cash = parse(str(self._runs.bench.cash))
        before = self._inside[-1]
        inside = comparable(self._objective, before.value, before.bars, cash)
        outside = comparable(self._objective, value, len(result.bars), result.cash)
        if parts(inside, outside, self._direction):
            shown = "undefined" if value is None else f"{value:.4g}"
            self._warnings.append(
                f"window {number}: {self._objective} {before.value:.4g} in-sample, {shown} "
                "out-of-sample: these parameters fit the past better than what followed"
            )

    def _window(
        self, number: int, span: Span, params: Mapping[str, Any], value: float | None,
        figures: Mapping[str, Any],
    ) -> Window:  # fmt: skip
        first_ns, end_ns = self._bars.times_ns(span)
        return Window(
            window=number, first=iso(first_ns), last=iso(end_ns),
            bars=span[1] - span[0], params=params, value=value, figures=figures,
        )  # fmt: skip

    def _out_of_sample(self) -> Sample | None:
        if not self._judged:
            return None
        figures = joined(self._judged)
        return Sample(
            value=number_of(figures[self._objective]), figures=figures, windows=self._outside
        )


def best_of(records: Sequence[Record], direction: str) -> Record | None:
    """The record with the best value, the earliest of several; None when none has one."""
    sign = 1 if direction == "maximize" else -1
    valued = [record for record in records if record.value is not None]
    return max(valued, key=lambda one: (sign * (one.value or 0.0), -one.number), default=None)


def parts(inside: float | None, outside: float | None, direction: str) -> bool:
    """Whether out-of-sample is undefined, or worse by more than half of what in-sample was."""
    if inside is None or outside is None:
        return True
    worse = inside - outside if direction == "maximize" else outside - inside
    return worse > _PARTED * abs(inside)


def _nothing_found(objective: str, window: int, records: Sequence[Record]) -> RejectedError:
    reasons = {record.reason for record in records}
    told = "; ".join(sorted(reasons)[:_REASONS]) or "no trial was finished"
    return RejectedError(
        "nothing-found",
        f"seen: {objective} is undefined in all {len(records)} trials of window {window} ({told}); "
        "expected: a number in one of them; do: take more data, another objective, or wider bounds "
        "with --space",
    )
