"""The journal's database, looked over: that it answers, keeps what it promised, and has room.

Not here: what accounts have written (account), who leads them (cluster).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from holdfast import __version__
from holdfast.app.live.opening import database_of
from holdfast.config import Config
from holdfast.errors import ConfigError, PlatformError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.record import FORMAT
from holdfast.journal.version import SCHEMA_VERSION, Stored, require_known, require_usable
from holdfast.operations.doctor.finding import Finding, failed, ok, skip, warn

CLOCK_OFF_MS: Final = 500.0
SLOW_MS: Final = 50.0
"""An order waits for one commit; and the leases' calls have `call_s`."""

_REACH: Final = "make the database reachable"


def store(config: Config) -> Iterator[Finding]:
    """Its server, its schema, and which programs may use it; blocks for some seconds at most."""
    try:
        database = database_of(config)
    except PlatformError as error:
        yield failed("store", error, "correct `database_url`")
        return
    try:
        if isinstance(database, SqliteDatabase):
            if not database.name.exists():
                yield skip("store", f"{database.name} is not there yet; the first start makes it")
                return
            yield ok("store", f"{database.name}, a file for the nodes of this host")
        else:
            yield from _server(config)
        yield from _schema(database)
    except PlatformError as error:
        yield failed("store", error, _REACH)
    finally:
        database.close()


def _server(config: Config) -> Iterator[Finding]:
    from holdfast.journal.postgres_server import server_state  # noqa: PLC0415  # optional driver

    found = server_state(config.database_url)
    line = "encrypted" if found.is_encrypted else "not encrypted"
    seen = f"{found.name}, PostgreSQL {found.version}, {found.latency_ms:.0f} ms away, {line}"
    call_ms = config.cluster.timing.call_s * 1000
    if found.latency_ms > min(SLOW_MS, call_ms / 4):
        what = f"{seen}; each order waits for a commit, a lease's call may take {call_ms:.0f} ms"
        yield warn("store", what, "move nearer to the database, or look at what slows it down")
    else:
        yield ok("store", seen)
    if not found.lossy:
        yield ok("durability", "commits that are answered survive")
    elif config.may_lose_commits:
        seen, _, _ = found.lossy.removeprefix("seen: ").partition("; ")
        yield warn("durability", f"{seen}; accepted by `may_lose_commits`", "accept it no longer")
    else:
        yield failed("durability", ConfigError(found.lossy), "make commits synchronous")
    yield _connections(found.most, found.used, config.database_pool.max)
    yield _clock(found.clock_ms, found.latency_ms)


def _connections(most: int, used: int, pool: int) -> Finding:
    seen = f"{used} of {most} in use; one process opens up to {pool}"
    if most - used < min(pool, 5):
        return warn(
            "connections", f"{seen}: almost none is left", "raise `max_connections` of the server, "
            "or lower `max` in [database_pool]",
        )  # fmt: skip
    return ok("connections", seen)


def _clock(off_ms: float, within_ms: float) -> Finding:
    seen = f"this host is {off_ms:+.0f} ms from the database's server (± {within_ms / 2:.0f})"
    if abs(off_ms) > CLOCK_OFF_MS + within_ms:
        return warn(
            "clock store", seen, "run a time service on both: orders are safe, leases and order "
            "times do not use it, but journals carry the leader's clock",
        )  # fmt: skip
    return ok("clock store", seen)


def _schema(database: Database) -> Iterator[Finding]:
    stored = database.version()
    if stored is None:
        yield skip("schema", "the database is empty; the first start makes its tables")
        return
    try:
        require_known(database.name, stored)
        require_usable(database.name, stored)
    except PlatformError as error:
        yield failed("schema", error, "use the version of holdfast that it is for")
        return
    yield _migration(stored)


def _migration(stored: Stored) -> Finding:
    ours = f"this program ({__version__}): {SCHEMA_VERSION} and {FORMAT}"
    seen = f"schema {stored.schema}, records of format {stored.writes}; {ours}"
    if stored.schema < SCHEMA_VERSION:
        return warn("schema", f"{seen}: a migration is pending", "holdfast db upgrade")
    if stored.schema > SCHEMA_VERSION:
        return warn("schema", f"{seen}: a newer version is being rolled out", "roll this one, too")
    if stored.oldest < stored.schema:
        return warn(
            "schema", f"{seen}: programs of {stored.oldest} may still use it",
            "holdfast db finalize, once every node has this version",
        )  # fmt: skip
    return ok("schema", seen)
