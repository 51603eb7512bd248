"""The connections of this process to its database in numbers, for Prometheus.

Not here: the pool (journal.postgres_pool), serving the numbers (app).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from holdfast.journal.database import PoolState

_GAUGES = {
    "min": "Connections that are kept.",
    "max": "Connections that are opened at most.",
    "waiting": "Callers that wait for a connection now.",
}
_COUNTERS = {
    "requests": "Callers that asked for a connection.",
    "waits": "Callers that had to wait for one.",
    "timeouts": "Callers that waited in vain.",
    "connects": "Connections opened.",
    "failed_connects": "Connections that could not be opened.",
    "lost": "Connections that were found broken.",
}


class PoolMetrics(Collector):
    """The state of a pool, looked at when it is asked for; nothing where there is no pool."""

    def __init__(self, pool: Callable[[], PoolState | None]) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """The numbers now."""
        now = self._pool()
        if now is None:
            return
        connections = GaugeMetricFamily(
            "db_pool_connections", "Connections to the database now.", labels=["state"]
        )
        connections.add_metric(["in_use"], now.in_use)
        connections.add_metric(["idle"], now.idle)
        yield connections
        for name, told in _GAUGES.items():
            yield GaugeMetricFamily(f"db_pool_{name}", told, value=getattr(now, name))
        for name, told in _COUNTERS.items():
            yield CounterMetricFamily(f"db_pool_{name}", told, value=getattr(now, name))
        yield CounterMetricFamily(
            "db_pool_wait_seconds", "All waits together.", value=now.waited_ms / 1000
        )
