"""A worker's own port: its metrics, and whether it lives and is of use. On this machine only.

Not here: the numbers (platform.jobs.metrics).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from holdfast.errors import UnreachableError

_TRIED = 20


@contextmanager
def serving(
    port: int, registry: CollectorRegistry, is_ready: Callable[[], bool], host: str = "127.0.0.1"
) -> Iterator[int]:
    """Serve `/metrics`, `/livez` and `/ready` meanwhile; yields the port, the next free one.

    Raises:
        UnreachableError: none can be had.
    """
    server = _server(host, port, _app(registry, is_ready))
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
    allow_reuse_port = False  # a port that another worker has is not free
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody needs a line for each look."""


def _app(registry: CollectorRegistry, is_ready: Callable[[], bool]) -> Any:
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            found: Iterable[bytes] = metrics(environ, start)
            return found
        known = {"/livez": lambda: True, "/ready": is_ready}
        is_well = path in known and known[path]()
        status = "200 OK" if is_well else "503 Not Ready" if path in known else "404 Not Found"
        body = b'{"ok":true}' if is_well else b'{"ok":false}'
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return app
