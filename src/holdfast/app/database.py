"""What the command line does with a journal database: upgrade, move and verify it.

Not here: opening one to trade on (the node).
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from holdfast.errors import ConfigError
from holdfast.journal.database import Database, SqliteDatabase, database_at
from holdfast.journal.verify import Progress, Report, StreamReport, verify
from holdfast.journal.version import SCHEMA_VERSION, Stored, require_current, require_known
from holdfast.platform.jobs.sqlite import SqliteJobs, jobs_beside

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.journal.postgres_move import Moved
    from holdfast.journal.postgres_move import Progress as Moving

__all__ = [
    "SCHEMA_VERSION",
    "Database",
    "Progress",
    "Report",
    "SqliteDatabase",
    "Stored",
    "StreamReport",
    "database_at",
    "move",
    "upgrade",
    "verify",
]


def move(source: Database, target: Database, progress: Moving) -> Moved:
    """Move a journal from a file to PostgreSQL, proved, and its jobs; see `journal.postgres_move`.

    Raises:
        ConfigError: the one is no file, or the other no PostgreSQL; or as `postgres_move.move`.
    """
    from holdfast.journal import postgres_move  # noqa: PLC0415  # its driver is optional
    from holdfast.journal.postgres_database import PostgresDatabase  # noqa: PLC0415

    if not (isinstance(source, SqliteDatabase) and isinstance(target, PostgresDatabase)):
        raise ConfigError(
            f"seen: a move from {source.name} to {target.name}; expected: from sqlite:///path to "
            "postgresql://user@host/name; do: name them so"
        )
    return postgres_move.move(
        source, target, progress, along=partial(_move_jobs, source.name, target.url, progress)
    )


def _move_jobs(journal: Path, target: str, progress: Moving) -> None:
    from holdfast.journal.postgres_move import put_aside  # noqa: PLC0415  # as above
    from holdfast.platform.jobs.postgres import PostgresJobs  # noqa: PLC0415

    file = jobs_beside(journal)
    if not file.exists():
        return
    with closing(SqliteJobs(file)) as here, closing(PostgresJobs(target)) as there:
        progress("job", there.copy_from(here))
    put_aside(file)


def upgrade(database: Database) -> tuple[Stored | None, Stored]:
    """Bring it to the schema of this program; a missing file is created. Safe to repeat.

    Returns:
        What it said of itself before and after.

    Raises:
        ConfigError: it is newer than this program, or another kind of database.
        RetryableError: it is in use.
    """
    is_new = isinstance(database, SqliteDatabase) and not database.name.exists()
    before = None if is_new else database.version()
    require_known(database.name, before)
    database.upgrade()
    return before, require_current(database.name, database.version())
