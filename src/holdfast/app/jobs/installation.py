"""What of an installation's configuration concerns its jobs: database, rows, board, workers.

Not here: what jobs do (the other modules of this room).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)

from holdfast.app.jobs.inputs import KINDS, planned_of
from holdfast.app.jobs.metrics_port import serving
from holdfast.config import Config
from holdfast.config.jobs import broker_url
from holdfast.errors import ConfigError
from holdfast.journal.database import SQLITE, Database, SqliteDatabase, database_at
from holdfast.platform.jobs.attempt import Place, Times
from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.local import Bench, LocalWorker, Upkeep
from holdfast.platform.jobs.metrics import JobMetrics
from holdfast.platform.jobs.planned import Plan
from holdfast.platform.jobs.rows import JobRows
from holdfast.platform.jobs.sqlite import SqliteJobs
from holdfast.telemetry.log import get_logger

log = get_logger("app.jobs")


def database_of(config: Config) -> Database:
    """The journal's database, for who looks once and ends."""
    return database_at(
        config.database_url, Path(config.state_dir), may_lose=config.may_lose_commits
    )


def has_journal(database: Database) -> bool:
    """Whether anything was ever journaled there: workers may be started before the first node."""
    if isinstance(database, SqliteDatabase) and not database.name.exists():
        return False
    return database.version() is not None


def rows_of(config: Config) -> JobRows:
    """Where jobs are: in a file beside a journal's file, or on its server. Opens nothing yet."""
    url = config.database_url
    if url.startswith(SQLITE):
        return SqliteJobs(Path(f"{url.removeprefix(SQLITE)}.jobs"))
    from holdfast.platform.jobs.postgres import PostgresJobs  # noqa: PLC0415  # optional

    return PostgresJobs(url)


def results_of(config: Config) -> Path:
    """The folder of results."""
    return Path(config.jobs.results_dir or f"{config.state_dir}/jobs")


def board_of(config: Config, rows: JobRows) -> Board:
    """Where jobs of this installation are asked for; with a broker, it is told of each.

    Raises:
        ConfigError: the address of the broker, or its driver, is not there.
    """
    broker = broker_url(config.jobs)
    if not broker:
        return Board(rows, KINDS)
    try:
        from holdfast.platform.jobs.celery_runner import Sender  # noqa: PLC0415  # optional, slow
    except ImportError as error:
        raise _no_celery(error) from error
    return Board(rows, KINDS, send=Sender(broker, config.deployment).send)


def run_worker(config: Config, config_file: Path | None, stop: threading.Event) -> None:
    """Do jobs until `stop`, or with a broker until SIGTERM or SIGINT.

    Raises:
        ConfigError: it cannot work as it is told to.
        UnreachableError: no port for metrics can be had.
    """
    settings = config.jobs
    slots = settings.slots or max(1, (os.cpu_count() or 1) - 1)
    rows = rows_of(config)
    place = Place(results_of(config), config_file)
    bench = Bench(rows, KINDS, place, Times(beat_s=settings.beat_s, gone_s=settings.gone_s))
    broker = broker_url(settings)
    try:
        if broker:
            _run_celery(config, bench, broker, slots)
            return
        upkeep = Upkeep(bench, Plan(Board(rows, KINDS), planned_of(config)))
        with _told(JobMetrics(rows), upkeep, bench):
            LocalWorker(bench, upkeep, slots).run(stop)
    finally:
        rows.close()


def _run_celery(config: Config, bench: Bench, broker: str, slots: int) -> None:
    try:
        from holdfast.platform.jobs import celery_runner  # noqa: PLC0415  # optional, and slow
    except ImportError as error:
        raise _no_celery(error) from error
    sender = celery_runner.Sender(broker, config.deployment)
    plan = Plan(Board(bench.rows, KINDS, send=sender.send), planned_of(config))
    upkeep = Upkeep(bench, plan, celery_runner.Dispatcher(bench, sender).look)
    app = celery_runner.celery_app(broker, config.deployment)
    with _told(JobMetrics(bench.rows, sender.waiting), upkeep, bench):
        celery_runner.CeleryWorker(bench, upkeep, slots, app).run()


@contextmanager
def _told(metrics: JobMetrics, upkeep: Upkeep, bench: Bench) -> Iterator[None]:
    """Serve the worker's numbers meanwhile."""
    registry = CollectorRegistry()
    registry.register(metrics)
    for collector in (ProcessCollector, GCCollector, PlatformCollector):
        collector(registry=registry)
    wanted = os.environ.get("METRICS_PORT", "9090")
    if not wanted.isdecimal():
        raise ConfigError(f"seen: METRICS_PORT={wanted!r}; expected: a number of a port")
    with serving(int(wanted), registry, lambda: upkeep.is_well) as port:
        log.info("worker", action="worker_start", worker=bench.name, metrics_port=port)
        yield


def _no_celery(error: ImportError) -> ConfigError:
    return ConfigError(
        f"seen: `jobs.broker_url`, and no driver for it ({error}); expected: Celery; do: pip "
        "install 'holdfast[workers]', or leave the broker out"
    )
