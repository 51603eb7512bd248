"""Traces, where somebody asked for them: spans with ids that every process works out by itself.

The trace of an order has its intent's id, and a span's id is a digest of what it is about; so a new
leader goes on with the trace that the one before it began, and nothing need be handed along.
OpenTelemetry is imported by `begin` and nowhere else: without traces it costs nothing. Not here:
which spans there are (who makes them).
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
END_S: Final = 1.0
"""How long the end of a process waits for a collector that does not answer."""


class Place(NamedTuple):
    """Where a span is: the ids that others find it by."""

    trace_id: int
    span_id: int


class Stretch(NamedTuple):
    """Something that took a while.

    Attributes:
        begin_ns, end_ns: of the local monotonic clock.
        about: attributes; None is left out.
        moments: names and times of what happened meanwhile.
        links: spans that it has to do with.
        failed: what went wrong, empty when nothing did.
    """

    name: str
    begin_ns: int
    end_ns: int
    about: Mapping[str, Any] = {}
    moments: Sequence[tuple[str, int]] = ()
    links: Sequence[Place] = ()
    failed: str = ""


class Traces:
    """Sends spans on; made by `begin`.

    Args:
        start: makes a span: name, its place, the place of its parent, when, and links.
        end: sends what waits, within its own patience.
    """

    def __init__(self, start: Callable[..., Any], end: Callable[[], object]) -> None:
        self._start = start
        self._end = end

    def tell(self, place: Place, stretch: Stretch, parent: Place | None = None) -> None:
        """Send a span that is over; returns at once, and never waits for a collector."""
        ahead_ns = time.time_ns() - time.monotonic_ns()
        self._start(place, parent, stretch, ahead_ns)

    def end(self) -> None:
        """Send what waits; for at most `END_S`, so that no end of a process waits for it longer."""
        ending = threading.Thread(target=self._end, name="traces end", daemon=True)
        ending.start()
        ending.join(END_S)


_active: Traces | None = None


def active() -> Traces | None:
    """This process's traces; None when there are none."""
    return _active


def is_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a collector, in OpenTelemetry's own variables."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    return any(environ.get(name) for name in _ENDPOINTS)


def is_installed() -> bool:
    """Whether the extra `otel` is there; nothing of it is imported."""
    try:
        return all(
            find_spec(f"opentelemetry.{name}") for name in ("sdk", "exporter.otlp.proto.http")
        )
    except ModuleNotFoundError:
        return False


def of_intent(intent_id: str) -> int:
    """The trace of everything that is done about an intent."""
    return uuid.UUID(intent_id).int


def of_request(request_id: str) -> Place:
    """Where an HTTP request is."""
    return _root("request", request_id)


def of_command(command_id: str) -> Place:
    """Where it is that a leader takes a command."""
    return _root("command", command_id)


def span_of(*what: object) -> int:
    """The id of the span that is about this."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, what)).encode()).digest()[:8], "big")


def _root(kind: str, name: str) -> Place:
    digest = hashlib.sha256(f"{kind}\0{name}".encode()).digest()
    return Place(int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big"))


def begin(service: str, version: str, **resource: str) -> Traces:
    """Send spans from this process, forked or not, from here on.

    Where to, with which headers, how many of them and how patiently is in OpenTelemetry's
    variables. Call it after the fork: what sends them is a thread.

    Raises:
        ImportError: the extra `otel` is not installed.
    """
    global _active  # noqa: PLW0603 - one for the process, as the provider of OpenTelemetry is
    from holdfast.telemetry.otlp import connect  # noqa: PLC0415 - half a second, and an extra

    _active = connect(service, version, resource)
    return _active


def stop() -> None:
    """Send what waits, and no more."""
    global _active
    ended, _active = _active, None
    if ended is not None:
        ended.end()
