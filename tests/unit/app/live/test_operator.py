"""Looking at an account costs what came since a snapshot, and not what its stream holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from holdfast.app.live.operator import account_state, story
from holdfast.app.live.start import start_at
from holdfast.domain.order import Side
from holdfast.errors import ConfigError, CorruptionError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.reading import head_of, records_at
from holdfast.journal.tail import Tail
from tests.support.postgres import database
from tests.support.report_stream import ACCOUNT, folded, order, save_snapshot, stream, write

TRADES = 10
SAVED_SEQ = 60


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as stack:
        found: Database
        if request.param == "sqlite":
            found = SqliteDatabase(tmp_path / "journal.db")
        else:
            found = PostgresDatabase(stack.enter_context(database()), tmp_path)
        stack.callback(found.close)
        write(found, stream(TRADES))
        yield found


def test_an_account_begins_at_its_newest_snapshot(tmp_path: Path) -> None:
    """What lies before it is not even read: damage there is for `audit verify` to find."""
    journal = SqliteDatabase(tmp_path / "journal.db")
    write(journal, stream(TRADES))
    whole = folded(journal)
    save_snapshot(journal, SAVED_SEQ)
    with closing(sqlite3.connect(journal.name)) as file, file:
        file.execute("UPDATE record SET body = x'00' WHERE seq = ?", (SAVED_SEQ - 20,))
    assert account_state(journal, ACCOUNT) == whole
    with closing(sqlite3.connect(journal.name)) as file, file:
        file.execute("UPDATE record SET body = x'00' WHERE seq = ?", (SAVED_SEQ + 1,))
    with pytest.raises(CorruptionError):
        account_state(journal, ACCOUNT)


def test_it_is_the_same_with_a_snapshot_and_without(journal: Database) -> None:
    before = account_state(journal, ACCOUNT)
    save_snapshot(journal, SAVED_SEQ)
    assert account_state(journal, ACCOUNT) == before == folded(journal)
    with pytest.raises(ConfigError, match="no records of account other"):
        account_state(journal, "other")


def test_the_story_of_an_order_is_found_by_the_beginning_of_its_id(journal: Database) -> None:
    one = order(4, "", Side.BUY, "1").cid
    told = story(journal, ACCOUNT, one)
    kinds = [type(entry.fact).__name__ for entry in told]
    assert kinds == ["Armed", "AttemptMoved", "OrderMoved", "Filled", "Filled", "OrderMoved"]
    with pytest.raises(ConfigError, match="several orders"):
        story(journal, ACCOUNT, one[:1])
    with pytest.raises(ConfigError, match="no order"):
        story(journal, ACCOUNT, "nothing-like-it")


def test_single_records_are_proved_by_the_one_before(journal: Database) -> None:
    with journal.one_moment() as rows:
        found = list(records_at(journal.name, rows, ACCOUNT, [7, 1, 50]))
        assert [record.seq for record in found] == [7, 1, 50]
        with pytest.raises(CorruptionError, match="no record 9999"):
            list(records_at(journal.name, rows, ACCOUNT, [9999]))


def test_a_tail_that_is_far_behind_comes_in_steps(journal: Database) -> None:
    tail: Tail = journal.tail()
    with journal.one_moment() as rows:
        end = head_of(journal.name, rows, ACCOUNT)
    (head,) = tail.heads()
    assert head == end
    known = start_at(ACCOUNT, None).end
    seqs: list[int] = []
    while known.seq < end.seq:
        known, records = tail.since(known, 7)
        assert 0 < len(records) <= 7
        seqs += [record.seq for record in records]
    assert seqs == list(range(1, end.seq + 1))
    assert tail.since(known) == (end, [])
    tail.close()
