"""Jobs in numbers: looked up when they are asked for.

Not here: serving them (app).
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.errors import RetryableError
from holdfast.platform.jobs.port import JobState
from holdfast.platform.jobs.rows import JobRows
from holdfast.telemetry.catalogue import services as metrics
from holdfast.telemetry.meter import Meter


def tell_jobs(
    meter: Meter, rows: JobRows, waiting: Callable[[], int | None] | None = None
) -> None:
    """Keep in `meter` how many jobs there are in each state, and how many wait for a worker.

    What cannot be looked up is left out, and told by `jobs_up`.

    Args:
        waiting: messages in the broker that no worker has taken, None when it does not answer;
            without a broker, what waits is counted in the rows.
    """

    def look() -> None:
        up = meter.gauge(metrics.JOBS_UP)
        try:
            counts = rows.counts()
        except RetryableError:
            up.set(0)
            return
        up.set(1)
        for state, count in counts.items():
            meter.gauge(metrics.JOBS).set(count, (state.value,))
        length = counts[JobState.QUEUED] if waiting is None else waiting()
        if length is not None:
            meter.gauge(metrics.QUEUE_LENGTH).set(length)

    meter.on_collect(look)
