"""What both runners promise, with real workers: each is struck, and no job is lost or done twice.

Not here: the rows alone (tests/unit/platform/jobs), what jobs do here (app.jobs).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.chaos.postgres import PostgresServer
from holdfast.platform.jobs.celery_runner import Sender
from holdfast.platform.jobs.port import JobState
from tests.support.job_functions import Add, Many, Marked
from tests.support.job_worker import DEPLOYMENT, Order
from tests.support.jobs import Site, end, is_alive, site
from tests.support.redis import RedisServer, redis_url

pytestmark = pytest.mark.slow

RUNNERS = ("local", "celery")
SOON: dict[str, Any] = {"beat_s": 0.25, "gone_s": 2.5}
"""For tests that wait until a worker is given up."""


@pytest.fixture(params=RUNNERS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    order = Order(str(tmp_path / "jobs.db"), str(tmp_path))
    if request.param == "local":
        with site(order) as made:
            yield made
        return
    broker, deployment = redis_url(), f"{DEPLOYMENT}-{tmp_path.name}"
    order = msgspec.structs.replace(order, broker=broker, deployment=deployment)
    with site(order, Sender(broker, deployment).send) as made:
        yield made


def marked(place: Site, **other: object) -> Marked:
    return Marked(marks=str(place.folder / "marks"), go=str(place.folder / "go"), **other)  # type: ignore[arg-type]


def go(place: Site) -> None:
    (place.folder / "go").touch()


def test_a_job_is_done_and_its_result_and_files_are_kept(place: Site) -> None:
    place.submit("add", Add(2, 3))
    place.worker()
    job = place.ended()
    assert (job.state, job.result, job.progress, job.attempt) == (JobState.DONE, "5", 1.0, 1)
    assert Path(job.files["sum.txt"]).read_text() == "5"
    assert job.started_at_ns is not None
    assert job.ended_at_ns is not None
    assert job.created_at_ns <= job.started_at_ns <= job.ended_at_ns


def test_asking_twice_is_doing_once(place: Site) -> None:
    go(place)
    first = place.submit("wait", marked(place))
    place.worker()
    place.ended()
    again = place.submit("wait", marked(place))
    assert (again.id, again.state) == (first.id, JobState.DONE)
    place.submit("add", Add(1, 1), "another")
    place.ended("another")
    assert len(place.marks()) == 1


def test_a_killed_workers_job_is_anothers_and_its_process_ends_with_it(place: Site) -> None:
    place.submit("wait", marked(place))
    first = place.worker(**SOON)
    place.begun()
    end(first, signal.SIGKILL)
    place.until(lambda: not is_alive(place.marks()[0]), "its process ended")
    place.worker(**SOON)
    place.begun(2)
    go(place)
    job = place.ended()
    assert (job.state, job.result, job.attempt) == (JobState.DONE, '"2"', 2)


def test_a_paused_worker_that_wakes_finds_its_job_anothers(place: Site) -> None:
    place.submit("wait", marked(place))
    first = place.worker(**SOON)
    place.begun()
    place.freeze(first.pid)
    place.worker(**SOON)
    place.begun(2)
    os.kill(first.pid, signal.SIGCONT)
    place.until(lambda: not is_alive(place.marks()[0]), "the first attempt ended")
    assert place.job().state is JobState.RUNNING
    go(place)
    job = place.ended()
    assert (job.state, job.result, job.attempt) == (JobState.DONE, '"2"', 2)


def test_a_worker_that_is_told_to_end_hands_its_jobs_back_unharmed(place: Site) -> None:
    place.submit("wait", marked(place))
    first = place.worker()
    place.begun()
    assert end(first) == 0
    job = place.job()
    assert (job.state, job.failures) == (JobState.QUEUED, 0)
    go(place)
    place.worker()
    assert (place.ended().result, place.job().attempt) == ('"2"', 2)


def test_an_input_that_kills_its_process_is_not_tried_for_ever(place: Site) -> None:
    place.submit("poison", marked(place))
    place.submit("add", Add(1, 1), "beside")
    worker = place.worker()
    job = place.ended()
    assert (job.state, job.failures, len(place.marks())) == (JobState.FAILED, 2, 2)
    assert "SIGKILL" in job.error
    assert place.ended("beside").state is JobState.DONE
    assert worker.poll() is None


def test_what_may_help_is_tried_again_and_a_mistake_is_not(place: Site) -> None:
    place.submit("flaky", marked(place, good_attempt=2))
    mistaken = Marked(marks=str(place.folder / "mistakes"))
    place.submit("mistake", mistaken, "mistaken")
    place.worker()
    job = place.ended()
    assert (job.state, job.result, job.failures) == (JobState.DONE, "2", 1)
    failed = place.ended("mistaken")
    assert (failed.state, len(place.marks("mistakes"))) == (JobState.FAILED, 1)
    assert "ZeroDivisionError: a mistake\ufffd of ours" in failed.error


def test_what_is_too_large_or_takes_too_long_fails_and_says_why(place: Site) -> None:
    place.submit("large", marked(place), "large")
    place.submit("endless", marked(place), "endless")
    place.worker()
    assert "expected: at most" in place.ended("large").error
    assert "no result within 0.5 s" in place.ended("endless").error
    assert {place.job(one).state for one in ("large", "endless")} == {JobState.FAILED}
    place.until(lambda: not any(map(is_alive, place.marks())), "all processes ended")


def test_a_job_that_is_cancelled_ends_with_its_process(place: Site) -> None:
    place.submit("wait", marked(place))
    place.worker()
    place.begun()
    told = place.board.cancel("j1")
    assert told is not None
    assert (told.state, told.is_cancelling) == (JobState.RUNNING, True)
    job = place.ended()
    assert (job.state, job.result, job.is_cancelling) == (JobState.CANCELLED, "", False)
    place.until(lambda: not is_alive(place.marks()[0]), "its process ended")


def test_parts_are_shared_by_workers_and_put_together(place: Site) -> None:
    place.submit("many", Many(5, bad=2))
    place.worker(slots=1)
    place.worker(slots=1)
    job = place.ended()
    assert (job.state, job.progress) == (JobState.DONE, 1.0)
    parts = place.board.list(parent="j1")
    assert [part.id for part in parts] == [f"j1:{number}" for number in (5, 4, 3, 2, 1)]
    assert [part.state.value for part in parts] == ["done", "done", "done", "failed", "done"]
    assert '"sums":[101,103,104,105]' in job.result
    assert "a number below zero" in job.result


def test_two_workers_never_do_one_job(place: Site) -> None:
    go(place)
    for number in range(6):
        one = Marked(marks=str(place.folder / f"marks-{number}"), go=str(place.folder / "go"))
        place.submit("wait", one, f"j{number}")
    place.worker()
    place.worker()
    assert [place.ended(f"j{number}").attempt for number in range(6)] == [1] * 6
    assert [len(place.marks(f"marks-{number}")) for number in range(6)] == [1] * 6


def test_jobs_outlive_a_broker_that_is_away_and_forgets(tmp_path: Path) -> None:
    redis = RedisServer()
    try:
        order = Order(str(tmp_path / "jobs.db"), str(tmp_path), redis.url, DEPLOYMENT)
        with site(order, Sender(order.broker, order.deployment).send) as place:
            place.submit("add", Add(1, 1), "before")
            place.submit("wait", marked(place))
            redis.crash()
            place.submit("add", Add(2, 2), "without")
            place.worker()
            redis.start()
            place.begun()
            redis.crash()  # with the job under way
            go(place)
            assert place.ended().state is JobState.DONE
            place.submit("add", Add(3, 3), "away")
            redis.start()
            done = [place.ended(one).result for one in ("before", "without", "away")]
            assert done == ["2", "4", "6"]
    finally:
        redis.stop()


def test_a_database_that_is_away_for_a_while_costs_nothing(tmp_path: Path) -> None:
    with _server() as server, site(Order(server.url, str(tmp_path))) as place:
        place.submit("wait", marked(place))
        worker = place.worker()
        place.begun()
        server.crash()
        go(place)
        place.until(lambda: not is_alive(place.marks()[0]), "the job was done")
        place.until(lambda: "jobs wait" in place.log(), "the worker told it")
        server.start()
        job = place.ended()
        assert (job.state, job.result, job.attempt) == (JobState.DONE, '"1"', 1)
        assert worker.poll() is None


def test_a_worker_that_cannot_say_that_it_lives_ends_its_job_itself(tmp_path: Path) -> None:
    with _server() as server, site(Order(server.url, str(tmp_path), **SOON)) as place:
        place.submit("wait", marked(place))
        place.worker()
        place.begun()
        server.crash()
        place.until(lambda: not is_alive(place.marks()[0]), "its process ended")
        assert "job given up" in place.log()
        server.start()
        place.begun(2)
        go(place)
        assert place.ended().state is JobState.DONE


@contextmanager
def _server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server
    finally:
        server.stop()
