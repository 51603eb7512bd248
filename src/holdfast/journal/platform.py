"""The platform's tables and its stream, in whichever database the journal is.

Any process appends to the stream: it reads the head, and moves it on only if it is still that one
(compare and set), in the transaction that changes the tables. Not here: connections
(journal.platform_sqlite, journal.platform_postgres), the tables' meaning (holdfast.platform).
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, cast

import msgspec

from holdfast.domain.fact import AnyFact
from holdfast.domain.platform import PLATFORM, AnyPlatformFact, SignInFailed
from holdfast.errors import RetryableError
from holdfast.journal.chain import Line, extend, prove_as
from holdfast.journal.port import Group, Head
from holdfast.journal.reading import Rows, typed
from holdfast.journal.record import GENESIS, decode_event
from holdfast.platform.port import Change, Event, Look
from holdfast.telemetry.log import get_logger

log = get_logger("journal.platform")

T = TypeVar("T")

PATIENCE_S: Final = 5.0
"""For how long a change is tried again while other processes are quicker."""

_PAUSE_S: Final = 0.005
_PAGE: Final = 1000

_HEAD = "SELECT seq, hash FROM platform_head WHERE one = 1"
_BEGIN = "INSERT INTO platform_head (one, seq, hash) VALUES (1, 0, ?) ON CONFLICT (one) DO NOTHING"
_ADVANCE = "UPDATE platform_head SET seq = ?, hash = ? WHERE one = 1 AND seq = ? AND hash = ?"
_APPEND = "INSERT INTO platform_record (seq, body, hash) VALUES (?, ?, ?)"
_AFTER = "SELECT seq, body, hash FROM platform_record WHERE seq > ? ORDER BY seq LIMIT ?"
_BEFORE = "SELECT body FROM platform_record WHERE seq < ? ORDER BY seq DESC LIMIT ?"
_LAST = "SELECT body FROM platform_record ORDER BY seq DESC LIMIT ?"


class OvertakenError(Exception):
    """Another process appended meanwhile; nothing was written, and the change is run again."""


class Tables:
    """The tables on a connection, while it shows one moment."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        found = self._rows.execute(statement, _storable(parameters)).fetchall()
        return [tuple(row) for row in found]

    def row(self, statement: str, *parameters: object) -> tuple[Any, ...] | None:
        """The first row, or None."""
        found = self._rows.execute(statement, _storable(parameters)).fetchone()
        return None if found is None else tuple(found)


