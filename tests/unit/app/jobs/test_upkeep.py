"""What is done without asking: months made ahead, old jobs forgotten with their files.

Not here: how partitions are made (tests/unit/journal/test_report_partitions).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.app.jobs.inputs import SlotJob
from holdfast.app.jobs.upkeep import keep_up
from holdfast.journal.database import database_at
from holdfast.platform.jobs.board import SYSTEM
from holdfast.platform.jobs.port import JobState
from holdfast.platform.jobs.postgres import PostgresJobs
from holdfast.platform.jobs.rows import JobRows, NewJob
from holdfast.platform.jobs.sqlite import SqliteJobs
from tests.support.job_work import Here
from tests.support.postgres import database

SLOT = SlotJob(slot="2026-11-21T00:00:00Z")


@contextmanager
def place(kind: str, folder: Path) -> Iterator[tuple[str, JobRows]]:
    """The address of a journal, and the rows beside it."""
    if kind == "postgres":
        with database() as url:
            rows = PostgresJobs(url)
            yield url, rows
            rows.close()
        return
    file = SqliteJobs(folder / "journal.db.jobs")
    yield f"sqlite:///{folder}/journal.db", file
    file.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_old_jobs_go_with_their_files_and_months_are_made_ahead(kind: str, tmp_path: Path) -> None:
    with place(kind, tmp_path) as (url, rows):
        work = Here(tmp_path)
        results = tmp_path / "state" / "jobs"
        work.config_file.write_text(
            f'database_url = "{url}"\nstate_dir = "{tmp_path}/state"\n[jobs]\nkeep_days = 1\n'
        )
        for name, ended_ns in (("old", 5), ("new", 2**62), ("open", 0)):
            rows.add([NewJob(id=name, kind="k", owner=SYSTEM, input="{}", attempts_allowed=1)], 1)
            (results / name / "1").mkdir(parents=True)
            if ended_ns:
                claimed = rows.claim("w", 9, name)
                assert claimed is not None
                rows.end(name, claimed.job.attempt, JobState.DONE, ended_ns)
        assert keep_up(SLOT, work).forgotten == 1  # before any node has begun a journal
        assert sorted(path.name for path in results.iterdir()) == ["new", "open"]
        database_at(url).upgrade()
        kept = keep_up(SLOT, work)
        assert (len(kept.months), kept.in_default) == (3 if kind == "postgres" else 0, 0)
