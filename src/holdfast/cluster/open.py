"""The lease store at an address; without one, the address that belongs to a journal's.

Not here: how addresses are written in the configuration (holdfast.config).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import LeaseStore
from holdfast.cluster.sqlite import SqliteLeases
from holdfast.cluster.timing import Timing
from holdfast.errors import ConfigError

MEMORY: Final = "memory"
_SQLITE: Final = "sqlite:///"


def lease_url_beside(database_url: str) -> str:
    """Where leases are kept unless told otherwise: a file beside a journal's, else its server."""
    if database_url.startswith(_SQLITE):
        return f"{database_url}.leases"
    return database_url


def lease_store_at(url: str, timing: Timing) -> LeaseStore:
    """The leases at `sqlite:///path`, or for one process alone in `memory`. Opens nothing yet.

    Raises:
        ConfigError: another kind of address. The text does not show it: it may carry a password.
    """
    if url == MEMORY:
        return MemoryLeases()
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return SqliteLeases(Path(url.removeprefix(_SQLITE)), timing)
    raise ConfigError(
        f"seen: leases at an address of kind {url.partition(':')[0]!r}; expected: sqlite:///path; "
        "do: correct `cluster.lease_url`"
    )
