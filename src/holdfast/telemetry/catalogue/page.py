"""The catalogue as a page for people: docs/metrics-catalogue.md.

Not here: writing it (scripts/observability.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from holdfast.telemetry.catalogue import ALIASES, FOREIGN, METRICS, series_at_most
from holdfast.telemetry.catalogue.metric import (
    APIS,
    BUDGET,
    NODES,
    WORKERS,
    Emitter,
    Label,
    Metric,
)

_HEAD: Final = f"""\
# Metrics

Every metric that a process of ours exposes; written by `scripts/observability.py` from
`holdfast.telemetry.catalogue`, which the code that counts, the rules and the dashboards use as
well. (The figures of a backtest are [another document](metrics.md).)

**Four pillars.** Metrics are here; logs are in [Watching it](observability.md); traces are optional
and off by default; business metrics are the part on trading below.
[Where they are, and who scrapes them](observability.md#metrics-and-where-they-are).

**Series.** Each label has a bound. At every bound at once, with {NODES} nodes, {APIS} processes of
the API and {WORKERS} workers, these are {series_at_most():,} series, of a budget of {BUDGET:,}. No
id of an order, no address, no user and no text of an error is ever a label.
"""
_PARTS: Final = {
    Emitter.LEADER: (
        "Trading: the leader of an account",
        "On a node's metrics port, for the accounts that it leads. After a takeover the counters "
        "of the old leader stay with it.",
    ),
    Emitter.NODE: (
        "Nodes",
        "On a node's metrics port, for all of its accounts, whether it leads or follows them; "
        "`runtime_…` and `holdfast_build_info` also on those of the API and of workers.",
    ),
    Emitter.API: ("The API", "On the metrics port of each API process."),
    Emitter.WORKER: ("Workers", "On the metrics port of each worker."),
}


def page() -> str:
    """The whole page, Markdown."""
    lines = [_HEAD]
    for emitter, (title, told) in _PARTS.items():
        # Each metric once: under the first that has it.
        metrics = [metric for metric in METRICS if _home(metric) is emitter]
        lines += [f"## {title}\n", f"{told}\n", *_table(metrics), ""]
    lines += ["## Labels\n", *_labels(), ""]
    lines += [
        "## Other names for the same\n",
        "Recorded by rules, because a process that emitted them would mislead whoever sums or "
        "compares them.\n",
        "| name | is | because |", "| --- | --- | --- |",
        *(f"| `{a.name}` | `{_cell(a.expr)}` | {_cell(a.why)} |" for a in ALIASES), "",
        "## Of others\n",
        "What our rules and dashboards ask exporters beside us for.\n",
        "| name | of |", "| --- | --- |",
        *(f"| `{name}` | {_cell(whose)} |" for name, whose in FOREIGN.items()),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _home(metric: Metric) -> Emitter:
    return next(emitter for emitter in _PARTS if emitter in metric.emitters)


def _table(metrics: Iterable[Metric]) -> Iterator[str]:
    yield "| name | kind | labels | what |"
    yield "| --- | --- | --- | --- |"
    for metric in metrics:
        labels = ", ".join(f"`{name}`" for name in metric.label_names)
        told = metric.told
        if metric.buckets:
            told += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}."
        if metric.optional:
            told += f" Only with {metric.optional}."
        yield f"| `{metric.name}` | {metric.kind.value} | {labels} | {_cell(told)} |"


def _labels() -> Iterator[str]:
    yield "| label | at most | values |"
    yield "| --- | --- | --- |"
    found: dict[Label, None] = {label: None for metric in METRICS for label in metric.labels}
    for label in found:
        yield f"| `{label.name}` | {label.most} | {_cell(label.told)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
