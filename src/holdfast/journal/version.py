"""Versions of a journal database, told by its driver alone.

A release is rolled out node by node, so two neighbouring versions use one database at once: the
newer one adds tables, and writes records that the older one can read, until `holdfast db finalize`.
Opening a current journal must not cost an import of the migration tools. Not here: migrating
(journal.upgrade).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.errors import ConfigError
from holdfast.journal.port import Head
from holdfast.journal.record import FORMAT

SCHEMA_VERSION: Final = "0002"
"""What this program reads and writes."""

USABLE: Final = "0001"
"""The oldest that this program trades on: the one before its own, which has fewer tables."""

PLATFORM_SINCE: Final = "0002"
"""The first that has the platform's tables."""

FIRST: Final = "0001"
"""The schema that has no predecessor."""

_UNKNOWN: Final = "unknown"


class Stored(NamedTuple):
    """What a database says of itself.

    Attributes:
        schema: the last migration that was run.
        oldest: the schema of the oldest programs that may use it.
        writes: the format of the records that may be written into it.
    """

    schema: str
    oldest: str
    writes: int


def stored_in(tables: Collection[str], query: Callable[[str], Any]) -> Stored | None:
    """The version of a database; None when it has no tables yet.

    Args:
        query: runs a statement and returns something with `fetchone`.
    """
    if not tables:
        return None
    if not {"alembic_version", "compatibility"} <= set(tables):
        return Stored(_UNKNOWN, _UNKNOWN, 0)
    found = query(
        "SELECT version_num, oldest, writes FROM alembic_version CROSS JOIN compatibility"
    ).fetchone()
    return Stored(str(found[0]), str(found[1]), int(found[2])) if found else None


def require_known(name: Path | str, stored: Stored | None) -> None:
    """Refuse a database that is not ours, or so far ahead that this program would not read it.

    Raises:
        ConfigError: it is newer, or no journal.
    """
    if stored is None:
        return
    if stored.schema == _UNKNOWN:
        raise ConfigError(
            f"seen: {name} is a database with other tables; expected: a journal; do: name another"
        )
    if stored.schema > SCHEMA_VERSION and stored.oldest > SCHEMA_VERSION:
        raise ConfigError(
            f"seen: {name} has schema {stored.schema}, for programs of {stored.oldest} and later; "
            f"expected: at most {SCHEMA_VERSION}; do: start the newer version of holdfast that "
            "wrote it"
        )


def require_usable(name: Path | str, stored: Stored | None, oldest: str = USABLE) -> Stored:
    """Refuse a database that this program cannot trade on as it is; what it says of itself.

    Args:
        name: a SQLite file, or the address of another database, without its password.

    Raises:
        ConfigError: it is too old, too new, or no journal.
    """
    require_known(name, stored)
    url = f"sqlite:///{name}" if isinstance(name, Path) else name
    if stored is None or stored.schema < oldest:
        raise ConfigError(
            f"seen: {name} has schema {stored.schema if stored else 'none'}; expected: "
            f"{SCHEMA_VERSION}; do: run holdfast db upgrade --database {url}"
        )
    return stored


def require_current(name: Path | str, stored: Stored | None) -> Stored:
    """Refuse a database that lacks a table of this program. Raises: as `require_usable`."""
    return require_usable(name, stored, SCHEMA_VERSION)


def writing(head: Head, stored: Stored) -> Head:
    """The head as its new writer has it: with the format of what may be written there."""
    return msgspec.structs.replace(head, format=min(stored.writes, FORMAT))
