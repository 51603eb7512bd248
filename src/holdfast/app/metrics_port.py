"""The metrics port of a process without an event loop to spare: numbers, and how it is.

Not here: the numbers (telemetry), the API's own port (app.web.metrics).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
from prometheus_client.exposition import ThreadingWSGIServer

from holdfast.errors import UnreachableError

_TRIED = 20
_JSON: Final = "application/json"


class Pages(msgspec.Struct, frozen=True):
    """What there is to see; asked in threads, one at a time.

    Attributes:
        metrics: for Prometheus, as the header `Accept` wants it, and its type.
        is_ready: whether it is of use.
        health: how it is in detail, as JSON.
    """

    metrics: Callable[[str], tuple[bytes, str]]
    is_ready: Callable[[], bool]
    health: Callable[[], bytes] = lambda: b"{}"


@contextmanager
def serving(port: int, pages: Pages, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve `/metrics`, `/livez`, `/ready` and `/health`; yields the port, the next free one.

    Raises:
        UnreachableError: none can be had.
    """
    server = _server(host, port, _app(pages))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server(host: str, port: int, app: Any) -> Any:
    failed: OSError | None = None
    for candidate in range(port, port + _TRIED) if port else (0,):
        try:
            return make_server(host, candidate, app, _Server, _Silent)
        except OSError as error:
            failed = error
    raise UnreachableError(
        f"seen: no free port from {port} on ({failed}); expected: one for metrics; do: name "
        "another with METRICS_PORT"
    )


class _Server(ThreadingWSGIServer):
    allow_reuse_port = False  # a port that another process has is not free
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody needs a line for each look."""


def _app(pages: Pages) -> Any:
    one_at_a_time = threading.Lock()

    def look(path: str, accept: str) -> tuple[str, str, bytes]:
        if path == "/metrics":
            body, kind = pages.metrics(accept)
            return "200 OK", kind, body
        if path == "/livez":
            # As the API's: by `alive` the doctor knows a process of ours.
            return "200 OK", _JSON, b'{"ok":true,"alive":true}'
        is_ready = pages.is_ready()
        status = "200 OK" if is_ready else "503 Not Ready"
        if path == "/ready":
            return status, _JSON, b'{"ok":true}' if is_ready else b'{"ok":false}'
        if path == "/health":
            return status, _JSON, pages.health()
        return "404 Not Found", _JSON, b'{"ok":false}'

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with one_at_a_time:
            status, kind, body = look(environ["PATH_INFO"], environ.get("HTTP_ACCEPT", ""))
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return app
