"""The connections of this process to its database in numbers.

Not here: the pool (journal.postgres_pool), serving the numbers (app).
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.journal.database import PoolState
from holdfast.telemetry.catalogue import services as metrics
from holdfast.telemetry.meter import Meter


def tell_pool(meter: Meter, pool: Callable[[], PoolState | None]) -> None:
    """Keep the state of a pool in `meter`, looked at when it is read; nothing without a pool."""

    def look() -> None:
        now = pool()
        if now is None:
            return
        connections = meter.gauge(metrics.POOL_CONNECTIONS)
        connections.set(now.in_use, ("in_use",))
        connections.set(now.idle, ("idle",))
        for name, gauge in metrics.POOL_GAUGES.items():
            meter.gauge(gauge).set(getattr(now, name))
        for name, counter in metrics.POOL_COUNTERS.items():
            meter.counter(counter).rise_to(getattr(now, name))
        meter.counter(metrics.POOL_WAIT).rise_to(now.waited_ms / 1000)

    meter.on_collect(look)
