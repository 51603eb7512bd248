"""What the command line does with a journal file: upgrade it, name its version, verify it.

Not here: opening one to trade on (the node).
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from holdfast.journal.sqlite_connect import SQLITE_ERRORS, connect, raise_translated
from holdfast.journal.upgrade import upgrade
from holdfast.journal.verify import Progress, Report, StreamReport, verify
from holdfast.journal.version import SCHEMA_VERSION, require_known, stored_version

__all__ = [
    "SCHEMA_VERSION",
    "Progress",
    "Report",
    "StreamReport",
    "current",
    "upgrade_file",
    "verify",
]


def current(path: Path) -> str | None:
    """The schema version of a journal file, None when it has no tables.

    Raises:
        ConfigError: there is no such file.
        CorruptionError: it is no database.
    """
    with closing(connect(path, read_only=True)) as connection:
        try:
            return stored_version(connection)
        except SQLITE_ERRORS as error:
            raise_translated(path, error)


def upgrade_file(path: Path) -> tuple[str | None, str]:
    """Bring a file to the schema of this program; a missing one is created. Safe to repeat.

    Returns:
        The version before and the version after.

    Raises:
        ConfigError: it is newer than this program, or another kind of database.
        RetryableError: it is in use.
    """
    before = current(path) if path.exists() else None
    require_known(path, before)
    upgrade(path)
    return before, SCHEMA_VERSION
