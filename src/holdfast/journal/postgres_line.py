"""The writer's own connection: one statement at a time, and nothing that could cut one short.

It speaks to libpq without a layer between: the driver's own asynchronous connection cancels the
statement of a cancelled caller, and a commit that is cut short has an unknown outcome. Not here:
what is said (journal.postgres_arm), what is done about a lost connection (journal.postgres).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic

from holdfast.errors import OutcomeUnknownError
from holdfast.journal.postgres_arm import Statement
from holdfast.journal.postgres_connect import Connection, meaning

_UNIQUE_VIOLATION = "23505"
_COMPLETION_UNKNOWN = "40003"


class TakenError(Exception):
    """A unique index said no; nothing was written."""


class Backend(msgspec.Struct, frozen=True):
    """The server's process behind a connection.

    Attributes:
        started: when, so that a pid used again is told apart.
    """

    pid: int
    started: str


class PostgresLine:
    """An open connection that belongs to one event loop, from its first statement on.

    Attributes:
        backend: to be ended when the connection is lost in the middle of a commit.
        is_lost: whether it is of no use any more.
    """

    def __init__(self, name: str, connection: Connection, backend: Backend) -> None:
        self.backend = backend
        self.is_lost = False
        self._name = name
        self._connection = connection
        self._pg = connection.pgconn
        self._pg.nonblocking = 1
        self._prepared: set[bytes] = set()
        self._warnings: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = self._pg.socket
        self._answer: asyncio.Future[None] | None = None
        connection.add_notice_handler(self._on_notice)

    async def run(self, statement: Statement, parameters: Sequence[bytes]) -> int:
        """Run it as a transaction of its own; the number that it answers with.

        Must not be cancelled: that gives the connection up.

        Raises:
            TakenError, RetryableError, ConfigError, CorruptionError: nothing was written.
            OutcomeUnknownError: the connection was lost, or the commit is not known to be durable.
        """
        self._listen()
        try:
            if statement.name not in self._prepared:
                self._pg.send_prepare(statement.name, statement.text)
                await self._finish()
                self._prepared.add(statement.name)
            formats = [pq.Format.BINARY] * len(parameters)
            self._pg.send_query_prepared(statement.name, parameters, formats)
            result = await self._finish()
        except psycopg.OperationalError as error:
            raise self._lost(str(error).strip()) from error
        except asyncio.CancelledError:
            self.close()
            raise
        value = result.get_value(0, 0)
        assert value is not None  # noqa: S101 - count(*) is never NULL
        return int(value)

    def close(self) -> None:
        """Give the connection up; may be called twice."""
        self.is_lost = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._loop = None
        self._connection.close()

    def _listen(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._socket, self._on_readable)

    async def _finish(self) -> pq.abc.PGresult:
        """Send, wait until the server is ready for the next statement, and return the result.

        The answer to a statement comes before its commit, and the commit may still fail: only
        what came last counts, and only with all of it here.
        """
        assert self._loop is not None  # noqa: S101 - `run` listens first
        self._warnings.clear()
        self._answer = self._loop.create_future()
        self._flush()
        await self._answer
        results = []
        while (result := self._pg.get_result()) is not None:
            results.append(result)
        if self._pg.status != pq.ConnStatus.OK or not results:
            raise self._lost(self._pg.get_error_message().strip())
        for result in results:
            if result.status not in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
                raise self._failure(result)
        if self._warnings:  # a wait for standbys that was cut short: committed here and not there
            raise OutcomeUnknownError(
                f"seen: {self._name}: {'; '.join(self._warnings)}; expected: a durable commit; "
                "do: read the head to find out whether it is in"
            )
        return results[-1]

    def _flush(self) -> None:
        assert self._loop is not None  # noqa: S101 - `run` listens first
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._on_writable)
        else:
            self._loop.remove_writer(self._socket)

    def _on_writable(self) -> None:
        try:
            self._flush()
        except psycopg.OperationalError as error:
            self._fail(error)

    def _on_readable(self) -> None:
        try:
            self._pg.consume_input()
            if self._pg.is_busy():
                return
        except psycopg.OperationalError as error:
            self._fail(error)
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)
        elif self._pg.status != pq.ConnStatus.OK:
            self.close()

    def _fail(self, error: psycopg.OperationalError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        else:  # it was idle: nothing is in doubt, and the next commit opens another
            self.close()

    def _failure(self, result: pq.abc.PGresult) -> Exception:
        sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        said = result.get_error_message().strip()
        if sqlstate == _UNIQUE_VIOLATION:
            return TakenError(said)
        if sqlstate == _COMPLETION_UNKNOWN:
            return self._lost(said)
        return meaning(self._name, sqlstate, said)

    def _lost(self, said: str) -> OutcomeUnknownError:
        self.close()
        return OutcomeUnknownError(
            f"seen: {self._name}: the connection ended while committing ({said}); expected: a "
            "durable commit; do: read the head to find out whether it is in"
        )

    def _on_notice(self, notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warnings.append(notice.message_primary or "a warning")
