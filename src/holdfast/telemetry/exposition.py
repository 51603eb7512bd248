"""Numbers as Prometheus reads them.

Not here: where they are served (app).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from holdfast.telemetry.catalogue import BY_NAME
from holdfast.telemetry.catalogue.metric import Kind, Metric
from holdfast.telemetry.meter import Labels, Meter, Numbers

_OF_KIND: Final = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


class Source(msgspec.Struct, frozen=True):
    """Numbers of one process.

    Attributes:
        fixed: labels that all of them have, where their metric does.
    """

    numbers: Numbers
    fixed: Mapping[str, str] = {}


class Exposed(Collector):
    """What `sources` yields whenever it is asked, all processes under one HELP and TYPE."""

    def __init__(self, sources: Callable[[], Iterable[Source]]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """By metric, in the order of the catalogue."""
        found = list(self._sources())
        unknown = {name for source in found for name in source.numbers} - BY_NAME.keys()
        if unknown:
            raise ValueError(f"not in the catalogue: {', '.join(sorted(unknown))}")
        for name, metric in BY_NAME.items():
            having = [source for source in found if name in source.numbers]
            if having:
                yield _family(metric, having)

    def describe(self) -> list[Family]:
        """Nothing: registering must not look at anything."""
        return []


def exposed(meter: Meter) -> Exposed:
    """Of one process that serves its own numbers."""
    return Exposed(lambda: [Source(meter.collected())])


def text(sources: Iterable[Source]) -> bytes:
    """The exposition of these numbers."""
    registry = CollectorRegistry()
    registry.register(Exposed(lambda: sources))
    return generate_latest(registry)


def _family(metric: Metric, sources: Iterable[Source]) -> Family:
    made = _OF_KIND[metric.kind](metric.name, metric.told, labels=metric.label_names)
    for source in sources:
        for labels, value in source.numbers[metric.name].items():
            whole = _whole(metric, labels, source.fixed)
            if isinstance(made, HistogramMetricFamily):
                counts = list(accumulate(value[1:]))
                bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
                buckets = list(zip(bounds, counts, strict=True))
                made.add_metric(whole, buckets, sum_value=value[0])
            else:
                made.add_metric(whole, value)
    found: Family = made
    return found


def _whole(metric: Metric, labels: Labels, fixed: Mapping[str, str]) -> list[str]:
    """All label values, those that are fixed in their places."""
    given = iter(labels)
    return [fixed[name] if name in fixed else next(given) for name in metric.label_names]
