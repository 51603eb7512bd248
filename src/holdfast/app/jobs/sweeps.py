"""A search of parameters as a job that workers share: each window is a part, then all are judged.

It comes to what `holdfast optimize` comes to with the same words and seed. Not here: the search
(app.research.search).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from holdfast.app.jobs.backtests import costs_of, tables_of
from holdfast.app.jobs.inputs import SweepJob, SweepWindowJob
from holdfast.app.jobs.places import strategy_named
from holdfast.app.research.search import Sample, Task, search
from holdfast.app.research.search import search_window as searched_window
from holdfast.app.research.search_store import Record
from holdfast.config import Config, load
from holdfast.errors import RejectedError
from holdfast.market.bar_table import BarTable
from holdfast.platform.jobs.kinds import Part, Work
from holdfast.platform.jobs.port import JobState

_LISTED = 200


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a sweep. Its file `trials.jsonl` has every trial, a line of JSON each.

    Attributes:
        best: `params` and `value`; with windows those of the last one.
        states: how many trials were complete, pruned and failed.
        trials: the best of them, the best one first; without their figures.
        in_sample, out_of_sample: as in `holdfast optimize --json`.
    """

    objective: str
    direction: str
    best: Mapping[str, Any]
    states: Mapping[str, int]
    trials: Sequence[Record]
    in_sample: Sample
    out_of_sample: Sample | None
    warnings: Sequence[str]


def windows_of(given: SweepJob, work: Work) -> list[Part]:
    """A part for each window; one without walk-forward."""
    del work
    parts = [
        SweepWindowJob(sweep=given, window=number)
        for number in range(1, max(given.walk_forward, 1) + 1)
    ]
    return [Part("sweep-window", msgspec.Raw(msgspec.json.encode(part))) for part in parts]


class Searched(msgspec.Struct, frozen=True):
    """The trials of one window, the figures of the best one with it."""

    trials: list[Record]


def search_window(given: SweepWindowJob, work: Work) -> Searched:
    """Search one window.

    Raises:
        ConfigError: something cannot be meant.
    """
    sweep, config = given.sweep, load(work.config_file)

    def progress(window: int, done: int, trials: int) -> None:
        work.tell(done / trials, f"window {window}: {done} of {trials} trials")

    task, bars = _asked(config, sweep)
    return Searched(
        searched_window(task, bars, given.window, progress=progress, **_options(sweep))
    )


def gather(given: SweepJob, work: Work) -> Swept:
    """Judge what the windows found, one after the other.

    Raises:
        RejectedError: a window could not be searched, or found nothing.
    """
    known: dict[int, list[Record]] = {}
    for number, part in enumerate(work.parts, start=1):
        if part.state is not JobState.DONE:
            raise RejectedError("part-failed", part.error or f"window {number} was {part.state}")
        known[number] = msgspec.json.decode(part.result, type=Searched).trials
    task, bars = _asked(load(work.config_file), given)
    found = search(task, bars, known=known, **_options(given))
    lines = [msgspec.json.encode(one) for one in found.trials]
    (work.folder / "trials.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    sign = -1.0 if found.direction == "maximize" else 1.0
    valued = [one for one in found.trials if one.value is not None]
    valued.sort(key=lambda one: (sign * (one.value or 0.0), one.window, one.number))
    return Swept(
        objective=found.objective, direction=found.direction, best=found.best,
        states=Counter(one.state for one in found.trials),
        trials=[msgspec.structs.replace(one, figures={}) for one in valued[:_LISTED]],
        in_sample=found.in_sample, out_of_sample=found.out_of_sample, warnings=found.warnings,
    )  # fmt: skip


def _asked(config: Config, given: SweepJob) -> tuple[Task, list[BarTable]]:
    task = Task(
        strategy=strategy_named(config, given.strategy),
        fixed=given.fixed,
        costs=costs_of(config, given),
    )
    return task, tables_of(config, given)


def _options(given: SweepJob) -> dict[str, Any]:
    return {
        "objective": given.objective, "trials": given.trials, "space": given.space,
        "walk_forward": given.walk_forward, "seed": given.seed,
    }  # fmt: skip
