"""Workers as processes, to be struck, and jobs to give them.

Not here: what the jobs do (job_functions), what is asked of workers (the tests).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.port import Job, JobState
from holdfast.platform.jobs.rows import JobRows
from tests.support.job_functions import KINDS
from tests.support.job_worker import Order, rows_at
from tests.support.waiting import PATIENCE_S

REPOSITORY = Path(__file__).parents[2]
USER = "ada"


class Site:
    """Jobs at one place, and the workers that do them.

    Args:
        order: as all workers get it, unless told otherwise.
        send: tells workers of a new job, where they wait to be told.
    """

    def __init__(
        self, order: Order, send: Callable[[Any], None] = lambda _: None
    ) -> None:
        self.order = order
        self.folder = Path(order.folder)
        self.rows: JobRows = rows_at(order.database)
        self.board = Board(self.rows, KINDS, send=send)
        self._workers: list[subprocess.Popen[bytes]] = []

    def worker(self, **other: Any) -> subprocess.Popen[bytes]:
        """Begin one."""
        order = msgspec.structs.replace(self.order, **other)
        words = [sys.executable, "-m", "tests.support.job_worker",
                 msgspec.json.encode(order).decode()]  # fmt: skip
        with (self.folder / "workers.log").open("ab") as log:
            worker = subprocess.Popen(words, cwd=REPOSITORY, stderr=log)
        self._workers.append(worker)
        return worker

    def freeze(self, pid: int) -> None:
        """Stop a process between two writes.

        Who freezes within one keeps everybody out of a file of SQLite until it wakes; the session
        at a server would be ended.
        """
        os.kill(pid, signal.SIGSTOP)
        while not self._is_writable():
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)
            os.kill(pid, signal.SIGSTOP)

    def _is_writable(self) -> bool:
        if self.order.database.startswith("postgresql:"):
            return True
        file_name = self.order.database
        with closing(sqlite3.connect(file_name, timeout=0.5, isolation_level=None)) as file:
            try:
                file.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            file.execute("ROLLBACK")
            return True

    def submit(self, kind: str, given: msgspec.Struct, job_id: str = "j1") -> Job:
        """Ask for a job."""
        return self.board.submit(kind, msgspec.json.encode(given), job_id=job_id, owner=USER)

    def marks(self, name: str = "marks") -> list[int]:
        """The processes that have begun an attempt."""
        file = self.folder / name
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Return when it holds; AssertionError with the workers' log when it never does."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline_s, f"not {what}\n{self.log()}"
            time.sleep(0.02)

    def ended(self, job_id: str = "j1") -> Job:
        """The job, once it has ended."""
        self.until(lambda: self.job(job_id).ended_at_ns is not None, f"ended: {job_id}")
        return self.job(job_id)

    def job(self, job_id: str = "j1") -> Job:
        """The job as it is now."""
        found = self.board.get(job_id)
        assert found is not None
        return found

    def begun(self, count: int = 1) -> None:
        """Return when so many attempts have begun."""
        self.until(lambda: len(self.marks()) >= count, f"{count} attempts begun")

    def in_state(self, state: JobState, job_id: str = "j1") -> None:
        """Return when the job is in that state."""
        self.until(lambda: self.job(job_id).state is state, f"{state}: {job_id}")

    def log(self) -> str:
        """What the workers said."""
        file = self.folder / "workers.log"
        return file.read_text() if file.exists() else ""

    def close(self) -> None:
        """End everything that this has begun."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait(PATIENCE_S)
        self.rows.close()


@contextmanager
def site(order: Order, send: Callable[[Any], None] = lambda _: None) -> Iterator[Site]:
    """A place for one test; its workers end with it."""
    made = Site(order, send)
    try:
        yield made
    finally:
        made.close()


def is_alive(pid: int) -> bool:
    """Whether a process does anything still."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def end(worker: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """Send it a signal and wait for its end; its exit code."""
    os.kill(worker.pid, number)
    return worker.wait(PATIENCE_S)
