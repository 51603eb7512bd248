"""The metrics of the HTTP side, by the names that dashboards and alerts go by.

Routes are told by their template and statuses by their number, so the series stay few. Not here:
serving them (app.web).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PRESENT_S: Final = 300.0
"""How long after his last request a user counts as active."""

_MOST_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Presence:
    """Who asked lately."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._seen_s: dict[str, float] = {}

    def seen(self, user_id: str) -> None:
        """He asked just now."""
        self._seen_s[user_id] = self._clock_s()

    def count(self) -> int:
        """How many; forgets the others."""
        since_s = self._clock_s() - PRESENT_S
        self._seen_s = {user: at_s for user, at_s in self._seen_s.items() if at_s > since_s}
        return len(self._seen_s)


class HttpMetrics:
    """What the API counts, in a registry of its own."""

    def __init__(self, presence: Presence) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests_total", "Requests answered.", ("method", "endpoint", "status"),
            registry=self.registry,
        )  # fmt: skip
        self._durations = Histogram(
            "http_request_duration_seconds", "From the head of a request to the end of its answer.",
            ("method", "endpoint"), registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )  # fmt: skip
        active = Gauge(
            "active_users", "Users who asked within five minutes.", registry=self.registry
        )
        active.set_function(presence.count)

    def observe(self, method: str, endpoint: str, status: int, took_s: float) -> None:
        """Count one request.

        Args:
            endpoint: the template of its route; empty where no route was found.
        """
        method = method if method in _MOST_METHODS else "other"
        endpoint = endpoint or "none"
        self._requests.labels(method, endpoint, str(status)).inc()
        self._durations.labels(method, endpoint).observe(took_s)
