"""The journal in PostgreSQL: a commit is one statement, and only what is gone cannot commit late.

Not here: the statement (journal.postgres_arm), the connection that it runs on
(journal.postgres_line), batching (journal.writer).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar

import psycopg

from holdfast.domain.fact import AnyFact, Armed, CancelArmed
from holdfast.errors import CorruptionError, FencedError, RetryableError
from holdfast.journal.chain import (
    Batch,
    extend,
    fenced_text,
    merge,
    next_generation,
    require_epoch,
)
from holdfast.journal.claim_tables import refused_groups
from holdfast.journal.port import Group, Head, Outcome, Snapshot
from holdfast.journal.postgres_arm import arming
from holdfast.journal.postgres_connect import (
    Connection,
    PostgresRows,
    ReadOnlyError,
    connect,
    name_of,
    raise_translated,
    require_durable,
)
from holdfast.journal.postgres_line import Backend, PostgresLine, TakenError
from holdfast.journal.postgres_owner import writer_name
from holdfast.journal.postgres_pool import Pool
from holdfast.journal.postgres_read import read_stream, stored_version
from holdfast.journal.postgres_side import Side
from holdfast.journal.reading import attempt_of, hash_of, head_of, snapshot_digest, snapshot_of
from holdfast.journal.record import GENESIS, Record
from holdfast.journal.version import require_usable, writing

T = TypeVar("T")

END_BACKEND_S: Final = 2.0
_POLL_S: Final = 0.01

_ACQUIRE = """
    INSERT INTO head (account, epoch, generation, seq, hash, node) VALUES (%s, 1, 1, 0, %s, %s)
    ON CONFLICT (account) DO UPDATE SET epoch = head.epoch + 1, node = excluded.node
    WHERE %s IN (-1, head.epoch)
    RETURNING account, epoch, generation, seq, hash
"""
_ACQUIRE_AFTER = """
    UPDATE head SET epoch = epoch + 1, node = %s WHERE account = %s AND epoch = %s
    RETURNING account, epoch, generation, seq, hash
"""
_BEGIN_GENERATION = """
    WITH begun AS (
        UPDATE head SET epoch = %s, generation = %s, seq = %s, hash = %s
        WHERE account = %s AND epoch = %s AND generation = %s AND seq = %s AND hash = %s
        RETURNING account
    )
    INSERT INTO record (account, seq, body, hash)
    SELECT account, r.seq, r.body, r.hash
    FROM begun, unnest(%s::bigint[], %s::bytea[], %s::bytea[]) AS r (seq, body, hash)
"""
_SAVE = """
    INSERT INTO snapshot (account, seq, hash, body, digest) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (account, seq) DO UPDATE
    SET hash = excluded.hash, body = excluded.body, digest = excluded.digest
"""
_DROP_OLDER = """
    DELETE FROM snapshot WHERE account = %s AND seq NOT IN
        (SELECT seq FROM snapshot WHERE account = %s ORDER BY seq DESC LIMIT 2)
"""
_BACKEND = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = %s AND backend_start::text = %s
"""


