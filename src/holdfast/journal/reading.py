"""Reading a journal in SQL, whichever database it is in: the statements are the same in each.

They have `?` for a parameter, as SQLite has it. Not here: connections (journal.sqlite_read,
journal.postgres_read) and writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, Protocol, TypeVar

import msgspec

from holdfast.domain.fact import Armed, CancelArmed
from holdfast.errors import CorruptionError
from holdfast.journal.chain import Line, prove
from holdfast.journal.port import Head, Snapshot
from holdfast.journal.record import GENESIS, Record, decode

T = TypeVar("T")

_PAGE: Final = 1000
"""Records asked for at once: no client keeps a whole stream in memory."""

_HEAD = "SELECT account, epoch, generation, seq, hash FROM head WHERE account = ?"
_ACCOUNTS = "SELECT account FROM head ORDER BY account"
_HASH = "SELECT hash FROM record WHERE account = ? AND seq = ?"
_RECORDS = """
    SELECT seq, body, hash FROM record WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?
"""
_ATTEMPT = """
    SELECT a.seq, r.body FROM attempt a
    LEFT JOIN record r ON r.account = a.account AND r.seq = a.seq
    WHERE a.account = ? AND a.cid = ?
"""


class Answer(Protocol):
    """The rows of one statement."""

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Rows(Protocol):
    """A connection, as far as reading needs one; sqlite3's is one."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Answer:
        """Run one statement with `?` for each parameter."""
        ...


def typed(name: object, row: object, shape: type[T]) -> T:
    """`row` as a tuple of the types in `shape`; SQLite keeps any type in any column.

    Args:
        name: of the database, for the error.

    Raises:
        CorruptionError: a value is of another type.
    """
    try:
        return msgspec.convert(row, shape)
    except msgspec.ValidationError as error:
        raise CorruptionError(
            f"seen: {name} is damaged (a row {error}); expected: a journal; do: stop, keep it with "
            "its neighbours for evidence, and restore a backup"
        ) from error


def head_of(name: object, rows: Rows, account: str) -> Head:
    """The head as stored; epoch 0 when nobody ever acquired the stream."""
    row = rows.execute(_HEAD, (account,)).fetchone()
    if row is None:
        return Head(account, 0, 1, 0, GENESIS)
    return Head(*typed(name, row, tuple[str, int, int, int, bytes]))


def all_heads(name: object, rows: Rows) -> list[Head]:
    """The heads of all streams, by account."""
    return [head_of(name, rows, account) for (account,) in rows.execute(_ACCOUNTS).fetchall()]


def hash_of(name: object, rows: Rows, account: str, seq: int) -> bytes | None:
    """Chain hash of one record as stored; None when there is no such record."""
    row = rows.execute(_HASH, (account, seq)).fetchone()
    return typed(name, row, tuple[bytes])[0] if row else None


def proved(name: object, rows: Rows, account: str, after_seq: int = 0) -> Iterator[Record]:
    """Records in order, verified link by link.

    Args:
        rows: a connection that shows the database as of one moment.

    Raises:
        CorruptionError: the chain does not hold.
    """
    head = head_of(name, rows, account)
    before = hash_of(name, rows, account, after_seq) or GENESIS
    yield from prove(head, lines_of(name, rows, account, after_seq), after_seq, before)


def lines_of(name: object, rows: Rows, account: str, after_seq: int = 0) -> Iterator[Line]:
    """Records as stored, in order, unproved."""
    while True:
        page = rows.execute(_RECORDS, (account, after_seq, _PAGE)).fetchall()
        for row in page:
            yield Line(*typed(name, row, tuple[int, bytes, bytes]))
        if len(page) < _PAGE:
            return
        after_seq = page[-1][0]


def attempt_of(name: object, rows: Rows, account: str, cid: str) -> Armed | CancelArmed | None:
    """The order or cancel that was armed under `cid`, however long ago; None when none was.

    Raises:
        CorruptionError: the record behind the row is not there, or not of this id.
    """
    row = rows.execute(_ATTEMPT, (account, cid)).fetchone()
    if row is None:
        return None
    seq, body = typed(name, row, tuple[int, bytes | None])
    fact = decode(body).fact if body is not None else None
    if isinstance(fact, Armed | CancelArmed) and fact.cid == cid:
        return fact
    raise CorruptionError(
        f"seen: {name}: attempt {cid} of {account} without its record {seq}; expected: the record "
        "that armed it; do: stop, and run `holdfast audit verify`"
    )


def snapshot_digest(snapshot: Snapshot) -> bytes:
    """What is stored beside a snapshot, so that changed bytes are seen (32 bytes)."""
    place = f"{snapshot.account}\0{snapshot.seq}\0".encode()
    return sha256(place + snapshot.hash + snapshot.body).digest()
