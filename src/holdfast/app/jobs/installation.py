"""What of an installation's configuration concerns its jobs: database, rows, results, board.

Not here: doing jobs (worker), what they do (the other modules of this room).
"""

from __future__ import annotations

from pathlib import Path

from holdfast.app.jobs.inputs import KINDS
from holdfast.config import Config
from holdfast.config.jobs import broker_url
from holdfast.errors import ConfigError
from holdfast.journal.database import SQLITE, Database, SqliteDatabase, database_at
from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.rows import JobRows
from holdfast.platform.jobs.sqlite import SqliteJobs, jobs_beside


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
        return SqliteJobs(jobs_beside(Path(url.removeprefix(SQLITE))))
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
        raise no_celery(error) from error
    return Board(rows, KINDS, send=Sender(broker, config.deployment).send)


def no_celery(error: ImportError) -> ConfigError:
    """What it means that Celery cannot be imported."""
    return ConfigError(
        f"seen: `jobs.broker_url`, and no driver for it ({error}); expected: Celery; do: pip "
        "install 'holdfast[workers]', or leave the broker out"
    )
