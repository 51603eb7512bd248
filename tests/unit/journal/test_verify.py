"""What must be unique is kept in tables of its own: they and the stream must say the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.domain.fact import AnyFact, CancelArmed
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.verify import verify
from tests.support.journal_facts import acked, armed, decided, filled, flow, moved, taken

CANCEL = CancelArmed(
    cid="c0", target="t", symbol="BTC/USDT", boot_id="b", timestamp_ms=1, window_ms=2
)
FACTS: list[AnyFact] = [
    decided(1), armed(1), acked(1), CANCEL, moved(1), filled("t1"), flow("f1"), flow(), taken("x1"),
]  # fmt: skip
ROWS = 6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """One stream with a fact of each kind that claims something, and some that claim nothing."""
    file = SqliteFile(tmp_path / "journal.db")
    file.commit(file.acquire("main", "a"), [Group((fact,)) for fact in FACTS], 1)
    file.close()
    return file.path


def alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()


def test_tables_that_say_what_the_stream_says_are_proved_with_it(path: Path) -> None:
    report = verify(SqliteDatabase(path))
    assert (report.ok, report.records, report.streams[0].rows) == (True, len(FACTS), ROWS)
    assert report.streams[0].bad_rows == ()


@pytest.mark.parametrize(
    ("table", "key", "seq"),
    [
        ("decision", "bot sma, key 1", 1),
        ("attempt", f"cid {armed(1).cid}", 2),
        ("attempt", "cid c0", 4),
        ("fill_key", "symbol BTC/USDT, trade_id t1", 6),
        ("cash_flow_key", "flow_id f1", 7),
        ("command_taken", "command_id x1", 9),
    ],
)
def test_a_row_that_is_missing_is_named(path: Path, table: str, key: str, seq: int) -> None:
    alter(path, f"DELETE FROM {table} WHERE seq = {seq}")

    (stream,) = verify(SqliteDatabase(path)).streams

    (bad,) = stream.bad_rows
    assert (bad.table, bad.key, bad.seq, bad.what.value) == (table, key, seq, "missing")
    assert stream.first_bad is None  # the chain itself holds
    assert not verify(SqliteDatabase(path)).ok


@pytest.mark.parametrize(
    ("statement", "table", "key"),
    [
        ("INSERT INTO attempt VALUES ('main', 'x', NULL, NULL, 3)", "attempt", "cid x"),
        ("INSERT INTO attempt VALUES ('main', 'x', 'i', 1, 99)", "attempt", "cid x"),
        ("INSERT INTO decision VALUES ('main', 'b', 'k', 1)", "decision", "bot b, key k"),
        ("INSERT INTO fill_key VALUES ('main', 'B/U', 't', 6)", "fill_key",
         "symbol B/U, trade_id t"),
        ("INSERT INTO cash_flow_key VALUES ('main', 'f', 8)", "cash_flow_key", "flow_id f"),
        ("INSERT INTO command_taken VALUES ('main', 'c', 9)", "command_taken", "command_id c"),
    ],
)  # fmt: skip
def test_a_row_too_many_is_named(path: Path, statement: str, table: str, key: str) -> None:
    alter(path, statement)

    (stream,) = verify(SqliteDatabase(path)).streams

    (bad,) = stream.bad_rows
    assert (bad.table, bad.key, bad.what.value) == (table, key, "extra")


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE attempt SET seq = 5 WHERE seq = 2", "attempt"),
        ("UPDATE attempt SET n = 7 WHERE seq = 2", "attempt"),
        ("UPDATE attempt SET intent_id = 'other' WHERE seq = 2", "attempt"),
        ("UPDATE attempt SET intent_id = 'some', n = 1 WHERE seq = 4", "attempt"),
        ("UPDATE fill_key SET seq = 'six' WHERE seq = 6", "fill_key"),
        ("UPDATE fill_key SET seq = x'06' WHERE seq = 6", "fill_key"),
    ],
)
def test_a_row_that_says_something_else_is_named(path: Path, statement: str, table: str) -> None:
    alter(path, statement)

    (stream,) = verify(SqliteDatabase(path)).streams

    (bad,) = stream.bad_rows
    assert (bad.table, bad.what.value) == (table, "different")


def test_one_row_renamed_is_one_missing_and_one_too_many(path: Path) -> None:
    alter(path, "UPDATE fill_key SET trade_id = 't2' WHERE trade_id = 't1'")

    (stream,) = verify(SqliteDatabase(path)).streams

    assert [(bad.what.value, bad.key) for bad in stream.bad_rows] == [
        ("missing", "symbol BTC/USDT, trade_id t1"),
        ("extra", "symbol BTC/USDT, trade_id t2"),
    ]


def test_rows_of_an_account_that_has_no_stream_are_named(path: Path) -> None:
    alter(path, "INSERT INTO fill_key VALUES ('nobody', 'BTC/USDT', 't1', 6)")

    report = verify(SqliteDatabase(path))

    assert [(stream.account, stream.records) for stream in report.streams] == [
        ("main", len(FACTS)),
        ("nobody", 0),
    ]
    assert [bad.what.value for bad in report.streams[1].bad_rows] == ["extra"]
    assert not report.ok
    assert verify(SqliteDatabase(path), "main").ok


def test_of_many_bad_rows_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "journal.db")
    file.commit(file.acquire("main", "a"), [Group((armed(n),)) for n in range(100)], 1)
    file.connection().execute("DELETE FROM attempt")
    file.close()

    (stream,) = verify(SqliteDatabase(file.path)).streams

    assert [bad.seq for bad in stream.bad_rows] == list(range(1, 21))
    assert stream.bad_row_count == 100


def test_a_stream_that_is_broken_itself_is_not_compared(path: Path) -> None:
    alter(path, "DELETE FROM record WHERE seq = 5")

    (stream,) = verify(SqliteDatabase(path)).streams

    assert stream.first_bad is not None
    assert (stream.rows, stream.bad_rows) == (0, ())
