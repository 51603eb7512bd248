"""OpenTelemetry, behind `telemetry.trace`: the one module that imports it.

Not here: when, and what about (trace, and who makes spans).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from holdfast.telemetry.log import masked_text
from holdfast.telemetry.trace import Place, Stretch, Traces


class _Given(IdGenerator):
    """Hands out the ids that the next span is to have."""

    next = Place(0, 0)

    def generate_trace_id(self) -> int:
        return self.next.trace_id

    def generate_span_id(self) -> int:
        return self.next.span_id


def connect(service: str, version: str, resource: Mapping[str, str]) -> Traces:
    """A provider of this process's own; no global of OpenTelemetry is touched."""
    ids, one_at_a_time = _Given(), threading.Lock()
    about = {"service.name": service, "service.namespace": "holdfast", "service.version": version}
    provider = TracerProvider(
        resource=Resource.create(about | dict(resource)), id_generator=ids, shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("holdfast", version)

    def start(place: Place, parent: Place | None, stretch: Stretch, ahead_ns: int) -> None:
        about = {
            key: masked_text(value) if isinstance(value, str) else value
            for key, value in stretch.about.items()
            if value is not None
        }
        context = None if parent is None else set_span_in_context(_at(parent))
        links = [Link(_at(link).get_span_context()) for link in stretch.links]
        with one_at_a_time:
            ids.next = place
            span = tracer.start_span(
                stretch.name, context=context, attributes=about, links=links,
                start_time=stretch.begin_ns + ahead_ns,
            )  # fmt: skip
        for name, at_ns in stretch.moments:
            span.add_event(name, timestamp=at_ns + ahead_ns)
        if stretch.failed:
            span.set_status(Status(StatusCode.ERROR, masked_text(stretch.failed)))
        span.end(end_time=stretch.end_ns + ahead_ns)

    return Traces(start, provider.shutdown)


def _at(place: Place) -> NonRecordingSpan:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return NonRecordingSpan(SpanContext(place.trace_id, place.span_id, True, flags))