class Transaction(Tables):
    """The same within a transaction, with what is to be appended at its end."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.noted: list[AnyPlatformFact] = []

    def run(self, statement: str, *parameters: object) -> int:
        """Run a statement that answers no rows; how many it changed."""
        answer: Any = self._rows.execute(statement, _storable(parameters))
        return int(answer.rowcount)

    def note(self, *facts: AnyPlatformFact) -> None:
        """Append facts when the transaction is committed."""
        self.noted += facts


class PlatformTables(ABC):
    """A `platform.port.PlatformStore` but for its connections.

    Args:
        now_ns: the clock that records are stamped with.
    """

    def __init__(self, name: object, now_ns: Callable[[], int]) -> None:
        self._name = name
        self._now_ns = now_ns
        self.on_noted: Callable[[Sequence[AnyPlatformFact]], None] = _unheard

    def change(self, change: Callable[[Change], T]) -> T:
        """Commit what `change` does durably, with its facts, or nothing of it."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._transaction() as rows:
                    result, noted = self._changed(rows, change)
            except OvertakenError as error:
                if time.monotonic() > deadline_s:
                    raise RetryableError(
                        f"seen: other processes appended to {PLATFORM} of {self._name} first, for "
                        f"{PATIENCE_S:g} s; expected: a turn; nothing was written; do: try again"
                    ) from error
                time.sleep(random.uniform(0, _PAUSE_S))
            else:
                _tell(noted)
                self.on_noted(noted)
                return result

    def _changed(
        self, rows: Rows, change: Callable[[Change], T]
    ) -> tuple[T, list[AnyPlatformFact]]:
        head = platform_head(self._name, rows)  # before anything is looked at
        transaction = Transaction(rows)
        result = change(transaction)
        if transaction.noted:
            _append(rows, head, transaction.noted, self._now_ns())
        return result, transaction.noted

    def look(self, look: Callable[[Look], T]) -> T:
        """What `look` finds, as of one moment."""
        with self._moment() as rows:
            return look(Tables(rows))

    def head(self) -> int:
        """Sequence number of the stream's last record, 0 when there is none."""
        with self._moment() as rows:
            return platform_head(self._name, rows).seq

    def events(self, after_seq: int, limit: int) -> Sequence[Event]:
        """Up to `limit` records after `after_seq`, in order."""
        with self._moment() as rows:
            found = rows.execute(_AFTER, (after_seq, limit)).fetchall()
        return [decode_event(body) for _seq, body, _hash in found]

    def events_before(self, before_seq: int, limit: int) -> Sequence[Event]:
        """Up to `limit` records before `before_seq`, newest first; 0 begins at the end."""
        with self._moment() as rows:
            if before_seq:
                found = rows.execute(_BEFORE, (before_seq, limit)).fetchall()
            else:
                found = rows.execute(_LAST, (limit,)).fetchall()
        return [decode_event(body) for (body,) in found]

    @abstractmethod
    def close(self) -> None:
        """Release everything; may be called twice."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Rows]:
        """A transaction that ends durably with the block, or undone by what it raises.

        Raises:
            OvertakenError: the database gave way to another process.
        """

    @abstractmethod
    def _moment(self) -> AbstractContextManager[Rows]:
        """The database as of one moment."""


def _tell(noted: Iterable[AnyPlatformFact]) -> None:
    """A copy for whoever watches the log; the stream is what counts."""
    for fact in noted:
        more = msgspec.to_builtins(fact)
        what, by, user_id = (more.pop(name, "") for name in ("kind", "by", "user_id"))
        log.info("somebody did something", action="audit_event", what=what, by=by, user=user_id,
                 target=more.pop("account", "") or more.pop("target", ""), detail=more,
                 outcome="failed" if isinstance(fact, SignInFailed) else "done")


def _unheard(_facts: Sequence[AnyPlatformFact]) -> None:
    """Nobody counts them."""


def platform_head(name: object, rows: Rows) -> Head:
    """Where the platform's stream stands."""
    row = rows.execute(_HEAD).fetchone()
    seq, digest = typed(name, row, tuple[int, bytes]) if row else (0, GENESIS)
    return Head(PLATFORM, 0, 1, seq, digest)


def proved_events(name: object, rows: Rows) -> Iterator[Event]:
    """The whole stream in order, verified link by link.

    Args:
        rows: a connection that shows the database as of one moment.

    Raises:
        CorruptionError: the chain does not hold.
    """
    return prove_as(decode_event, platform_head(name, rows), _lines(name, rows))


def _lines(name: object, rows: Rows) -> Iterator[Line]:
    after_seq = 0
    while page := rows.execute(_AFTER, (after_seq, _PAGE)).fetchall():
        for row in page:
            yield Line(*typed(name, row, tuple[int, bytes, bytes]))
        after_seq = page[-1][0]


def _storable(parameters: Sequence[object]) -> tuple[object, ...]:
    """Text that somebody sent, without what no database takes: NUL, and halves of characters."""
    return tuple(
        value.replace("\0", "\ufffd").encode(errors="replace").decode()
        if isinstance(value, str)
        else value
        for value in parameters
    )


def _writable(fact: AnyPlatformFact) -> AnyPlatformFact:
    """A fact whose text, which may be of a request, can be encoded."""
    texts = {
        name: value.encode(errors="replace").decode()
        for name, value in msgspec.structs.asdict(fact).items()
        if isinstance(value, str) and not value.isascii()
    }
    return msgspec.structs.replace(fact, **texts) if texts else fact


def _append(rows: Rows, head: Head, facts: Sequence[AnyPlatformFact], at_ns: int) -> None:
    # A batch is linked alike, whichever facts it is of.
    group = Group(cast("tuple[AnyFact, ...]", tuple(map(_writable, facts))))
    batch = extend(head, [group], at_ns)
    if not head.seq:
        rows.execute(_BEGIN, (GENESIS,))
    end = batch.head
    advanced: Any = rows.execute(_ADVANCE, (end.seq, end.hash, head.seq, head.hash))
    if advanced.rowcount != 1:
        raise OvertakenError
    for number, (body, digest) in enumerate(zip(batch.bodies, batch.hashes, strict=True), 1):
        rows.execute(_APPEND, (head.seq + number, body, digest))
