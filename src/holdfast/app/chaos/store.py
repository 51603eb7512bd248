"""What keeps the journal of a chaos run: a file that all nodes share, or a PostgreSQL server.

Lives here: making it, and how a node reaches it through a link. Not here: the server (postgres).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from holdfast.app.chaos.proxy import LOOPBACK
from holdfast.errors import ConfigError
from holdfast.journal.database import Database, database_at

if TYPE_CHECKING:
    from holdfast.app.chaos.postgres import PostgresServer

STORES: Final = ("sqlite", "postgres")


class ChaosStore(msgspec.Struct, frozen=True):
    """A journal database, empty at the beginning.

    Attributes:
        database: reached directly, past every fault.
        url: the same as an address.
        upstream: where a link to it leads; empty for a file, which has none.
        server: ours to crash; None for a file, or for somebody else's server.
        parts: of the address, for a link.
    """

    database: Database
    url: str
    upstream: str = ""
    server: PostgresServer | None = None
    parts: dict[str, str] = {}

    def through(self, port: int) -> str:
        """The address by which a node reaches it over a link that begins at `port`."""
        if not self.upstream:
            return self.url
        parts = {**self.parts, "host": LOOPBACK, "port": str(port)}
        return f"postgresql:///{parts.pop('dbname')}?{urlencode(parts)}"


@contextmanager
def chaos_store(
    kind: str, folder: Path, environ: Mapping[str, str] = os.environ
) -> Iterator[ChaosStore]:
    """A store for as long as the context lasts, with its tables made.

    Args:
        kind: one of `STORES`. PostgreSQL is the server of `DATABASE_URL` where that is set, in a
            database of its own; else a server that is started here.

    Raises:
        ConfigError: there is no server, or no driver; or another kind.
    """
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'journal.db'}"
        database = database_at(url)
        database.upgrade()
        yield ChaosStore(database, url)
        return
    if kind != "postgres":
        raise ConfigError(
            f"seen: --store {kind}; expected: {' or '.join(STORES)}; do: choose one of them"
        )
    try:
        with _postgres(folder, environ.get("DATABASE_URL", "")) as store:
            yield store
    except ImportError as error:
        raise ConfigError(
            f"seen: no driver for PostgreSQL ({error}); expected: psycopg; "
            "do: pip install 'holdfast[postgres]'"
        ) from error


@contextmanager
def _postgres(folder: Path, given: str) -> Iterator[ChaosStore]:
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  # optional

    from holdfast.app.chaos.postgres import PostgresServer, make_database  # noqa: PLC0415

    server = None if given else PostgresServer()
    base = given or (server.url if server is not None else "")
    name = f"holdfast_chaos_{os.getpid()}"
    try:
        with make_database(base, name) as url:
            database = database_at(url, folder)
            database.upgrade()
            known: dict[str, Any] = conninfo_to_dict(url)
            parts = {key: str(value) for key, value in known.items()}
            yield ChaosStore(database, url, _upstream(parts), server, parts)
            database.close()
    finally:
        if server is not None:
            server.stop()


def _upstream(parts: Mapping[str, str]) -> str:
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else f"{host}:{port}"
