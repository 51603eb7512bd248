"""Identity over the database of a journal: for who serves it, and for who is at the machine.

Not here: what it does (platform.identity).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from holdfast.config.identity import IdentitySettings, identity_settings
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.service import IdentityService

__all__ = ["Console", "IdentityService", "at_machine", "serving"]


@contextmanager
def serving(
    database: Database, settings: IdentitySettings | None = None
) -> Iterator[IdentityService]:
    """Identity for one event loop, until the block ends.

    Args:
        settings: None takes the environment's.

    Raises:
        ConfigError: wrong settings, or a database of another schema.
        RetryableError: it does not answer.
    """
    with closing(database.platform()) as store:
        yield IdentityService(store, settings or identity_settings())


@contextmanager
def at_machine(database: Database, by: str) -> Iterator[Console]:
    """Users and tokens, for who has the database anyway; it is made where there is none.

    Raises: as `serving`.
    """
    is_new = isinstance(database, SqliteDatabase) and not database.name.exists()
    if is_new or database.version() is None:
        if isinstance(database, SqliteDatabase):
            database.name.parent.mkdir(parents=True, exist_ok=True)
        database.upgrade()
    with closing(database.platform()) as store:
        yield Console(store, by)
