"""Comparing the tables of what must be unique with the stream: what is missing, what is too much.

Not here: the stream's own chain (journal.chain), what claims which row (journal.claim_tables).
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.journal.claim_tables import CLAIMING, TABLES, Claiming, Row
from holdfast.journal.reading import Rows, typed
from holdfast.journal.record import Record, decode

_NAMED: Final = 20  # of a table that is gone altogether, nobody wants to read every row


class Wrong(StrEnum):
    """What is wrong with a row."""

    MISSING = "missing"  # a record claims it
    EXTRA = "extra"  # no record claims it
    DIFFERENT = "different"  # the record that claims it says something else


class BadRow(msgspec.Struct, frozen=True):
    """A row of which table and stream do not say the same.

    Attributes:
        key: what makes it unique, for people.
        seq: of the record that claims it; of an extra row, what it names as that, 0 without any.
    """

    table: str
    key: str
    seq: int
    what: Wrong


class RowCheck:
    """Compares the rows of one account, all as of one moment of the database.

    Attributes:
        compared: how many rows the stream claims.
        bad: the first of those that do not agree.
        bad_count: how many do not.
    """

    def __init__(self, name: object, rows: Rows, account: str) -> None:
        self.compared = 0
        self.bad: list[BadRow] = []
        self.bad_count = 0
        self._name = name
        self._rows = rows
        self._account = account
        self._different: set[tuple[str, Row]] = set()
        self._found: Counter[str] = Counter()  # rows that some record claims, right or not
        self._select = {table: _select(claiming) for table, claiming in TABLES.items()}

    def take(self, record: Record) -> None:
        """The next record of the stream: what it claims must stand in its table."""
        claiming = CLAIMING.get(type(record.fact))
        row = claiming.row_of(self._account, record.seq, record.fact) if claiming else None
        if claiming is None or row is None:
            return
        self.compared += 1
        key = _key(claiming, row)
        found = self._rows.execute(
            self._select[claiming.table], (self._account, *key)
        ).fetchone()
        if found is None:
            self._note(claiming, key, record.seq, Wrong.MISSING)
            return
        self._found[claiming.table] += 1
        if found != row:
            self._different.add((claiming.table, key))
            self._note(claiming, key, record.seq, Wrong.DIFFERENT)

    def finish(self) -> None:
        """The stream is at its end: nothing else may stand in the tables."""
        for table, claiming in TABLES.items():
            counted = self._rows.execute(
                f"SELECT count(*) FROM {table} WHERE account = ?",  # noqa: S608 - a name of ours
                (self._account,),
            ).fetchone()
            (stored,) = typed(self._name, counted, tuple[int])
            if stored > self._found[table]:
                self._name_extra(claiming)

    def _name_extra(self, claiming: Claiming) -> None:
        columns = ", ".join(f"t.{column}" for column in claiming.columns)
        rows = self._rows.execute(
            f"SELECT r.body, {columns} FROM {claiming.table} t "  # noqa: S608 - names of ours
            "LEFT JOIN record r ON r.account = t.account AND r.seq = t.seq "
            "WHERE t.account = ? ORDER BY t.seq",
            (self._account,),
        )
        for body, *row in rows:
            key = _key(claiming, tuple(row))
            claimed = (claiming.table, key) in self._different or key == self._claimed(body, row[1])
            if not claimed:
                self._note(claiming, key, row[1] if isinstance(row[1], int) else 0, Wrong.EXTRA)

    def _claimed(self, body: bytes | None, seq: int) -> Row | None:
        """The key that the record with this body claims."""
        fact = decode(body).fact if body is not None else None
        claiming = CLAIMING.get(type(fact))
        row = claiming.row_of(self._account, seq, fact) if claiming is not None else None
        return _key(claiming, row) if claiming is not None and row is not None else None

    def _note(self, claiming: Claiming, key: Row, seq: int, what: Wrong) -> None:
        self.bad_count += 1
        if len(self.bad) < _NAMED:
            named = ", ".join(f"{c} {v}" for c, v in zip(claiming.key, key, strict=True))
            self.bad.append(BadRow(claiming.table, named, seq, what))


def accounts_with_rows(rows: Rows) -> set[str]:
    """Every account that some row is of, whether it has a stream or not."""
    union = " UNION ".join(f"SELECT account FROM {table}" for table in TABLES)  # noqa: S608
    return {str(account) for (account,) in rows.execute(union)}


def _key(claiming: Claiming, row: Row) -> Row:
    return row[2 : 2 + len(claiming.key)]


def _select(claiming: Claiming) -> str:
    columns = ", ".join(claiming.columns)
    where = " AND ".join(f"{column} = ?" for column in ("account", *claiming.key))
    return f"SELECT {columns} FROM {claiming.table} WHERE {where}"  # noqa: S608 - names of ours
