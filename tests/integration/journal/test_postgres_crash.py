"""The database server crashes under a flood of orders: what was acknowledged is there after it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from holdfast.domain.fact import Armed
from holdfast.errors import RetryableError
from holdfast.journal.port import CommitUnknownError
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed
from tests.support.postgres import database, server
from tests.support.waiting import until

CALLERS = 8
BEFORE = 50
AFTER = 50


class Flood:
    """Callers that arm one order after the other, and what each of them was told."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._numbers: Iterator[int] = iter(range(1, 10**9))
        self.written: set[int] = set()
        self.not_written: set[int] = set()
        self.found_out: list[bool | None] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._caller() for _ in range(CALLERS)))

    async def _caller(self) -> None:
        for number in self._numbers:
            try:
                await self._writer.append(armed(number))
            except CommitUnknownError as error:
                self.found_out.append(error.committed)
                (self.written if error.committed else self.not_written).add(number)
            except RetryableError:
                self.not_written.add(number)
                await asyncio.sleep(0.05)  # as a bot that waits before it tries again
            else:
                self.written.add(number)


@pytest.mark.skipif(
    "HOLDFAST_TEST_DATABASE_URL" in os.environ, reason="a server that is not ours to crash"
)
def test_a_crash_of_the_server_loses_nothing_and_the_writer_goes_on() -> None:
    async def run(url: str) -> tuple[Flood, set[str]]:
        store = PostgresStore(url)
        flood = Flood(JournalWriter(store, await store.acquire("main", "a")))
        running = asyncio.create_task(flood.run())
        await until(lambda: len(flood.written) > BEFORE, "orders before the crash")
        line = store._line
        assert line is not None
        server().crash()
        await until(lambda: line.is_lost, "the writer notices, and asks a server that is not there")
        server().start()
        goal = len(flood.written) + AFTER
        await until(lambda: len(flood.written) > goal or running.done(), "orders after the crash")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await flood._writer.drain()
        facts = [record.fact for record in PostgresDatabase(url).read("main")]
        await store.close()
        return flood, {fact.cid for fact in facts if isinstance(fact, Armed)}

    with database() as url:
        flood, stored = asyncio.run(run(url))
    assert flood.found_out, "some orders were on their way"
    assert None not in flood.found_out, "the server came back in time to be asked"
    assert {armed(number).cid for number in flood.written} <= stored
    assert stored.isdisjoint({armed(number).cid for number in flood.not_written})
