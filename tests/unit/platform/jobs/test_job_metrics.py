"""Jobs in numbers, with the database there and gone, with a broker and without.

Not here: the port that serves them (tests/acceptance/test_jobs).
"""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from holdfast.errors import RetryableError
from holdfast.platform.jobs.metrics import JobMetrics
from holdfast.platform.jobs.port import JobState
from holdfast.platform.jobs.rows import NewJob
from holdfast.platform.jobs.sqlite import SqliteJobs


def numbers(metrics: JobMetrics) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(metrics)
    return registry


def test_jobs_are_counted_by_state_and_the_queue_by_the_broker(tmp_path: Path) -> None:
    rows = SqliteJobs(tmp_path / "jobs")
    rows.add(
        [NewJob(id=str(n), kind="k", owner="a", input="{}", attempts_allowed=1) for n in range(3)],
        1,
    )  # fmt: skip
    rows.claim("w", 9)
    without, with_one = numbers(JobMetrics(rows)), numbers(JobMetrics(rows, lambda: 7))
    away = numbers(JobMetrics(rows, lambda: None))
    assert without.get_sample_value("jobs", {"state": "running"}) == 1
    assert without.get_sample_value("jobs", {"state": "failed"}) == 0
    assert without.get_sample_value("celery_queue_length") == 2
    assert with_one.get_sample_value("celery_queue_length") == 7
    assert away.get_sample_value("celery_queue_length") is None
    assert away.get_sample_value("jobs_up") == 1
    rows.close()


def test_a_database_that_is_gone_is_told_and_fails_nobody(tmp_path: Path) -> None:
    class Gone(SqliteJobs):
        def counts(self) -> dict[JobState, int]:
            raise RetryableError("seen: locked")

    registry = numbers(JobMetrics(Gone(tmp_path / "jobs")))
    assert registry.get_sample_value("jobs_up") == 0
    assert registry.get_sample_value("jobs", {"state": "queued"}) is None
