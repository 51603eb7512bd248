"""Counting by the catalogue: plain numbers of one thread, to be read, handed on and gone on with.

A counter costs a dictionary's entry and no lock, because it is counted on the path of an order.
Not here: the text that Prometheus reads (exposition), what there is to count (catalogue).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Collection
from typing import Any, Final

from holdfast.telemetry.catalogue.metric import Kind, Metric

Labels = tuple[str, ...]
"""Values in the order of the metric's labels, without those that the meter leaves out."""

Numbers = dict[str, dict[Labels, Any]]
"""By metric and labels: a number; of a histogram its sum, then a count for each bucket.

Under the name of a histogram and `EXAMPLES`, by its labels: the example of each of those counts.
"""

EXAMPLES: Final = " examples"


class Counter:
    """A number that only rises."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, float] = {}

    def add(self, labels: Labels = (), by: float = 1) -> None:
        """So many more; `by` 0 makes the series known before anything has happened."""
        try:
            self.values[labels] += by
        except KeyError:  # once for each series
            self.values[labels] = by

    def rise_to(self, count: float, labels: Labels = ()) -> None:
        """What somebody else counts has come to `count`."""
        self.values[labels] = count


class Gauge:
    """A number that is what it was last set to; whoever sets it does so at each `collected`."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, float] = {}

    def set(self, value: float, labels: Labels = ()) -> None:
        """It is `value` now."""
        self.values[labels] = float(value)


class Histogram:
    """How often something took how long."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.values: dict[Labels, list[float]] = {}
        self.examples: dict[Labels, dict[int, tuple[str, float, float]]] = {}
        self._bounds = metric.buckets

    def observe(self, value: float, labels: Labels = (), trace_id: str = "") -> None:
        """It took so long once more.

        Args:
            trace_id: of what took so long; the last one of each bucket is kept as its example.
        """
        row = self.values.get(labels)
        if row is None:
            row = self.begin(labels)
        row[0] += value
        place = bisect_left(self._bounds, value) + 1
        row[place] += 1
        if trace_id:
            found = self.examples.get(labels)
            if found is None:
                found = self.examples[labels] = {}
            found[place] = (trace_id, value, time.time())

    def begin(self, labels: Labels = ()) -> list[float]:
        """Make the series known before anything has happened."""
        return self.values.setdefault(labels, [0.0] * (len(self._bounds) + 2))


_OF_KIND: Final[dict[Kind, type[Counter | Gauge | Histogram]]] = {
    Kind.COUNTER: Counter,
    Kind.GAUGE: Gauge,
    Kind.HISTOGRAM: Histogram,
}


class Meter:
    """The metrics of one thread, each made once.

    Args:
        without: labels that whoever reads the numbers adds: they are the same for all of them.
    """

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = frozenset(without)
        self._families: dict[str, Counter | Gauge | Histogram] = {}
        self._look: list[Callable[[], None]] = []

    def counter(self, metric: Metric) -> Counter:
        """The counter called so."""
        found = self._family(metric)
        assert isinstance(found, Counter)  # noqa: S101 - the catalogue says so
        return found

    def gauge(self, metric: Metric) -> Gauge:
        """The gauge called so."""
        found = self._family(metric)
        assert isinstance(found, Gauge)  # noqa: S101
        return found

    def histogram(self, metric: Metric) -> Histogram:
        """The histogram called so."""
        found = self._family(metric)
        assert isinstance(found, Histogram)  # noqa: S101
        return found

    def _family(self, metric: Metric) -> Counter | Gauge | Histogram:
        found = self._families.get(metric.name)
        if found is None:
            found = self._families[metric.name] = _OF_KIND[metric.kind](metric)
        return found

    def on_collect(self, look: Callable[[], None]) -> None:
        """Call `look` before the numbers are read: it sets gauges to what they are now."""
        self._look.append(look)

    def collected(self) -> Numbers:
        """The numbers now, not a copy; gauges that nobody sets any more are gone.

        Raises:
            ValueError: something was counted with other labels than the catalogue's.
        """
        for family in self._families.values():
            if isinstance(family, Gauge):
                family.values = {}
        for look in self._look:
            look()
        found: Numbers = {}
        for name, family in self._families.items():
            if not family.values:
                continue
            found[name] = family.values
            if isinstance(family, Histogram) and family.examples:
                found[name + EXAMPLES] = family.examples
            expected = len([n for n in family.metric.label_names if n not in self._without])
            if any(len(labels) != expected for labels in family.values):
                raise ValueError(f"{name} was counted with other labels than {expected} in number")
        return found

    def go_on_with(self, numbers: Numbers, metrics: Collection[Metric]) -> None:
        """Count on from what another process had counted of `metrics`; gauges are not gone on with.

        What has changed its buckets or labels since begins anew.
        """
        for metric in metrics:
            expected = len([n for n in metric.label_names if n not in self._without])
            for labels, value in numbers.get(metric.name, {}).items():
                if len(labels) != expected:
                    continue
                if metric.kind is Kind.COUNTER:
                    self.counter(metric).add(labels, value)
                elif metric.kind is Kind.HISTOGRAM and len(value) == len(metric.buckets) + 2:
                    self.histogram(metric).values[labels] = list(value)
