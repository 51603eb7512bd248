"""One session of a PostgreSQL server for leases: every call is one message, bounded in time.

A message holds all statements of one transaction, so a node that freezes holds no lock: the server
has either heard all of it or nothing. A call that takes too long does not end its session: others
would take that for the end of whoever asked, who may have been the one that was held up. It is left
alone until it answers, and used again then, or until another session does for it. Not here: the
statements (cluster.postgres).
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncClientCursor
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from holdfast.errors import ConfigError, OutcomeUnknownError, PlatformError, RetryableError
from holdfast.journal.postgres_connect import (
    ENDED_BY_THE_SERVER,
    asked_of,
    is_wrong_password,
    meaning,
    name_of,
    no_password,
    refused,
    was_let_in,
    with_passwords,
)
from holdfast.telemetry.log import get_logger

log = get_logger("cluster.postgres")

VERSION: Final = 1
_MAKE_TURN: Final = 0x686F6C646C6561  # a number of ours, for those who make the tables at once

_TABLES: Final = f"""
    SELECT pg_advisory_xact_lock({_MAKE_TURN});
    CREATE TABLE IF NOT EXISTS lease_version (version integer PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS lease_member (
        boot_id text PRIMARY KEY,
        node text NOT NULL,
        host text NOT NULL,
        pid bigint NOT NULL,
        started bigint NOT NULL,
        version text NOT NULL,
        accounts text[] NOT NULL,
        renewals bigint NOT NULL DEFAULT 0,
        backend integer NOT NULL,
        backend_start timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    CREATE TABLE IF NOT EXISTS lease_claim (
        account text PRIMARY KEY,
        boot_id text NOT NULL DEFAULT '',
        turn bigint NOT NULL DEFAULT 0,
        wanted text NOT NULL DEFAULT ''
    );
    INSERT INTO lease_version
        SELECT {VERSION} WHERE NOT EXISTS (SELECT FROM lease_version)
"""  # noqa: S608 - our numbers
_SESSION: Final = """
    SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
OPEN_S: Final = 5.0
_UNDEFINED_TABLE: Final = "42P01"
_COMMITTED_IN_DOUBT: Final = ("40003",)
_TOO_LONG: Final = ("57014", "55P03")  # the server gave the statement up, or waiting for a lock

Results = list[list[tuple[Any, ...]]]


class _Session(NamedTuple):
    """With the server's process id and the moment it began, as the server writes them."""

    connection: psycopg.AsyncConnection[TupleRow]
    backend: tuple[int, str]


class Line:
    """A session that is opened when it is needed, and ended after a failure that is no lateness.

    Args:
        call_s: how long a call may take, with waiting for the one before it. Opening goes on when
            a call has given up waiting for it: a server that has just begun is slow with that.
    """

    def __init__(self, url: str, call_s: float) -> None:
        self.name = name_of(url)
        self._url = url
        self._call_s = call_s
        self._session: _Session | None = None
        self._late: tuple[_Session, asyncio.Task[Results]] | None = None
        self._opening: asyncio.Task[_Session] | None = None
        self._turn = asyncio.Lock()

    async def run(
        self,
        statements: str,
        parameters: dict[str, object],
        *,
        writes: bool,
        in_time: bool = True,
    ) -> Results:
        """Run `statements` as one transaction; the rows of each.

        `%(backend)s` and `%(backend_start)s` name the session itself.

        Args:
            writes: whether nobody knows what was done when no answer comes.
            in_time: whether it is given up after `call_s`.

        Raises:
            ConfigError: wrong address or role, or tables of another version.
            RetryableError: nothing was done.
            OutcomeUnknownError: it may have been done.
        """
        sent = False
        try:
            async with asyncio.timeout(self._call_s if in_time else None), self._turn:
                session = await self._ready()
                parameters["backend"], parameters["backend_start"] = session.backend
                sent = True
                results = await self._execute(session, statements, parameters)
                self._end_late()
                self._end_spare()
                return results
        except TimeoutError as error:
            said = f"no answer within {self._call_s:g} s"
            raise self._failed(said, "", sent=sent and writes) from error
        except psycopg.Error as error:
            if error.sqlstate not in _TOO_LONG:
                self._drop()
            said, sqlstate = str(error).strip(), error.sqlstate or ""
            raise self._failed(said, sqlstate, sent=sent and writes) from error

    async def _execute(
        self, session: _Session, statements: str, parameters: dict[str, object]
    ) -> Results:
        async def ask() -> Results:
            async with AsyncClientCursor(session.connection) as cursor:
                try:
                    await cursor.execute(statements.encode(), parameters)
                except psycopg.Error as error:
                    if error.sqlstate in _TOO_LONG:
                        await session.connection.rollback()
                    raise
                results: Results = []
                while True:
                    results.append(await cursor.fetchall() if cursor.description else [])
                    if not cursor.nextset():
                        return results

        # A task of its own: whoever cancels a call of the driver waits until the server has heard
        # of it, and this server may be silent.
        asking = asyncio.create_task(ask())
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._session = None
            if self._caught_up() is None:
                self._end_late()
            self._late = session, asking
            raise

    async def _ready(self) -> _Session:
        """The session in use, or the late one where it has answered, or else another one.

        Opening goes on when a call has given up waiting for it.
        """
        while (session := self._session or self._caught_up()) is None:
            opening = self._opening = self._opening or asyncio.create_task(self._open())
            late = [self._late[1]] if self._late is not None else []
            await asyncio.wait([opening, *late], return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                self._opening = None
                self._session = opening.result()
        return session

    def _caught_up(self) -> _Session | None:
        """The session whose answer came late, if it has come."""
        if self._late is None or not self._late[1].done():
            return None
        session, asking = self._late
        if session.connection.info.transaction_status is not TransactionStatus.IDLE:
            self._end_late()
            return None
        _heed(asking)  # whoever asked has been told that there was no answer
        self._session, self._late = session, None
        return session

    def _end_late(self) -> None:
        """Hang up on what has not answered yet."""
        if self._late is None:
            return
        (session, asking), self._late = self._late, None
        if asking.done():
            _end(asking, session.connection)
            return
        _hang_up(session.connection)  # and `ask` hears of it
        asking.add_done_callback(lambda asking: _end(asking, session.connection))

    def _end_spare(self) -> None:
        """Another session that was opened, and is not needed: the late one answered meanwhile."""
        if self._opening is None or not self._opening.done():
            return
        opening, self._opening = self._opening, None
        if not _heed(opening):
            opening.result().connection.pgconn.finish()

    async def _open(self) -> _Session:
        """A session with its tables; they are made where there are none."""
        asked = {**asked_of(self._url, "holdfast keeper"), "tcp_user_timeout": self._ms(2)}
        async with asyncio.timeout(OPEN_S):
            connection = await self._let_in({**asked, "autocommit": True})
        timer = asyncio.get_running_loop().call_later(OPEN_S, _hang_up, connection)
        try:
            await connection.execute(
                "SELECT set_config('statement_timeout', %(ms)s, false), "
                "set_config('lock_timeout', %(ms)s, false), "
                "set_config('idle_in_transaction_session_timeout', %(ms)s, false)",
                {"ms": str(self._ms(1))},
            )
            await self._require_tables(connection)
            row = await (await connection.execute(_SESSION.encode())).fetchone()
        except BaseException:
            connection.pgconn.finish()
            raise
        finally:
            timer.cancel()
        return _Session(connection, (0, "epoch") if row is None else (int(row[0]), str(row[1])))

    async def _let_in(self, asked: dict[str, Any]) -> psycopg.AsyncConnection[TupleRow]:
        """A session, with one password after the other while they are refused."""
        refusal: psycopg.OperationalError | None = None
        trying = with_passwords(asked)
        try:
            while (known := await asyncio.to_thread(next, trying, None)) is not None:
                try:
                    connection = await psycopg.AsyncConnection.connect(**known)
                except psycopg.OperationalError as error:
                    refusal = error
                    if not is_wrong_password(error):
                        break
                else:
                    was_let_in(self._url)
                    return connection
        except ConfigError as error:
            raise no_password(self._url, error) from error
        raise refused(self._url, str(refusal).strip()) from refusal

    async def _require_tables(self, connection: psycopg.AsyncConnection[TupleRow]) -> None:
        found = await connection.execute(
            "SELECT to_regclass('lease_version'), to_regclass('lease_member'), "
            "to_regclass('lease_claim')"
        )
        if None in (await found.fetchone() or (None,)):
            async with AsyncClientCursor(connection) as cursor:
                await cursor.execute(_TABLES.encode())
        answer = await connection.execute("SELECT version FROM lease_version")
        versions = sorted(row[0] for row in await answer.fetchall())
        if versions != [VERSION]:
            raise ConfigError(
                f"seen: lease tables of version {', '.join(map(str, versions))} in {self.name}; "
                f"expected: {VERSION}; do: end all nodes, drop lease_version, lease_member and "
                "lease_claim, and start them again, all of one version"
            )

    def close(self) -> None:
        """Release every session; a next use opens one again."""
        self._end_spare()
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self._end_late()
        self._drop()

    def _ms(self, calls: int) -> int:
        return max(1, round(calls * self._call_s * 1000))

    def _drop(self) -> None:
        if self._session is not None:
            self._session.connection.pgconn.finish()
            self._session = None

    def _failed(self, said: str, sqlstate: str, *, sent: bool) -> PlatformError:
        ended = not sqlstate or sqlstate.startswith(ENDED_BY_THE_SERVER)  # perhaps after the commit
        if sent and (ended or sqlstate in _COMMITTED_IN_DOUBT):
            return OutcomeUnknownError(
                f"seen: {self.name}: {said}; expected: an answer; do: look whether it was done"
            )
        if sqlstate == _UNDEFINED_TABLE:
            return RetryableError(
                f"seen: {self.name}: {said}; expected: the lease tables; do: nothing, they are "
                "made again, and every node joins again"
            )
        return meaning(self.name, sqlstate, said)


def _hang_up(connection: psycopg.AsyncConnection[TupleRow]) -> None:
    """End the line without a word that a silent server would have to answer."""
    with (
        suppress(OSError, psycopg.Error),  # it is closed already
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


def _heed(done: asyncio.Future[Any]) -> bool:
    """Whether it failed, of which nobody else is to be told."""
    return done.cancelled() or done.exception() is not None


def _end(asking: asyncio.Future[Results], connection: psycopg.AsyncConnection[TupleRow]) -> None:
    """Nobody waits any more for what was asked."""
    connection.pgconn.finish()
    _heed(asking)
