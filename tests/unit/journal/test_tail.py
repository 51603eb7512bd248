"""Following a file: what stands still is not looked at, and nothing that was written is missed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.errors import CorruptionError, RetryableError
from holdfast.journal.port import Head
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.sqlite_read import SqliteReading
from holdfast.journal.tail import Tail
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed
from tests.support.waiting import PATIENCE_S

MAIN, OTHER = "main", "other"


class CountingReading(SqliteReading):
    """Counts its looks."""

    looks = 0

    def moment(self) -> Any:
        self.looks += 1
        return super().moment()


def test_what_stands_still_is_not_looked_at_and_what_grows_is(tmp_path: Path) -> None:
    asyncio.run(_followed(tmp_path / "journal.db"))


async def _followed(path: Path) -> None:
    store = SqliteStore(path, inline=True)
    writers = {name: JournalWriter(store, await store.acquire(name, "a")) for name in (MAIN, OTHER)}
    reading = CountingReading(path)
    tail = Tail(path, lambda: reading)
    numbers: Iterator[int] = iter(range(100))
    ends = {name: writers[name].head for name in writers}
    for grows in (MAIN, OTHER, MAIN):
        await writers[grows].append(armed(next(numbers)))
        for name in (MAIN, OTHER):
            before: Head = ends[name]
            ends[name], records = tail.since(before)
            assert len(records) == (name == grows)
            assert ends[name] == writers[name].head
    looks = reading.looks
    for name in (MAIN, OTHER, MAIN):
        assert tail.since(ends[name]) == (ends[name], [])
    assert reading.looks == looks, "nothing was committed since"
    tail.close()
    await store.close()


class SlowReading(SqliteReading):
    """Says whether it was released while somebody looked."""

    is_looking = False
    was_taken_away = False

    def close(self) -> None:
        self.was_taken_away |= self.is_looking
        super().close()


def test_a_connection_is_not_taken_away_from_who_looks(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(SqliteStore(path, inline=True).close())
    reading, begun, go_on = SlowReading(path), threading.Event(), threading.Event()
    tail = Tail(path, lambda: reading)

    def read(_rows: object) -> None:
        reading.is_looking = True
        begun.set()
        assert go_on.wait(PATIENCE_S)
        reading.is_looking = False

    looking = threading.Thread(target=tail.look, args=(read,))
    looking.start()
    assert begun.wait(PATIENCE_S)
    closing = threading.Thread(target=tail.close)  # whoever looked was cancelled, its thread not
    closing.start()
    closing.join(0.1)  # a connection that is taken away is so at once
    go_on.set()
    looking.join()
    closing.join()
    assert not reading.was_taken_away


class Replaying(SqliteReading):
    """A standby that has not replayed everything, until it is promoted: when it is asked."""

    is_closed = False
    is_replaying = True

    def lags(self) -> bool:
        return self.is_replaying

    def close(self) -> None:
        self.is_closed = True
        super().close()


def test_who_reads_a_standby_that_lags_asks_again_and_calls_it_set_back_only_once_it_leads(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    opened: list[Replaying] = []

    def connect() -> Replaying:
        opened.append(Replaying(path))
        return opened[-1]

    async def run() -> None:
        store = SqliteStore(path, inline=True)
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        await writer.append(armed(1))
        tail, replayed = Tail(path, connect), writer.head
        followed = msgspec.structs.replace(replayed, seq=2, hash=bytes(32))
        with pytest.raises(RetryableError, match="standby that has not replayed so much"):
            tail.since(followed)
        assert opened[-1].is_closed, "the address may lead to another by now"
        with pytest.raises(CorruptionError, match="who set"):  # as long, and another stream
            tail.since(msgspec.structs.replace(replayed, hash=bytes(32)))
        opened[-1].is_replaying = False
        with pytest.raises(CorruptionError, match="who set"):
            tail.since(followed)
        tail.close()
        await store.close()

    asyncio.run(run())


def test_a_standby_that_is_promoted_between_the_look_and_the_question_is_looked_at_again(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        stores = [SqliteStore(tmp_path / name, inline=True) for name in ("primary", "standby")]
        primary, standby = [
            JournalWriter(store, await store.acquire(MAIN, "a"), now_ns=lambda: 7)
            for store in stores
        ]
        for writer, number in ((primary, 1), (standby, 1), (primary, 2)):
            await writer.append(armed(number))

        class Promoted(SqliteReading):
            def lags(self) -> bool:
                standby.append(armed(2), flush=True)
                return False

        tail = Tail(tmp_path / "standby", lambda: Promoted(tmp_path / "standby"))
        assert tail.since(primary.head) == (primary.head, [])
        tail.close()
        for store in stores:
            await store.close()

    asyncio.run(run())
