"""A byte of the file changes: either nothing that was written is different, or it is noticed."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import ConfigError, CorruptionError, RetryableError
from holdfast.journal.claim_tables import TABLES
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.high_water import HighWater
from holdfast.journal.port import Group
from holdfast.journal.record import Record
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.sqlite_read import one_moment, read_stream
from holdfast.journal.verify import verify
from tests.support.journal_facts import acked, armed, decided, filled

ORDERS = 40


@pytest.fixture(scope="module")
def journal() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "journal.db"
        file = SqliteFile(path)
        head = file.acquire("main", "a")
        for number in range(1, ORDERS + 1):
            group = Group((decided(number), armed(number), acked(number), filled(str(number))))
            head, _ = file.commit(head, [group], number)
        # As a crash leaves it: most of it in the log. And as a clean end leaves it: none of it.
        shutil.copy(path, path.with_name("crashed.db"))
        shutil.copy(path.with_name("journal.db-wal"), path.with_name("crashed.db-wal"))
        HighWater.beside(path, "main").write(head)
        file.close()
        yield path


def whole(path: Path) -> list[Record]:
    return list(read_stream(path, "main"))


def changed(source: Path, target: Path, place: float, mask: int) -> None:
    content = bytearray(source.read_bytes())
    content[int(place * (len(content) - 1))] ^= mask
    target.write_bytes(content)


def rows(path: Path) -> list[list[tuple[object, ...]]]:
    with one_moment(path) as connection:
        return [
            connection.execute(f"SELECT * FROM {table}").fetchall()  # a name of ours
            for table in TABLES
        ]


places = st.floats(0, 1, allow_nan=False)
masks = st.integers(1, 255)


@settings(max_examples=150, deadline=None)
@given(place=places, mask=masks)
def test_a_changed_byte_of_the_file_changes_no_record_unnoticed(
    journal: Path, place: float, mask: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "journal.db"
        changed(journal, copy, place, mask)
        try:
            seen = whole(copy)
        except (CorruptionError, ConfigError, RetryableError):
            return
        assert seen == whole(journal)


@settings(max_examples=150, deadline=None)
@given(place=places, mask=masks)
def test_a_changed_byte_of_the_file_changes_no_row_beside_the_records_unnoticed(
    journal: Path, place: float, mask: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "journal.db"
        changed(journal, copy, place, mask)
        try:
            report = verify(SqliteDatabase(copy))
        except (ConfigError, RetryableError):
            return
        assert not report.ok or rows(copy) == rows(journal)


@settings(max_examples=100, deadline=None)
@given(place=places, mask=masks)
def test_a_changed_byte_of_the_log_changes_no_record_unnoticed(
    journal: Path, place: float, mask: int
) -> None:
    """SQLite takes the first bad frame for the end of the log: the mark of the node tells."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "journal.db"
        shutil.copy(journal.with_name("crashed.db"), copy)
        log = journal.with_name("crashed.db-wal")
        changed(log, copy.with_name("journal.db-wal"), place, mask)
        mark = HighWater(journal.with_name("journal.db.main.highwater"), "main")

        async def opened() -> None:
            store = SqliteStore(copy, inline=True)
            try:
                await mark.check(store)
            finally:
                await store.close()

        try:
            asyncio.run(opened())
            seen = whole(copy)
        except (CorruptionError, ConfigError, RetryableError):
            return
        assert seen == whole(journal)
