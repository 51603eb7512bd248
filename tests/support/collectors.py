"""Stand-ins for what listens to telemetry: an OTLP collector and an ingest endpoint of Sentry's.

Real HTTP on loopback, in a thread. Not here: what is expected of it (the tests).
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Heard:
    """What was sent so far.

    Attributes:
        port: it listens there.
        spans: in the order in which they came, each with the attributes of its resource.
        errors: events of the error tracker.
        raw: every body, as text, for those who look for what must not be in any.
    """

    def __init__(self) -> None:
        self.port = 0
        self.spans: list[tuple[dict[str, Any], Span]] = []
        self.errors: list[dict[str, Any]] = []
        self.raw = ""

    @property
    def otlp(self) -> str:
        """Address for `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self.port}"

    def dsn(self, key: str) -> str:
        """Address for `SENTRY_DSN`."""
        return f"http://{key}@127.0.0.1:{self.port}/1"

    def named(self, name: str) -> list[Span]:
        """The spans of a name."""
        return [span for _, span in list(self.spans) if span.name == name]

    def take(self, path: str, body: bytes) -> None:
        """A request came."""
        self.raw += body.decode("utf-8", "replace")
        if path.endswith("/v1/traces"):
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {one.key: one.value.string_value for one in group.resource.attributes}
                self.spans += [(about, span) for part in group.scope_spans for span in part.spans]
        elif path.endswith("/envelope/"):
            lines = body.split(b"\n")
            for head, item in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(head).get("type") == "event":
                    self.errors.append(json.loads(item))


def attributes(span: Span) -> dict[str, Any]:
    """A span's attributes: texts and whole numbers."""
    return {
        one.key: one.value.string_value or one.value.int_value for one in span.attributes
    }


@contextmanager
def collecting() -> Iterator[Heard]:
    """Listen while the block lasts."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            heard.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        heard.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()
