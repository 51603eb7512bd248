"""Connections to a PostgreSQL journal that are kept and lent: for everything but commits.

Who commits has a connection of his own, so reports that take all of these cost no order a wait. Not
here: what a connection must be like (journal.postgres_connect).
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from holdfast.config.database import DatabasePool
from holdfast.errors import RetryableError
from holdfast.journal.database import PoolState
from holdfast.journal.postgres_connect import (
    Connection,
    Session,
    asked_of,
    connect,
    name_of,
    prepare,
    raise_translated,
)
from holdfast.telemetry.log import get_logger

T = TypeVar("T")

ON_DEMAND: Final = DatabasePool(min=0)
"""Of a process that looks once and ends."""

_READ_ONE_MOMENT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LIMIT_READS = "SELECT set_config('statement_timeout', %s, true)"
_ROOM = """
    SELECT current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
"""

log = get_logger("journal.postgres")

# What it would say of a server that is gone, the caller is told as an error.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())


class Pool:
    """Up to `sizes.max` connections to one server; nothing is opened before the first is asked for.

    For threads; who is lent one has it alone. It ends with `close`, or with who holds it.
    """

    def __init__(self, url: str, sizes: DatabasePool = ON_DEMAND) -> None:
        self.name = name_of(url)
        self.sizes = sizes
        self._url = url
        self._opening = threading.Lock()
        self._counting = threading.Lock()
        self._in_use = 0
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            connection_class=Session,
            kwargs={**asked_of(url), "autocommit": True},
            configure=partial(prepare, self.name),
            open=False,
            min_size=sizes.min,
            max_size=sizes.max,
            max_idle=sizes.idle_s,
            max_lifetime=sizes.lifetime_s,
            timeout=sizes.wait_s,
            reconnect_timeout=0,  # who asks next tries again, and no timer that grows decides when
        )
        self._end = weakref.finalize(self, self._pool.close)

    @contextmanager
    def connection(self, *, tried: bool = True) -> Iterator[Connection]:
        """Lend a connection in autocommit that has just answered; an open transaction is undone.

        Args:
            tried: False saves that question: it may be one that was lost since it was used.

        Raises:
            ConfigError: as a connection.
            RetryableError: all are in use, or the server does not answer.
        """
        connection = self._lent() if tried else self._taken()
        with self._counting:
            self._in_use += 1
        try:
            yield connection
        except psycopg.errors.ReadOnlySqlTransaction:
            connection.close()  # it stays so; who asks next is lent another
            raise
        finally:
            self._pool.putconn(connection)
            with self._counting:
                self._in_use -= 1

    @contextmanager
    def one_moment(self) -> Iterator[Connection]:
        """Lend one that shows the database as of one moment, and writes nothing.

        Raises:
            As `connection`; what the driver raises inside is not translated.
        """
        with self.connection() as connection:
            connection.execute(_READ_ONE_MOMENT)
            limit_ms = str(round(self.sizes.read_timeout_s * 1000))
            connection.execute(_LIMIT_READS, (limit_ms,))
            yield connection
            connection.execute("COMMIT")

    def run(self, function: Callable[[Connection], T]) -> T:
        """Run what may be run twice: a connection that was lost since is replaced.

        Only the second one is asked first whether it is there, which costs as much as a small read.

        Raises:
            ConfigError, CorruptionError, RetryableError: as the server says it.
        """
        try:
            with self.connection(tried=False) as connection:
                return function(connection)
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise_translated(self.name, error)
        except psycopg.Error as error:
            raise_translated(self.name, error)
        try:
            with self.connection() as connection:
                return function(connection)
        except psycopg.Error as error:
            raise_translated(self.name, error)

    def state(self) -> PoolState:
        """Numbers as of now; safe from any thread."""
        told = self._pool.get_stats()
        in_use, idle = self._in_use, told["pool_available"]
        return PoolState(
            min=self.sizes.min,
            max=self.sizes.max,
            open=in_use + idle,
            in_use=in_use,
            idle=idle,
            waiting=told["requests_waiting"],
            requests=told.get("requests_num", 0),
            waits=told.get("requests_queued", 0),
            waited_ms=told.get("requests_wait_ms", 0),
            timeouts=told.get("requests_errors", 0),
            connects=told.get("connections_num", 0),
            failed_connects=told.get("connections_errors", 0),
            lost=told.get("connections_lost", 0) + told.get("returns_bad", 0),
        )

    def close(self) -> None:
        """Close them all; one that is lent is closed when it comes back. May be called twice."""
        self._end()

    def _taken(self) -> Connection:
        self._open()
        return self._got()

    def _lent(self) -> Connection:
        connection = self._taken()
        if _answers(connection):
            return connection
        # The server was started again, most likely: none of those that lie here are of use.
        self._pool.putconn(connection)
        self._pool.check()
        return self._got()

    def _open(self) -> None:
        """A wrong address is told at once by a connection of ours; the pool would go on trying."""
        with self._opening:
            if self._pool.closed and self._end.alive:
                with connect(self._url) as connection:
                    self._compare_sizes(connection)
                self._pool.open()

    def _compare_sizes(self, connection: Connection) -> None:
        (room,) = connection.execute(_ROOM).fetchone() or (0,)
        if self.sizes.max > room:
            log.warning(
                "a burst could take every connection that the server has: lower `max` of "
                "[database_pool], or raise its max_connections",
                action="pool_size", database=self.name, most=self.sizes.max, server=room,
            )  # fmt: skip

    def _got(self) -> Connection:
        try:
            return self._pool.getconn()
        except PoolClosed as error:
            raise RetryableError(
                f"seen: the connections to {self.name} are closed; expected: a process that goes "
                "on; do: nothing, it is ending"
            ) from error
        except PoolTimeout as error:
            connect(self._url).close()  # says it better when that is what fails
            raise RetryableError(
                f"seen: all {self.sizes.max} connections to {self.name} are in use, and none came "
                f"back within {self.sizes.wait_s:g} s; expected: a free one; do: try again, end "
                "long reports, or raise `max` of [database_pool]"
            ) from error


def _answers(connection: Connection) -> bool:
    try:
        connection.execute("")
    except psycopg.OperationalError:
        return False
    return True
