"""The tables of reports, kept up to date beside a worker's jobs: one worker does, the others wait.

Not here: how they are filled (app.reports).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from holdfast.app.jobs.installation import database_of, has_journal
from holdfast.app.reports.projector import accounts_in, follow
from holdfast.config import Config
from holdfast.errors import PlatformError
from holdfast.telemetry.log import get_logger

log = get_logger("app.reports")

AGAIN_S: Final = 5.0


@contextmanager
def reports_kept(config: Config) -> Iterator[None]:
    """Keep them up to date meanwhile, in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep, args=(config, stop), name="reports")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _keep(config: Config, stop: threading.Event) -> None:
    """Until `stop`; what is wrong is told, and looked at again: a worker has other things to do."""
    told = ""
    while not stop.is_set():
        try:
            _follow(config, stop)
        except PlatformError as error:
            if str(error) != told:
                told = str(error)
                log.warning("reports are not filled", action="reports_end", why=told)
        stop.wait(AGAIN_S)


def _follow(config: Config, stop: threading.Event) -> None:
    database = database_of(config)
    if not has_journal(database):
        return
    reports = database.reports(config.reports)
    try:
        follow(database, reports, lambda: accounts_in(database), stop)
    finally:
        reports.close()
        database.close()
