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
from holdfast.journal.postgres_connect import Connection, ReadOnlyError, meaning

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
        self._is_full = False  # the socket takes no more for the moment
        connection.add_notice_handler(self._on_notice)

    async def prepare(self, statement: Statement) -> None:
        """Have the server know the statement; nothing happens when it does already.

        Raises:
            RetryableError, ConfigError, CorruptionError, OutcomeUnknownError: as `result`.
        """
        if statement.name not in self._prepared:
            self._listen()
            self._pg.send_prepare(statement.name, statement.text)
            await self._finish(self._send())
            self._prepared.add(statement.name)

    def begin(self, statement: Statement, parameters: Sequence[bytes]) -> asyncio.Future[None]:
        """Send it, at once, as a transaction of its own; `result` tells what came of it.

        The server works while the caller's loop turns. Only a prepared statement, one at a time.
        """
        formats = [pq.Format.BINARY] * len(parameters)
        try:
            self._pg.send_query_prepared(statement.name, parameters, formats)
        except psycopg.OperationalError as error:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed
        return self._send()

    @property
    def is_busy(self) -> bool:
        """Whether the answer to a statement is not there yet."""
        return self._answer is not None and not self._answer.done()

    def knows(self, statement: Statement) -> bool:
        """Whether it may begin now."""
        return not self.is_lost and statement.name in self._prepared

    async def result(self, sent: asyncio.Future[None]) -> int:
        """The number that a statement answers with that was begun.

        Must not be cancelled: that gives the connection up.

        Raises:
            TakenError, RetryableError, ConfigError, CorruptionError: nothing was written; after a
                ReadOnlyError the connection has been given up.
            OutcomeUnknownError: the connection was lost, or the commit is not known to be durable.
        """
        value = (await self._finish(sent)).get_value(0, 0)
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
        if self._answer is not None:
            self._answer.cancel()

    def _listen(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._socket, self._on_readable)

    def _send(self) -> asyncio.Future[None]:
        """Send what is in the buffer; done when the whole answer is there."""
        assert self._loop is not None  # noqa: S101 - `prepare` listens first
        self._warnings.clear()
        self._answer = answer = self._loop.create_future()
        try:
            self._flush()
        except psycopg.OperationalError as error:
            answer.set_exception(error)
        return answer

    async def _finish(self, sent: asyncio.Future[None]) -> pq.abc.PGresult:
        """Wait until the server is ready for the next statement, and return the result.

        The answer to a statement comes before its commit, and the commit may still fail: only
        what came last counts, and only with all of it here.
        """
        try:
            await sent
        except psycopg.OperationalError as error:
            raise self._lost(str(error).strip()) from error
        except asyncio.CancelledError:
            self.close()
            raise
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
        assert self._loop is not None  # noqa: S101 - `prepare` listens first
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._on_writable)
            self._is_full = True
        elif self._is_full:
            self._loop.remove_writer(self._socket)
            self._is_full = False

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
        if self._answer is not None and self.is_busy:
            self._answer.set_result(None)
        elif self._pg.status != pq.ConnStatus.OK:
            self.close()

    def _fail(self, error: psycopg.OperationalError) -> None:
        if self._answer is not None and self.is_busy:
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
        error = meaning(self._name, sqlstate, said)
        if isinstance(error, ReadOnlyError):
            self.close()
        return error

    def _lost(self, said: str) -> OutcomeUnknownError:
        self.close()
        return OutcomeUnknownError(
            f"seen: {self._name}: the connection ended while committing ({said}); expected: a "
            "durable commit; do: read the head to find out whether it is in"
        )

    def _on_notice(self, notice: Diagnostic) -> None:
        if notice.severity_nonlocalized == "WARNING":
            self._warnings.append(notice.message_primary or "a warning")
