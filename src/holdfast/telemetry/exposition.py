"""Numbers as Prometheus reads them.

Not here: where they are served (app).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from holdfast.telemetry.catalogue import BY_NAME
from holdfast.telemetry.catalogue.metric import Kind, Metric
from holdfast.telemetry.meter import EXAMPLES, Labels, Meter, Numbers

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
        named = {name.removesuffix(EXAMPLES) for source in found for name in source.numbers}
        unknown = named - BY_NAME.keys()
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


def page(sources: Iterable[Source], accept: str = "") -> tuple[bytes, str]:
    """The exposition of these numbers, and its type: OpenMetrics, which has examples, if accepted.

    Args:
        accept: header of the request.
    """
    registry = CollectorRegistry()
    registry.register(Exposed(lambda: sources))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


def text(sources: Iterable[Source]) -> bytes:
    """The same in the older format, as anybody can read it."""
    return page(sources)[0]


def _family(metric: Metric, sources: Iterable[Source]) -> Family:
    made = _OF_KIND[metric.kind](metric.name, metric.told, labels=metric.label_names)
    for source in sources:
        for labels, value in source.numbers[metric.name].items():
            whole = _whole(metric, labels, source.fixed)
            if isinstance(made, HistogramMetricFamily):
                examples = source.numbers.get(metric.name + EXAMPLES, {}).get(labels, {})
                made.add_metric(whole, _buckets(metric, value, examples), sum_value=value[0])
            else:
                made.add_metric(whole, value)
    found: Family = made
    return found


def _buckets(metric: Metric, row: list[float], examples: Mapping[int, Any]) -> list[Any]:
    """Bounds with how many came to each at most, and an example where there is one."""
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    found: list[Any] = []
    for place, (bound, count) in enumerate(zip(bounds, accumulate(row[1:]), strict=True), 1):
        example = examples.get(place)
        if example is None:
            found.append((bound, count, None))
        else:
            trace_id, value, at_s = example
            found.append((bound, count, Exemplar({"trace_id": trace_id}, value, at_s)))
    return found


def _whole(metric: Metric, labels: Labels, fixed: Mapping[str, str]) -> list[str]:
    """All label values, those that are fixed in their places."""
    given = iter(labels)
    return [fixed[name] if name in fixed else next(given) for name in metric.label_names]
