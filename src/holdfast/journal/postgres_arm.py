"""The one statement that commits a batch to PostgreSQL, and its parameters as bytes.

It checks epoch and end of the stream, moves the head, and inserts records and claims: no lock is
held between two statements, so a writer that freezes holds none. Not here: sending it
(journal.postgres_line).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from holdfast.journal.chain import Batch
from holdfast.journal.claim_tables import CLAIMING, TABLES, Row
from holdfast.journal.port import Head

_BYTEA, _INT8, _TEXT = 17, 20, 25  # pg_type; fixed since the beginning
_TYPES: Final = {_BYTEA: "bytea", _INT8: "bigint", _TEXT: "text"}
_INTEGERS: Final = frozenset({"seq", "n"})

_FIXED: Final = """
WITH advanced AS (
    UPDATE head SET seq = $5, hash = $6
    WHERE account = $1 AND epoch = $2 AND seq = $3 AND hash = $4
    RETURNING account
), recorded AS (
    INSERT INTO record (account, seq, body, hash)
    SELECT account, r.seq, r.body, r.hash
    FROM advanced, unnest($7::bigint[], $8::bytea[], $9::bytea[]) AS r (seq, body, hash)
)"""



class Statement(msgspec.Struct, frozen=True):
    """SQL for one set of tables; the server prepares it once under its name.

    Attributes:
        tables: the tables of claims that it inserts into, in order.
    """

    name: bytes
    text: bytes
    tables: tuple[str, ...]


def arming(batch: Batch, held: Head) -> tuple[Statement, list[bytes]]:
    """The statement that appends `batch` to the stream at `held`, and its binary parameters.

    It answers with one row: 1 when the stream was there, else 0 and nothing is written.
    """
    end, account = batch.head, held.account
    claimed = _claimed(batch, account)
    tables = tuple(table for table in TABLES if table in claimed)
    parameters = [
        account.encode(), _int(held.epoch), _int(held.seq), held.hash, _int(end.seq), end.hash,
        _array(_INT8, map(_int, range(held.seq + 1, end.seq + 1)), len(batch.bodies)),
        _array(_BYTEA, batch.bodies, len(batch.bodies)),
        _array(_BYTEA, batch.hashes, len(batch.hashes)),
    ]  # fmt: skip
    for table in tables:
        rows = claimed[table]
        columns = TABLES[table].columns[1:]
        for place, column in enumerate(columns, 1):
            values = (_bytes(row[place]) for row in rows)
            parameters.append(_array(_type(column), values, len(rows)))
    return _statement(tables), parameters


def _claimed(batch: Batch, account: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for records in batch.records:
        for record in records:
            claiming = CLAIMING.get(type(record.fact))
            row = claiming.row_of(account, record.seq, record.fact) if claiming else None
            if claiming is not None and row is not None:
                found.setdefault(claiming.table, []).append(row)
    return found


_STATEMENTS: dict[tuple[str, ...], Statement] = {}


def _statement(tables: tuple[str, ...]) -> Statement:
    known = _STATEMENTS.get(tables)
    if known is None:
        name = "_".join(("arm", *tables)).encode()[:63]
        known = _STATEMENTS[tables] = Statement(name, _text(tables).encode(), tables)
    return known


def _text(tables: Iterable[str]) -> str:
    parts, number = [_FIXED], 9
    for table in tables:
        columns = TABLES[table].columns[1:]
        arrays = []
        for column in columns:
            number += 1
            arrays.append(f"${number}::{_TYPES[_type(column)]}[]")
        named = ", ".join(columns)
        parts.append(
            f", {table}_claimed AS (\n"  # noqa: S608 - names of ours
            f"    INSERT INTO {table} (account, {named})\n"
            f"    SELECT account, {', '.join(f'c.{column}' for column in columns)}\n"
            f"    FROM advanced, unnest({', '.join(arrays)}) AS c ({named})\n)"
        )
    return "".join(parts) + "\nSELECT count(*) FROM advanced"


def _type(column: str) -> int:
    return _INT8 if column in _INTEGERS else _TEXT


def _int(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def _bytes(value: object) -> bytes | None:
    if value is None:
        return None
    return _int(value) if isinstance(value, int) else str(value).encode()


def _array(kind: int, values: Iterable[bytes | None], count: int) -> bytes:
    """A one-dimensional array in PostgreSQL's binary form."""
    parts = [struct.pack(">iiIii", 1, 1, kind, count, 1)]
    for value in values:
        parts.append(struct.pack(">i", -1 if value is None else len(value)))
        if value is not None:
            parts.append(value)
    return b"".join(parts)
