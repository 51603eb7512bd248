"""Reading a journal in SQL, whichever database it is in: the statements are the same in each.

They have `?` for a parameter, as SQLite has it. Not here: connections (journal.sqlite_read,
journal.postgres_read) and writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, Protocol, TypeVar

import msgspec

from holdfast.domain.fact import Armed, CancelArmed
from holdfast.errors import CorruptionError
from holdfast.journal.chain import Line, prove
from holdfast.journal.port import Head, Snapshot
from holdfast.journal.record import GENESIS, Record, decode

T = TypeVar("T")

_ANY_EPOCH: Final = 2**63 - 1
_PAGE: Final = 1000
"""Records asked for at once: no client keeps a whole stream in memory."""

_HEAD = "SELECT account, epoch, generation, seq, hash FROM head WHERE account = ?"
_HEADS = "SELECT account, epoch, generation, seq, hash FROM head ORDER BY account"
_HASH = "SELECT hash FROM record WHERE account = ? AND seq = ?"
_RECORDS = """
    SELECT seq, body, hash FROM record WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?
"""
_ATTEMPT = """
    SELECT a.seq, r.body FROM attempt a
    LEFT JOIN record r ON r.account = a.account AND r.seq = a.seq
    WHERE a.account = ? AND a.cid = ?
"""
_ATTEMPTS_LIKE = """
    SELECT cid, seq FROM attempt WHERE account = ? AND n IS NOT NULL AND substr(cid, 1, ?) = ?
    ORDER BY cid LIMIT ?
"""
_ONE_RECORD = """
    SELECT r.seq, r.body, r.hash, b.hash FROM record r
    LEFT JOIN record b ON b.account = r.account AND b.seq = r.seq - 1
    WHERE r.account = ? AND r.seq = ?
"""
_SNAPSHOTS = """
    SELECT s.account, s.seq, s.hash, s.body, s.digest FROM snapshot s
    JOIN record r ON r.account = s.account AND r.seq = s.seq AND r.hash = s.hash
    WHERE s.account = ? ORDER BY s.seq DESC
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
    found = rows.execute(_HEADS).fetchall()
    return [Head(*typed(name, row, tuple[str, int, int, int, bytes])) for row in found]


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


def orders_like(rows: Rows, account: str, beginning: str, most: int) -> list[tuple[str, int]]:
    """Client ids of orders that begin so, and the records that armed them, by id; at most `most`.

    Looks at the index of all attempts, which takes a second where there are ten million.
    """
    parameters = (account, len(beginning), beginning, most)
    return [(cid, seq) for cid, seq in rows.execute(_ATTEMPTS_LIKE, parameters).fetchall()]


def armed_at(
    name: object, rows: Rows, account: str, cids: Iterable[str]
) -> Iterator[tuple[str, int, int]]:
    """Client id, record and journal time (ns) of each order among `cids` that was armed."""
    for cid in cids:
        row = rows.execute(_ATTEMPT, (account, cid)).fetchone()
        if row is not None:
            seq, body = typed(name, row, tuple[int, bytes])
            yield cid, seq, decode(body).at_ns


def records_at(name: object, rows: Rows, account: str, seqs: Iterable[int]) -> Iterator[Record]:
    """Single records, in the order asked for, each proved by the hash of the one before it.

    Raises:
        CorruptionError: one is not there, or its link does not hold.
    """
    for seq in seqs:
        row = rows.execute(_ONE_RECORD, (account, seq)).fetchone()
        if row is None:
            raise CorruptionError(
                f"seen: {name}: no record {seq} of {account}; expected: the one that was spoken "
                "of; do: stop, and run `holdfast audit verify`"
            )
        stored, body, digest, before = typed(name, row, tuple[int, bytes, bytes, bytes | None])
        end = Head(account, _ANY_EPOCH, 1, stored, digest)
        yield from prove(end, [Line(stored, body, digest)], seq - 1, before or GENESIS)


def snapshot_of(rows: Rows, account: str) -> Snapshot | None:
    """The newest snapshot that is whole and on the chain, or None: who folds goes on from there."""
    for stored, seq, link, body, digest in rows.execute(_SNAPSHOTS, (account,)).fetchall():
        if not (isinstance(link, bytes) and isinstance(body, bytes)):
            continue  # SQLite keeps any type in any column
        snapshot = Snapshot(stored, seq, link, body)
        if snapshot_digest(snapshot) == digest:
            return snapshot
    return None


def snapshot_digest(snapshot: Snapshot) -> bytes:
    """What is stored beside a snapshot, so that changed bytes are seen (32 bytes)."""
    place = f"{snapshot.account}\0{snapshot.seq}\0".encode()
    return sha256(place + snapshot.hash + snapshot.body).digest()
