"""PromQL from metrics of the catalogue: a name or a label that is not there does not get past here.

Not here: what is asked (rules).
"""

from __future__ import annotations

from typing import Final

from holdfast.telemetry.catalogue import FOREIGN, Kind, Metric

# Labels that Prometheus adds to whatever it scrapes.
_OF_TARGETS: Final = frozenset({"job", "instance"})

_SIGNS: Final = {"!~": "!~", "!": "!=", "~": "=~", "": "="}

_REMEMBERED: Final = "6h"
"""The longest hole in scrapes after which a counter is no new one. Each evaluation reads as much of
every counter, and a process that counts the same again so long after its end goes unnoticed."""

TRADING: Final = "trading"
"""The scrape job of the nodes; the others are named by what they watch."""


def series(metric: Metric, **labels: str) -> str:
    """A selector of a gauge or counter.

    Args:
        labels: values; one that begins with `~` is a pattern, with `!` what it must not be.

    Raises:
        ValueError: a histogram, or a label that the metric has not.
    """
    if metric.kind is Kind.HISTOGRAM:
        raise ValueError(f"{metric.name} is a histogram: ask for its buckets or its count")
    return metric.name + _matchers(metric, labels)


def buckets(metric: Metric, **labels: str) -> str:
    """A selector of a histogram's buckets; `le`, if given, must be a bound of it.

    Raises:
        ValueError: no histogram, a label that it has not, or another bound.
    """
    _histogram(metric)
    bound = labels.get("le")
    if bound is not None and bound not in {str(float(one)) for one in metric.buckets}:
        raise ValueError(f"{metric.name} has no bound {bound}, but {metric.buckets}")
    return f"{metric.name}_bucket" + _matchers(metric, labels, "le")


def count(metric: Metric, **labels: str) -> str:
    """A selector of how much a histogram has counted."""
    _histogram(metric)
    return f"{metric.name}_count" + _matchers(metric, labels)


def foreign(name: str, **labels: str) -> str:
    """A selector of a metric of an exporter or of Prometheus itself.

    Raises:
        ValueError: the catalogue has no such name.
    """
    if name not in FOREIGN:
        raise ValueError(f"{name} is not among the catalogue's foreign metrics")
    return name + _braces(labels)


def led(metric: Metric, **labels: str) -> str:
    """A gauge as the present leader has it: what another node still shows is left out."""
    return f"({series(metric, **labels)} and on (account, instance) trading_leader == 1)"


def quantile(share: float, metric: Metric, by: str, window: str = "5m", **labels: str) -> str:
    """A quantile of a histogram over the last `window`, by these labels."""
    return (
        f"histogram_quantile({share}, "
        f"sum by (le, {by}) (rate({buckets(metric, **labels)}[{window}])))"
    )


def grown(selector: str, window: str, by: str) -> str:
    """By how much counters grew within `window`, in whole numbers: Prometheus extrapolates.

    A series that is younger than that began at zero: all that it has counted is growth, of which
    `increase` does not see the first. One that was only not scraped then has grown since it was
    last seen, and one that counts less now than then has begun anew.
    """
    before = f"last_over_time({selector}[{_REMEMBERED}] offset {window})"
    return (
        f"round(sum by ({by}) ("
        f"({selector} unless {selector} offset {window}) "
        f"- (({before} <= {selector}) or 0 * {selector}) "
        f"or increase({selector}[{window}])))"
    )


def _histogram(metric: Metric) -> None:
    if metric.kind is not Kind.HISTOGRAM:
        raise ValueError(f"{metric.name} is a {metric.kind} and has no buckets")


def _matchers(metric: Metric, labels: dict[str, str], *more: str) -> str:
    unknown = set(labels) - set(metric.label_names) - _OF_TARGETS - set(more)
    if unknown:
        raise ValueError(f"{metric.name} has the labels {metric.label_names}, not {unknown}")
    return _braces(labels)


def _braces(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ", ".join(_matcher(name, value) for name, value in labels.items()) + "}"


def _matcher(name: str, value: str) -> str:
    sign = next(sign for sign in ("!~", "!", "~", "") if value.startswith(sign))
    return f'{name}{_SIGNS[sign]}"{value.removeprefix(sign)}"'
