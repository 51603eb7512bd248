"""The lease store at an address; without one, the address that belongs to a journal's.

Not here: how addresses are written in the configuration (holdfast.config).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import LeaseStore
from holdfast.cluster.sqlite import SqliteLeases
from holdfast.cluster.sqlite_file import of_this_boot
from holdfast.cluster.timing import Timing
from holdfast.config.redis import is_redis
from holdfast.errors import ConfigError

MEMORY: Final = "memory"
_SQLITE: Final = "sqlite:///"


def lease_url_beside(database_url: str) -> str:
    """Where leases are kept unless told otherwise: a file beside a journal's, else its server."""
    if database_url.startswith(_SQLITE):
        return f"{database_url}.leases"
    return database_url


def lease_file_at(url: str) -> Path | None:
    """The file that leases at an address are in, made by the first node; None of a server."""
    return of_this_boot(Path(url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) else None


def lease_store_at(url: str, timing: Timing, deployment: str = "holdfast") -> LeaseStore:
    """The leases at an address. Opens nothing yet.

    Args:
        url: `sqlite:///path`, `postgresql://user@host/name`, one of Redis (config.redis), or for
            one process alone `memory`.
        deployment: names what is ours in a Redis server that is shared.

    Raises:
        ConfigError: another kind of address, or its driver is not installed. The text does not
            show the address, which may carry a password.
    """
    if url == MEMORY:
        return MemoryLeases()
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return SqliteLeases(Path(url.removeprefix(_SQLITE)), timing)
    kind = url.partition("://")[0] if "://" in url else "unknown"
    if kind in {"postgresql", "postgres"}:
        try:
            from holdfast.cluster.postgres import PostgresLeases  # noqa: PLC0415  # optional
        except ImportError as error:
            raise _no_driver("PostgreSQL", "postgres", error) from error
        return PostgresLeases(url, timing)
    if is_redis(url):
        try:
            from holdfast.cluster.redis import RedisLeases  # noqa: PLC0415  # optional
        except ImportError as error:
            raise _no_driver("Redis", "redis", error) from error
        return RedisLeases(url, timing, deployment)
    raise ConfigError(
        f"seen: leases at an address of kind {kind!r}; expected: sqlite:///path, "
        "postgresql://user@host/name or redis://host:6379/0; do: correct `cluster.lease_url`"
    )


def _no_driver(server: str, extra: str, error: ImportError) -> ConfigError:
    return ConfigError(
        f"seen: leases in {server}, and no driver for it ({error}); expected: one; do: pip install "
        f"'holdfast[{extra}]'"
    )
