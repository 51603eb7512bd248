"""One number of a meter, as Prometheus would read it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from holdfast.telemetry.exposition import exposed
from holdfast.telemetry.meter import Meter


def number(meter: Meter, name: str, **labels: str) -> float | None:
    """The sample with this name and these labels; None when there is none."""
    registry = CollectorRegistry()
    registry.register(exposed(meter))
    return registry.get_sample_value(name, labels)
