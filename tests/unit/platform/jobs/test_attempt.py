"""One attempt at a job, in this process: what a job may not do to its worker, nor tell of it.

Not here: workers that are struck (tests/integration/platform).
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from holdfast.platform.jobs.attempt import Outcome, Place, Process, Times
from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.child import Request
from holdfast.platform.jobs.local import Bench
from holdfast.platform.jobs.port import JobState
from holdfast.platform.jobs.rows import NewJob
from holdfast.platform.jobs.sqlite import SqliteJobs
from tests.support.job_functions import KINDS, Marked


class Alone:
    """A worker's bench, and jobs for it."""

    def __init__(self, folder: Path, results: Path) -> None:
        self.rows = SqliteJobs(folder / "jobs")
        self.board = Board(self.rows, KINDS)
        self.bench = Bench(self.rows, KINDS, Place(results), Times())
        self._given = msgspec.json.encode(Marked(marks=str(folder / "marks")))

    def do(self, kind: str) -> Outcome:
        self.board.submit(kind, self._given, job_id="a", owner="ada")
        claimed = self.bench.claim("a")
        assert claimed is not None
        return self.bench.do(claimed, threading.Event())

    def told(self) -> tuple[JobState, str]:
        job = self.board.get("a")
        assert job is not None
        return job.state, job.error


def test_an_error_is_told_without_the_secrets_in_it(tmp_path: Path) -> None:
    alone = Alone(tmp_path, tmp_path / "results")
    assert alone.do("leak") is Outcome.FAILED
    state, error = alone.told()
    assert state is JobState.FAILED
    assert "postgresql://desk:***@db/x" in error


def test_a_worker_without_room_for_results_leaves_the_job_to_another(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a folder should be")
    alone = Alone(tmp_path, tmp_path / "results")
    assert alone.do("flaky") is Outcome.AGAIN
    state, error = alone.told()
    assert state is JobState.QUEUED
    assert "no place or process for it" in error


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("gone", "{}", "a kind that this version knows"),
        ("flaky", '{"marks": 1}', "an input that this version does not understand"),
    ],
)
def test_a_row_of_another_version_fails_and_says_so(
    tmp_path: Path, kind: str, given: str, told: str
) -> None:
    alone = Alone(tmp_path, tmp_path / "results")
    row = NewJob(id="a", kind=kind, owner="ada", input=given, attempts_allowed=3)
    alone.rows.add([row], 1)
    claimed = alone.bench.claim()
    assert claimed is not None
    assert alone.bench.do(claimed, threading.Event()) is Outcome.FAILED
    assert told in alone.told()[1]


def test_a_job_is_nice_beside_its_workers_neighbours_and_ends_as_a_group_of_its_own(
    tmp_path: Path,
) -> None:
    """Linux may share processors between sessions first: in one of its own it is nice to nobody."""
    nothing = Request(
        target="", is_split=False, given=msgspec.Raw(b"{}"), folder=str(tmp_path), config_file=None
    )
    with Process(nothing) as process:
        pid = process._process.pid
        assert os.getsid(pid) == os.getsid(0)
        assert os.getpgid(pid) == pid
