"""The journal port: what every store of facts must promise, whatever keeps the bytes.

Lives here: `Store` (one batch, one durable commit) and the values it speaks in. The contract suite
in the tests runs against each implementation. Not here: batching (journal.writer).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import Protocol

import msgspec

from holdfast.domain.fact import AnyFact, Armed, CancelArmed
from holdfast.errors import OutcomeUnknownError, RetryableError
from holdfast.journal.record import FORMAT, Record


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a stream stands.

    Attributes:
        epoch: of the writer that owns it; 0 before the first.
        generation: of client order ids; a backup that is restored begins one never used before.
        seq: of the last record, 0 when empty.
        hash: chain hash of that record (32 bytes).
        format: of the records that its writer may add, as the database said at `acquire`.
    """

    account: str
    epoch: int
    generation: int
    seq: int
    hash: bytes
    format: int = FORMAT


class Group(msgspec.Struct, frozen=True, gc=False):
    """Facts that are committed together or not at all, in this order."""

    facts: tuple[AnyFact, ...]


class Refused(msgspec.Struct, frozen=True):
    """A group was left out because something in it exists already; the rest was committed.

    Attributes:
        claim: what exists: `attempt <cid>`, `intent <id> <n>`, `decision <bot> <key>`,
            `fill <symbol> <trade_id>` or `flow <flow_id>`.
    """

    claim: str


Outcome = tuple[Record, ...] | Refused


class NotLetInError(RetryableError):
    """A database's server is there, and takes nobody now: it is full, begins, or stops."""


class CommitUnknownError(OutcomeUnknownError):
    """A commit failed in a way that proved nothing, and the stream was read to find out.

    Whatever it says, what the group armed must not be sent: its attempts become NOT_SENT.

    Attributes:
        committed: whether the group is in the stream; None when that could not be found out, and
            then the writer has given the stream up.
        records: the group as it is in the stream, for the fold; empty when it is not.
    """

    def __init__(self, text: str, committed: bool | None, records: tuple[Record, ...] = ()) -> None:
        super().__init__(text)
        self.committed = committed
        self.records = records


class Appender(Protocol):
    """Appends to one stream in order; `journal.writer` is the one for stores."""

    @property
    def head(self) -> Head:
        """Where the stream stands after the last commit."""
        ...

    def append(self, *facts: AnyFact, flush: bool = False) -> asyncio.Future[Outcome]:
        """Commit `facts` as one group, after everything appended before.

        Args:
            flush: begin now, and not when the loop turns: nobody else is about to append.

        Cancelling the future only stops the waiting. Raises when awaited: FencedError,
        RetryableError (not written, for certain), CommitUnknownError.
        """
        ...

    async def drain(self) -> None:
        """Return when all that was appended so far has its outcome."""
        ...


class Snapshot(msgspec.Struct, frozen=True):
    """A fold, so that start-up follows open orders and not history.

    Attributes:
        seq, hash: the last record folded in; a snapshot whose hash is not the chain's is ignored.
        body: versioned bytes of the fold (ledger.state).
    """

    account: str
    seq: int
    hash: bytes
    body: bytes


class Store(Protocol):
    """Keeps streams. One writer per account at a time: who acquired last.

    Everything but `commit` is for start-up, snapshots and reports and may be slow.
    """

    async def acquire(self, account: str, node: str, after: int | None = None) -> Head:
        """Take the stream over: epoch + 1, durably. Whoever held it is fenced from here on.

        Args:
            after: the epoch that was read before, 0 of a stream that nobody ever acquired; in the
                same atomic step it must still be that one. None takes over whatever it is.

        Raises:
            FencedError: the epoch is not `after` (any more); nothing was changed.
        """
        ...

    async def begin_generation(
        self, head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int
    ) -> Head:
        """Append `facts` under epoch + 1 and `generation`, in one transaction; where it ends then.

        Args:
            head: as it was looked at; in the same transaction all of it must still be so.
            generation: above the one of `head`.
            facts: such as claim nothing.

        Raises:
            FencedError: the stream is not at `head` any more; nothing was changed.
            ConfigError: programs of an older format share the database, and could not read them.
        """
        ...

    def commit_at_once(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]] | None:
        """As `commit`, in the caller's thread, where that is quicker than handing it on.

        None where it is not: nothing has been done then, and `commit` is to be called.

        Raises:
            As `commit`.
        """
        ...

    def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> Awaitable[tuple[Head, list[Outcome]]]:
        """Append `groups` durably in one transaction and return the new head and one outcome each.

        The check that `head.epoch` still owns the stream and that `head.seq` is still its end is
        part of the same transaction. When it returns, the records survive a crash of the machine.
        Must not be cancelled; it has no time-out.

        Raises:
            FencedError: another writer took over; nothing was written.
            RetryableError: nothing was written (disk full, locked, read-only), and that is certain.
            OutcomeUnknownError: it may or may not be written; call `head` to find out.
        """
        ...

    async def head(self, account: str) -> Head:
        """The head as it is stored now."""
        ...

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, verified link by link while they are read.

        Raises:
            CorruptionError: the chain does not hold, a sequence number is missing, the last record
                is not the head, or a record is newer than this program.
        """
        ...

    def attempt(self, account: str, cid: str) -> Armed | CancelArmed | None:
        """The order or cancel that was armed under `cid`, however long ago; None when none was.

        Blocks the caller for a moment, and not the writer.

        Raises:
            CorruptionError: the record behind the claim is missing, or is of something else.
            RetryableError: the store cannot be read now.
        """
        ...

    async def hash_at(self, account: str, seq: int) -> bytes | None:
        """Chain hash of record `seq` as stored; None when there is no such record."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it, and drop older ones of the account but one."""
        ...

    async def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest snapshot whose hash is the chain's, or None."""
        ...

    async def close(self) -> None:
        """Release everything; may be called twice."""
        ...
