"""The runner that needs nothing but the database: it looks for jobs, and does so many at once.

Not here: one attempt (attempt), the runner that is sent messages (celery_runner).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final
from uuid import uuid4

from holdfast.errors import RetryableError
from holdfast.platform.jobs.attempt import Attempt, Outcome, Place, Times
from holdfast.platform.jobs.kinds import Kinds
from holdfast.platform.jobs.planned import Plan
from holdfast.platform.jobs.rows import Claimed, JobRows
from holdfast.platform.jobs.watch import Watch
from holdfast.telemetry.log import get_logger

log = get_logger("platform.jobs")

LOOK_S: Final = 0.5
_TEND_S: Final = 1.0


class Bench:
    """What any worker does, whoever tells it which job is next."""

    def __init__(self, rows: JobRows, kinds: Kinds, place: Place, times: Times) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.rows = rows
        self.times = times
        self._kinds = kinds
        self._place = place

    def claim(self, job_id: str = "") -> Claimed | None:
        """The next job that is ready, or the one named."""
        return self.rows.claim(self.name, time.time_ns(), job_id)

    def do(self, claimed: Claimed, stop: threading.Event) -> Outcome:
        """One attempt, to its end."""
        job = claimed.job
        attempt = Attempt(
            claimed, stop, rows=self.rows, kinds=self._kinds, place=self._place, times=self.times
        )
        try:
            outcome = attempt.run()
        except RetryableError as error:  # before it began; the others will take it back
            log.warning("job given up", action="job_lost", job=job.id, why=str(error))
            return Outcome.LOST
        log.info("job attempt", action="job_attempt", job=job.id, kind=job.kind,
                 attempt=job.attempt, outcome=outcome.value)  # fmt: skip
        return outcome


class Upkeep:
    """What each worker looks after beside its own jobs: what others left, and what is planned.

    Attributes:
        is_well: whether the database answered last.
    """

    def __init__(self, bench: Bench, plan: Plan, also: Callable[[], None] = lambda: None) -> None:
        self._watch = Watch(bench.rows, bench.times.gone_s)
        self._plan = plan
        self._also = also
        self.is_well = True

    def tend(self) -> None:
        """Do it once, if the database answers now."""
        try:
            self._watch.look()
            self._plan.ask()
            self._also()
        except RetryableError as error:
            if self.is_well:
                log.warning("jobs wait", action="jobs_wait", why=str(error))
            self.is_well = False
            return
        if not self.is_well:
            log.info("jobs go on", action="jobs_go_on")
        self.is_well = True


class LocalWorker:
    """Does jobs in processes of this machine.

    Args:
        slots: at once.
    """

    def __init__(self, bench: Bench, upkeep: Upkeep, slots: int) -> None:
        self._bench = bench
        self._upkeep = upkeep
        self._slots = slots

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; what is under way then is handed back.

        Raises:
            ConfigError, CorruptionError: of the database.
        """
        free = threading.Event()
        under_way: set[Future[Outcome]] = set()
        tended_s = -_TEND_S
        with ThreadPoolExecutor(self._slots, "job") as pool:
            try:
                while not stop.is_set():
                    free.clear()
                    if time.monotonic() - tended_s >= _TEND_S:
                        self._upkeep.tend()
                        tended_s = time.monotonic()
                    for ended in [one for one in under_way if one.done()]:
                        under_way.discard(ended)
                        ended.result()  # a mistake of ours ends the worker
                    while len(under_way) < self._slots and (claimed := self._claimed()):
                        attempt = pool.submit(self._bench.do, claimed, stop)
                        attempt.add_done_callback(lambda _: free.set())
                        under_way.add(attempt)
                    free.wait(LOOK_S)
            finally:
                stop.set()

    def _claimed(self) -> Claimed | None:
        try:
            return self._bench.claim()
        except RetryableError:
            return None  # the upkeep tells it
