"""A worker as a process of its own, with the jobs of `job_functions`, to be killed by tests.

Run as `python -m tests.support.job_worker` with its order in JSON. Not here: the tests.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import msgspec

from holdfast.platform.jobs.attempt import Place, Times
from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.local import Bench, LocalWorker, Upkeep
from holdfast.platform.jobs.planned import Plan
from holdfast.platform.jobs.postgres import PostgresJobs
from holdfast.platform.jobs.rows import JobRows
from holdfast.platform.jobs.sqlite import SqliteJobs
from holdfast.telemetry.log import configure
from tests.support.job_functions import KINDS

DEPLOYMENT = "tests"


class Order(msgspec.Struct, frozen=True):
    """What a worker is told.

    Attributes:
        database: a path, or the address of a PostgreSQL database.
        broker: the address of Redis, for Celery; empty for the runner that needs none.
    """

    database: str
    folder: str
    broker: str = ""
    deployment: str = DEPLOYMENT
    slots: int = 2
    beat_s: float = 0.3
    gone_s: float = 60.0


def rows_at(database: str) -> JobRows:
    """The rows there."""
    if database.startswith("postgresql:"):
        return PostgresJobs(database)
    return SqliteJobs(Path(database))


def main() -> None:
    """Work until SIGTERM."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    configure("info")
    rows = rows_at(order.database)
    times = Times(beat_s=order.beat_s, gone_s=order.gone_s)
    bench = Bench(rows, KINDS, Place(Path(order.folder)), times)
    if order.broker:
        from holdfast.platform.jobs import celery_runner  # noqa: PLC0415  # slow

        sender = celery_runner.Sender(order.broker, order.deployment)
        upkeep = Upkeep(
            bench, Plan(Board(rows, KINDS), []), celery_runner.Dispatcher(bench, sender).look
        )
        celery_runner.CeleryWorker(bench, upkeep, order.slots, sender.app).run()
        return
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    LocalWorker(bench, Upkeep(bench, Plan(Board(rows, KINDS), [])), order.slots).run(stop)


if __name__ == "__main__":
    main()
