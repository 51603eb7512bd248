"""What keeps an installation tidy: partitions made ahead, old ones retired, old jobs forgotten.

Not here: filling reports (reporting), when all this is done (inputs.planned_of).
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import msgspec

from holdfast.app.jobs.inputs import SlotJob
from holdfast.app.jobs.installation import database_of, has_journal, results_of, rows_of
from holdfast.config import Config, load
from holdfast.domain.market import NS_PER_S
from holdfast.journal.reports import Condition
from holdfast.platform.jobs.board import SYSTEM
from holdfast.platform.jobs.kinds import Work

_DAY_NS = 86_400 * NS_PER_S
_OWN_DAYS = 2
"""Jobs of the platform itself, which nobody asked for."""


class KeptUp(msgspec.Struct, frozen=True):
    """What the tables of reports are kept in now, and how many old jobs were forgotten."""

    months: tuple[str, ...]
    in_default: int
    forgotten: int


def keep_up(given: SlotJob, work: Work) -> KeptUp:
    """Make partitions of the months to come, retire old ones, forget jobs that ended long ago."""
    del given
    config = load(work.config_file)
    condition = _reports_kept(config)
    rows, now_ns = rows_of(config), time.time_ns()
    try:
        gone = rows.forget(now_ns - config.jobs.keep_days * _DAY_NS)
        gone += rows.forget(now_ns - _OWN_DAYS * _DAY_NS, SYSTEM)
    finally:
        rows.close()
    for job_id in gone:
        _remove(results_of(config) / job_id)
    return KeptUp(condition.months, condition.in_default, len(gone))


def _reports_kept(config: Config) -> Condition:
    database = database_of(config)
    if not has_journal(database):
        return Condition()
    reports = database.reports(config.reports)
    try:
        reports.make(time.time_ns())
        return reports.condition()
    finally:
        reports.close()
        database.close()


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
