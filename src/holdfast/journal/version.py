"""The schema version of a journal database, told by sqlite3 alone.

Opening a current journal must not cost an import of the migration tools. Not here: migrating
(journal.upgrade).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from holdfast.errors import ConfigError

SCHEMA_VERSION = "0002"
"""What this program reads and writes."""


def stored_version(connection: sqlite3.Connection) -> str | None:
    """The version of the open database, None when it has no tables yet."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        return "unknown"
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def require_known(name: Path | str, version: str | None) -> None:
    """Refuse a database that is not ours, or ahead of this program.

    Raises:
        ConfigError: it is newer, or no journal.
    """
    if version == "unknown":
        raise ConfigError(
            f"seen: {name} is a database with other tables; expected: a journal; do: name another"
        )
    if version is not None and version > SCHEMA_VERSION:
        raise ConfigError(
            f"seen: {name} has schema {version}; expected: at most {SCHEMA_VERSION}; do: start "
            "the newer version of holdfast that wrote it"
        )


def require_current(name: Path | str, version: str | None) -> None:
    """Refuse a database that this program cannot use as it is.

    Args:
        name: a SQLite file, or the address of another database, without its password.

    Raises:
        ConfigError: it is older, newer, or no journal.
    """
    require_known(name, version)
    url = f"sqlite:///{name}" if isinstance(name, Path) else name
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"seen: {name} has schema {version or 'none'}; expected: {SCHEMA_VERSION}; do: run "
            f"holdfast db upgrade --database {url}"
        )
