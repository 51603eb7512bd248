"""What the command line does with a journal database: upgrade it, name its version, verify it.

Not here: opening one to trade on (the node).
"""

from __future__ import annotations

from holdfast.journal.database import Database, SqliteDatabase, database_at
from holdfast.journal.verify import Progress, Report, StreamReport, verify
from holdfast.journal.version import SCHEMA_VERSION, require_known

__all__ = [
    "SCHEMA_VERSION",
    "Database",
    "Progress",
    "Report",
    "SqliteDatabase",
    "StreamReport",
    "database_at",
    "upgrade",
    "verify",
]


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring it to the schema of this program; a missing file is created. Safe to repeat.

    Returns:
        The version before and the version after.

    Raises:
        ConfigError: it is newer than this program, or another kind of database.
        RetryableError: it is in use.
    """
    is_new = isinstance(database, SqliteDatabase) and not database.name.exists()
    before = None if is_new else database.version()
    require_known(database.name, before)
    database.upgrade()
    return before, SCHEMA_VERSION
