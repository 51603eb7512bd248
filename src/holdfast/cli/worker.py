"""`holdfast worker`: do background jobs.

Not here: what jobs are (platform.jobs), what they do (app.jobs).
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit


def worker(
    *,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file (holdfast.toml).", show_default=False)
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout when it ends.")
    ] = False,
) -> None:
    """Do background jobs (backtests, sweeps, reports) until SIGTERM or Ctrl-C. Any number may run.

    Jobs are found in the database of the journal; with `jobs.broker_url`, Celery tells of them.
    Example: holdfast worker --config holdfast.toml
    """
    from holdfast.app.jobs.worker import run_worker  # noqa: PLC0415  # heavy
    from holdfast.app.logs import begin_exports, begin_logs, end_exports  # noqa: PLC0415
    from holdfast.config import load  # noqa: PLC0415

    loaded = load(config)
    begin_logs(loaded, "worker")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    begin_exports("worker")
    try:
        run_worker(loaded, config, stop)
    finally:
        end_exports()
    if json:
        emit({"stopped": True})
