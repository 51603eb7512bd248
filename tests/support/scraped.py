"""What a metrics port tells: its samples, held to the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.parser import text_string_to_metric_families

from holdfast.telemetry.catalogue import METRICS
from holdfast.telemetry.catalogue.metric import Emitter, Kind, Metric

OF_SERIES = {series: metric for metric in METRICS for series in metric.series_names}


def faults(text: str) -> Iterator[str]:
    """Samples that are not in the catalogue, or have other labels than it says."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metric = OF_SERIES.get(sample.name)
            if metric is None:
                yield f"{sample.name} is not in the catalogue"
                continue
            expected = {*metric.label_names}
            if sample.name.endswith("_bucket") and metric.kind is Kind.HISTOGRAM:
                expected.add("le")
            if set(sample.labels) != expected:
                yield f"{sample.name} has the labels {sorted(sample.labels)}"


def missing(names: Iterable[str], *emitters: Emitter) -> list[str]:
    """Metrics that processes of this kind should have and that have no series among `names`.

    What only an optional server or driver brings is tried where that is.
    """
    there = set(names)
    return [
        metric.name
        for metric in METRICS
        if set(emitters) & set(metric.emitters)
        and not metric.optional
        and not _is_there(metric, there)
    ]


def _is_there(metric: Metric, there: set[str]) -> bool:
    return all(series in there for series in metric.series_names)


def names_of(text: str) -> set[str]:
    """Names of all samples."""
    families = text_string_to_metric_families(text)
    return {sample.name for family in families for sample in family.samples}
