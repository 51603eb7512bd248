"""What the HTTP side counts: requests, users, what became of sign-ins, calls to Redis.

Routes are told by their template and statuses by their number, so the series stay few. Not here:
serving them (app.web).
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from holdfast.telemetry.catalogue import services as metrics
from holdfast.telemetry.meter import Meter

_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")

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
    """What the API counts.

    Attributes:
        meter: of the API's event loop.
    """

    def __init__(self, presence: Presence, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        self._requests = self.meter.counter(metrics.HTTP_REQUESTS)
        self._durations = self.meter.histogram(metrics.HTTP_DURATION)
        active = self.meter.gauge(metrics.ACTIVE_USERS)
        self.meter.on_collect(lambda: active.set(presence.count()))

    def observe(self, method: str, endpoint: str, status: int, took_s: float) -> None:
        """Count one request.

        Args:
            endpoint: the template of its route; empty where no route was found.
        """
        method = method if method in _MOST_METHODS else "other"
        endpoint = endpoint or "none"
        self._requests.add((method, endpoint, str(status)))
        self._durations.observe(took_s, (method, endpoint))


class AuthMetrics:
    """Counts events that threads tell of."""

    def __init__(self, meter: Meter) -> None:
        self._told: deque[str] = deque()
        self._events = meter.counter(metrics.AUTH_EVENTS)
        meter.on_collect(self._look)

    def heard(self, events: Iterable[object]) -> None:
        """They happened, each called by the name of its type; may be called in any thread."""
        self._told.extend(_snake(type(event).__name__) for event in events)

    def _look(self) -> None:
        while self._told:
            self._events.add((self._told.popleft(),))


class RedisMetrics:
    """Counts calls of one use, in the meter's thread.

    Args:
        use: `rates`, `cache`.
    """

    def __init__(self, meter: Meter, use: str) -> None:
        self._use = use
        self._calls = meter.counter(metrics.REDIS_OPERATIONS)
        self._durations = meter.histogram(metrics.REDIS_DURATION)
        for outcome in ("answered", "failed"):
            self._calls.add((use, outcome), 0)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call; what it raises is a failure."""
        began_s = time.perf_counter()
        outcome = "failed"
        try:
            yield
            outcome = "answered"
        finally:
            self._durations.observe(time.perf_counter() - began_s, (self._use,))
            self._calls.add((self._use, outcome))


def _snake(name: str) -> str:
    return _CAPITAL.sub("_", name).lower()
