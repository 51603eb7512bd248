"""Jobs in numbers, for Prometheus: looked up when they are asked for.

Not here: serving them (app).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from holdfast.errors import RetryableError
from holdfast.platform.jobs.port import JobState
from holdfast.platform.jobs.rows import JobRows


class JobMetrics(Collector):
    """How many jobs there are in each state, and how many wait for a worker.

    Args:
        waiting: messages in the broker that no worker has taken, None when it does not answer;
            without a broker, what waits is counted in the rows.
    """

    def __init__(self, rows: JobRows, waiting: Callable[[], int | None] | None = None) -> None:
        self._rows = rows
        self._waiting = waiting

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The numbers now; what cannot be looked up is left out, and told by `jobs_up`."""
        up = GaugeMetricFamily("jobs_up", "Whether the database of jobs answers.")
        try:
            counts = self._rows.counts()
        except RetryableError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        jobs = GaugeMetricFamily("jobs", "Background jobs, by state.", labels=["state"])
        for state, count in counts.items():
            jobs.add_metric([state.value], count)
        yield jobs
        length = counts[JobState.QUEUED] if self._waiting is None else self._waiting()
        if length is not None:
            yield GaugeMetricFamily(
                "celery_queue_length", "Jobs that wait for a worker.", value=length
            )