class PostgresStore:
    """Streams in one database, durable on return as far as the server's settings promise it.

    Args:
        url: a PostgreSQL address; what it says about TLS is what the driver does.
        pool: for reads; its owner closes it. None makes one that ends with the store.
        may_lose: accept a server that may lose commits, loudly.

    Raises:
        ConfigError: wrong address, server too old, not durable, or of another schema.
        RetryableError: it does not answer, or takes no writes.
    """

    def __init__(self, url: str, pool: Pool | None = None, *, may_lose: bool = False) -> None:
        self.name = name_of(url)
        self._url = url
        self._pool = pool or Pool(url)
        self._owns_pool = pool is None
        self._may_lose = may_lose
        self._side = Side(url, self.name)
        self._suspect: Backend | None = None
        self._line: PostgresLine | None = self._open()

    async def acquire(self, account: str, node: str, after: int | None = None) -> Head:
        """Take the stream over: epoch + 1, durably."""

        def take(connection: Connection) -> Head:
            require_durable(self.name, connection, may_lose=self._may_lose)
            stored = require_usable(self.name, stored_version(connection))
            if after:
                answer = connection.execute(_ACQUIRE_AFTER, (node, account, after))
            else:  # a stream that may be new
                expected = -1 if after is None else after
                answer = connection.execute(_ACQUIRE, (account, GENESIS, node, expected))
            row = answer.fetchone()
            if row is None:
                require_epoch(head_of(self.name, PostgresRows(connection), account), after)
                raise RetryableError(
                    f"seen: the epoch of {account} changed twice meanwhile; expected: once; "
                    "nothing was taken over; do: look again"
                )
            return writing(Head(*row), stored)

        return await self._beside(take)

    async def begin_generation(
        self, head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int
    ) -> Head:
        """Append `facts` under the next epoch and `generation`, durably, if all is as in `head`."""

        def begin(connection: Connection) -> Head:
            require_durable(self.name, connection, may_lose=self._may_lose)
            stored = require_usable(self.name, stored_version(connection))
            batch = next_generation(writing(head, stored), generation, facts, at_ns)
            end, account = batch.head, head.account
            begun = connection.execute(
                _BEGIN_GENERATION,
                (end.epoch, generation, end.seq, end.hash, account,
                 head.epoch, head.generation, head.seq, head.hash,
                 list(range(head.seq + 1, end.seq + 1)), batch.bodies, batch.hashes),
            )  # fmt: skip
            if not begun.rowcount:
                raise FencedError(
                    fenced_text(head, head_of(self.name, PostgresRows(connection), account))
                )
            return end

        return await self._beside(begin)

    def commit_at_once(self, head: Head, groups: Sequence[Group], at_ns: int) -> None:
        """Never: the server is always waited for."""

    def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> Awaitable[tuple[Head, list[Outcome]]]:
        """Append `groups` durably in one statement, as the port promises; it is sent at once."""
        batch = extend(head, groups, at_ns)  # nearly always all of it is new
        statement, parameters = arming(batch, head)
        line, sent = self._line, None
        if line is not None and line.knows(statement):
            sent = line.begin(statement, parameters)
        commit = asyncio.ensure_future(self._commit(head, groups, at_ns, batch, sent))
        commit.add_done_callback(self._ended)  # runs before its caller is told
        return commit

    def _ended(self, _commit: object) -> None:
        """Note whose commit may still come about: who was cancelled has not heard of its end."""
        line = self._line
        if line is not None and line.is_busy:
            line.close()
        if line is not None and line.is_lost:
            self._suspect = line.backend

    async def _commit(
        self,
        head: Head,
        groups: Sequence[Group],
        at_ns: int,
        batch: Batch,
        sent: asyncio.Future[None] | None,
    ) -> tuple[Head, list[Outcome]]:
        line = self._line
        if line is None or (sent is None and line.is_lost):
            line = await self._open_again()
        try:
            try:
                is_written = await _written(line, batch, head, sent)
            except ReadOnlyError:  # the way may lead to another server by now; nothing was written
                await asyncio.to_thread(self._side.close)
                is_written = await _written(await self._open_again(), batch, head, None)
            if not is_written:
                raise FencedError(fenced_text(head, await self.head(head.account)))
        except TakenError:
            return await self._commit_what_is_free(head, groups, at_ns)
        return batch.head, [*batch.records]

    async def _commit_what_is_free(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]]:
        refused = await self._beside(
            lambda connection: refused_groups(PostgresRows(connection), head.account, groups)
        )
        free = [group for position, group in enumerate(groups) if position not in refused]
        if not refused:  # not the claims, then: records beyond the end, or a row without a record
            raise CorruptionError(
                f"seen: {self.name} holds rows beyond the end of {head.account}; expected: none; "
                "do: stop, keep the database, and restore a backup"
            )
        end, outcomes = await self.commit(head, free, at_ns)
        written = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        return end, merge(refused, written, len(groups))

    async def head(self, account: str) -> Head:
        """The head as it is stored now, and nothing of ours on its way to it any more."""
        return await self._beside(lambda c: head_of(self.name, PostgresRows(c), account))

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, verified while they are read; blocks the caller, not the writer."""
        return read_stream(self._pool, account, after_seq)

    def attempt(self, account: str, cid: str) -> Armed | CancelArmed | None:
        """The order or cancel that was armed under `cid`; blocks the caller, not the writer."""
        return self._pool.run(lambda c: attempt_of(self.name, PostgresRows(c), account, cid))

    async def hash_at(self, account: str, seq: int) -> bytes | None:
        """Chain hash of record `seq` as stored; None when there is no such record."""
        return await self._beside(lambda c: hash_of(self.name, PostgresRows(c), account, seq))

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it, and drop older ones of the account but one."""
        account, digest = snapshot.account, snapshot_digest(snapshot)
        row = (account, snapshot.seq, snapshot.hash, snapshot.body, digest)

        def save(connection: Connection) -> None:
            with connection.transaction():
                connection.execute(_SAVE, row)
                connection.execute(_DROP_OLDER, (account, account))

        await self._beside(save)

    async def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest snapshot whose hash is the chain's, or None."""
        return await self._beside(lambda c: snapshot_of(PostgresRows(c), account))

    async def close(self) -> None:
        """Release everything; may be called twice."""
        if self._line is not None:
            self._line.close()
            self._line = None
        await asyncio.to_thread(self._side.close)
        if self._owns_pool:
            await asyncio.to_thread(self._pool.close)

    async def _beside(self, function: Callable[[Connection], T]) -> T:
        """Run it in a thread on the other connection, once no lost commit can happen any more."""
        return await asyncio.to_thread(self._settled, function)

    def _settled(self, function: Callable[[Connection], T]) -> T:
        if (suspect := self._suspect) is not None:
            self._side.run(lambda connection: _end_backend(connection, suspect))
            self._suspect = None
        return self._side.run(function)

    async def _open_again(self) -> PostgresLine:
        await self._beside(lambda _: None)
        self._line = line = await asyncio.to_thread(self._open)
        return line

    def _open(self) -> PostgresLine:
        connection = connect(self._url, idles=False, application=writer_name())
        try:
            version = stored_version(connection)
            if version is None:
                from holdfast.journal.postgres_upgrade import upgrade  # noqa: PLC0415  # slow, rare

                upgrade(self._url)
                version = stored_version(connection)
            require_usable(self.name, version)
            require_durable(self.name, connection, may_lose=self._may_lose)
            pid, started = connection.execute(_BACKEND).fetchone() or (0, "")
        except psycopg.Error as error:
            connection.close()
            raise_translated(self.name, error)
        except BaseException:
            connection.close()
            raise
        return PostgresLine(self.name, connection, Backend(pid, started))


async def _written(
    line: PostgresLine, batch: Batch, head: Head, sent: asyncio.Future[None] | None
) -> int:
    """How many streams `batch` went on; `sent` where that has begun."""
    if sent is None:
        statement, parameters = arming(batch, head)
        await line.prepare(statement)
        sent = line.begin(statement, parameters)
    return await line.result(sent)


def _end_backend(connection: Connection, backend: Backend) -> None:
    """Return when that process of the server is gone: what it had not committed it never will."""
    deadline_s = time.monotonic() + END_BACKEND_S
    while connection.execute(_END, (backend.pid, backend.started)).fetchone() is not None:
        if time.monotonic() > deadline_s:
            raise RetryableError(
                f"seen: backend {backend.pid} of a lost commit does not end; expected: it gone "
                f"within {END_BACKEND_S:g} s; do: wait, or restart the server"
            )
        time.sleep(_POLL_S)
