"""What a PostgreSQL server is like, for who looks an installation over; nothing is changed.

Not here: refusing it (postgres_connect), what is stored there.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec
import psycopg

from holdfast.errors import ConfigError
from holdfast.journal.postgres_connect import connect, name_of, raise_translated, require_durable

_STATE: Final = b"""
    SELECT current_setting('server_version'),
           current_setting('max_connections')::int
             - current_setting('superuser_reserved_connections')::int,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           extract(epoch FROM clock_timestamp())::float8,
           coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)
"""


class ServerState(msgspec.Struct, frozen=True):
    """A server, as one connection sees it.

    Attributes:
        most, used: connections that ordinary roles may open, and those that are open.
        latency_ms: of one question.
        clock_ms: how far this host's clock is ahead of the server's, to half of that.
        is_encrypted: the line to it.
        lossy: why a commit that it answered for may be lost; empty when none may.
    """

    name: str
    version: str
    most: int
    used: int
    latency_ms: float
    clock_ms: float
    is_encrypted: bool
    lossy: str


def server_state(url: str) -> ServerState:
    """Ask it; blocks, for some seconds at most.

    Raises:
        ConfigError: the address is wrong, or the server is too old.
        RetryableError: it does not answer, or takes no writes.
    """
    name = name_of(url)
    with connect(url, application="holdfast doctor") as connection:
        try:
            connection.execute(_STATE)  # once before, so that planning is not measured
            begun_s = time.time()
            row = connection.execute(_STATE).fetchone()
            ended_s = time.time()
            assert row is not None  # noqa: S101 - it has no FROM, and so one row
            version, most, used, server_s, is_encrypted = row
            lossy = ""
            try:
                require_durable(name, connection)
            except ConfigError as error:
                lossy = str(error)
        except psycopg.Error as error:
            raise_translated(name, error)
    return ServerState(
        name=name, version=version.split()[0], most=most, used=used,
        latency_ms=(ended_s - begun_s) * 1000,
        clock_ms=((begun_s + ended_s) / 2 - server_s) * 1000,
        is_encrypted=is_encrypted, lossy=lossy,
    )  # fmt: skip
