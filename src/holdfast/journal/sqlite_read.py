"""Reading a journal file beside its writer: nothing here can lock it out or change it.

Not here: anything that writes (journal.sqlite_file).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from holdfast.domain.fact import Armed, CancelArmed
from holdfast.errors import CorruptionError
from holdfast.journal.chain import Line, prove
from holdfast.journal.port import Head
from holdfast.journal.record import GENESIS, Record, decode
from holdfast.journal.sqlite_connect import (
    BUSY_TIMEOUT_S,
    SQLITE_ERRORS,
    connect,
    raise_translated,
    typed,
)
from holdfast.journal.version import require_current, stored_version

_HEAD = "SELECT account, epoch, generation, seq, hash FROM head WHERE account = ?"
_HASH = "SELECT hash FROM record WHERE account = ? AND seq = ?"
_RECORDS = "SELECT seq, body, hash FROM record WHERE account = ? AND seq > ? ORDER BY seq"

_ATTEMPT = """
    SELECT a.seq, r.body FROM attempt a
    LEFT JOIN record r ON r.account = a.account AND r.seq = a.seq
    WHERE a.account = ? AND a.cid = ?
"""


def head_of(path: Path, connection: sqlite3.Connection, account: str) -> Head:
    """The head as stored; epoch 0 when nobody ever acquired the stream."""
    row = connection.execute(_HEAD, (account,)).fetchone()
    if row is None:
        return Head(account, 0, 1, 0, GENESIS)
    return Head(*typed(path, row, tuple[str, int, int, int, bytes]))


def hash_at(path: Path, connection: sqlite3.Connection, account: str, seq: int) -> bytes | None:
    """Chain hash of one record as stored; None when there is no such record."""
    row = connection.execute(_HASH, (account, seq)).fetchone()
    return typed(path, row, tuple[bytes])[0] if row else None


def read_stream(
    path: Path, account: str, after_seq: int = 0, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Iterator[Record]:
    """Records in order, all as of one moment, verified link by link.

    Raises:
        ConfigError: there is no such file, or its schema is not the one of this program.
        CorruptionError: the file is damaged or the chain does not hold.
        RetryableError: the file cannot be read now.
    """
    with one_moment(path, busy_timeout_s) as connection:
        yield from proved(path, connection, account, after_seq)


@contextmanager
def one_moment(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[sqlite3.Connection]:
    """A connection that shows the file as of one moment, whatever is written meanwhile.

    Raises:
        As `read_stream`; what SQLite raises inside is translated as well.
    """
    with closing(connect(path, busy_timeout_s, read_only=True)) as connection:
        try:
            require_current(path, stored_version(connection))
            connection.execute("BEGIN")
            yield connection
        except SQLITE_ERRORS as error:
            raise_translated(path, error)


def proved(
    path: Path, connection: sqlite3.Connection, account: str, after_seq: int = 0
) -> Iterator[Record]:
    """Records in order, verified link by link, over a connection of `one_moment`."""
    head = head_of(path, connection, account)
    before = hash_at(path, connection, account, after_seq) or GENESIS
    rows = connection.execute(_RECORDS, (account, after_seq))
    lines = (Line(*typed(path, row, tuple[int, bytes, bytes])) for row in rows)
    yield from prove(head, lines, after_seq, before)


def find_attempt(
    path: Path, account: str, cid: str, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Armed | CancelArmed | None:
    """The order or cancel that was armed under `cid`, however long ago; None when none was.

    Raises:
        As `read_stream`; CorruptionError also when the record behind the row is not of this id.
    """
    with closing(connect(path, busy_timeout_s, read_only=True)) as connection:
        try:
            require_current(path, stored_version(connection))
            row = connection.execute(_ATTEMPT, (account, cid)).fetchone()
        except SQLITE_ERRORS as error:
            raise_translated(path, error)
    if row is None:
        return None
    seq, body = typed(path, row, tuple[int, bytes | None])
    fact = decode(body).fact if body is not None else None
    if isinstance(fact, Armed | CancelArmed) and fact.cid == cid:
        return fact
    raise CorruptionError(
        f"seen: {path}: attempt {cid} of {account} without its record {seq}; expected: the record "
        "that armed it; do: stop, and run `holdfast audit verify`"
    )


def stored_heads(path: Path, busy_timeout_s: float = BUSY_TIMEOUT_S) -> list[Head]:
    """The heads of all streams in the file, by account.

    Raises:
        As `read_stream`.
    """
    with closing(connect(path, busy_timeout_s, read_only=True)) as connection:
        try:
            require_current(path, stored_version(connection))
            accounts = connection.execute("SELECT account FROM head ORDER BY account").fetchall()
            return [head_of(path, connection, account) for (account,) in accounts]
        except SQLITE_ERRORS as error:
            raise_translated(path, error)
