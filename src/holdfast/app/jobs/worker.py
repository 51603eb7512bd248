"""`holdfast worker`: jobs by the runner that is configured, with what a worker does beside them.

Not here: one attempt, the runners (platform.jobs).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.app.jobs.inputs import KINDS, planned_of
from holdfast.app.jobs.installation import no_celery, results_of, rows_of
from holdfast.app.jobs.reporting import reports_kept
from holdfast.app.metrics_port import Pages, serving
from holdfast.config import Config
from holdfast.config.jobs import broker_url
from holdfast.platform.jobs.attempt import Place, Times
from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.local import Bench, LocalWorker, Upkeep
from holdfast.platform.jobs.metrics import tell_jobs
from holdfast.platform.jobs.planned import Plan
from holdfast.telemetry.exposition import Source, page
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.meter import Meter
from holdfast.telemetry.runtime import Runtime, tell_build

log = get_logger("app.jobs")


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
        with _told(config, upkeep, bench), reports_kept(config):
            LocalWorker(bench, upkeep, slots).run(stop)
    finally:
        rows.close()


def _run_celery(config: Config, bench: Bench, broker: str, slots: int) -> None:
    try:
        from holdfast.platform.jobs import celery_runner  # noqa: PLC0415  # optional, and slow
    except ImportError as error:
        raise no_celery(error) from error
    sender = celery_runner.Sender(broker, config.deployment)
    plan = Plan(Board(bench.rows, KINDS, send=sender.send), planned_of(config))
    upkeep = Upkeep(bench, plan, celery_runner.Dispatcher(bench, sender).look)
    with _told(config, upkeep, bench, sender.waiting), reports_kept(config):
        celery_runner.CeleryWorker(bench, upkeep, slots, sender.app).run()


@contextmanager
def _told(
    config: Config, upkeep: Upkeep, bench: Bench, waiting: Callable[[], int | None] | None = None
) -> Iterator[None]:
    """Serve the worker's numbers meanwhile; `waiting` as in `tell_jobs`."""
    meter = Meter()
    tell_jobs(meter, bench.rows, waiting)
    tell_build(meter)
    Runtime(meter, "worker")
    pages = Pages(
        lambda accept: page([Source(meter.collected())], accept), lambda: upkeep.is_well
    )
    with serving(config.api.metrics_port, pages, config.api.host) as port:
        log.info("worker", action="worker_start", worker=bench.name, metrics_port=port)
        yield
