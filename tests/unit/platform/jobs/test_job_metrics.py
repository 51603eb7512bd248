"""Jobs in numbers, with the database there and gone, with a broker and without.

Not here: the port that serves them (tests/acceptance/test_jobs).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from holdfast.errors import RetryableError
from holdfast.platform.jobs.metrics import tell_jobs
from holdfast.platform.jobs.port import JobState
from holdfast.platform.jobs.rows import JobRows, NewJob
from holdfast.platform.jobs.sqlite import SqliteJobs
from holdfast.telemetry.meter import Meter
from tests.support.numbers import number


def numbers(rows: JobRows, waiting: Callable[[], int | None] | None = None) -> Meter:
    meter = Meter()
    tell_jobs(meter, rows, waiting)
    return meter


def test_jobs_are_counted_by_state_and_the_queue_by_the_broker(tmp_path: Path) -> None:
    rows = SqliteJobs(tmp_path / "jobs")
    rows.add(
        [NewJob(id=str(n), kind="k", owner="a", input="{}", attempts_allowed=1) for n in range(3)],
        1,
    )  # fmt: skip
    rows.claim("w", 9)
    without, with_one = numbers(rows), numbers(rows, lambda: 7)
    away = numbers(rows, lambda: None)
    assert number(without, "jobs", state="running") == 1
    assert number(without, "jobs", state="failed") == 0
    assert number(without, "celery_queue_length") == 2
    assert number(with_one, "celery_queue_length") == 7
    assert number(away, "celery_queue_length") is None
    assert number(away, "jobs_up") == 1
    rows.close()


def test_a_database_that_is_gone_is_told_and_fails_nobody(tmp_path: Path) -> None:
    class Gone(SqliteJobs):
        def counts(self) -> dict[JobState, int]:
            raise RetryableError("seen: locked")

    meter = numbers(Gone(tmp_path / "jobs"))
    assert number(meter, "jobs_up") == 0
    assert number(meter, "jobs", state="queued") is None
