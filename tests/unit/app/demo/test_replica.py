"""The replica follows a journal file beside its writer, and times failovers."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.app.database import SqliteDatabase
from holdfast.app.demo.replica import Replica
from holdfast.app.demo.told import Phase
from holdfast.domain.fact import AnyFact, Reconciled
from holdfast.domain.order import Side
from holdfast.errors import CorruptionError
from holdfast.journal.port import Group, Head
from holdfast.journal.sqlite import SqliteStore
from tests.support import demo_world as world

MS = 1_000_000


class Writer:
    """Appends facts to a journal file, each at a time that the test chooses."""

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path, inline=True)
        self._head = asyncio.run(self._acquire())

    def write(self, at_ms: int, *facts: AnyFact) -> None:
        """Commit `facts` in one batch at `at_ms`."""
        self._head = asyncio.run(self._commit(at_ms, facts))

    def close(self) -> None:
        asyncio.run(self._store.close())

    async def _acquire(self) -> Head:
        return await self._store.acquire("main", "here:1")

    async def _commit(self, at_ms: int, facts: tuple[AnyFact, ...]) -> Head:
        head, _ = await self._store.commit(self._head, [Group(facts)], at_ms * MS)
        return head


def test_nothing_is_there_before_the_node_has_made_its_journal(tmp_path: Path) -> None:
    replica = Replica(SqliteDatabase(tmp_path / "journal.db"), "main")
    assert replica.poll() == 0
    assert replica.leader is None


def test_a_file_that_is_only_begun_is_no_error_yet(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    assert Replica(SqliteDatabase(tmp_path / "journal.db"), "main").poll() == 0


def test_only_what_is_new_is_folded_at_each_poll(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "journal.db")
    replica = Replica(SqliteDatabase(tmp_path / "journal.db"), "main")
    facts = world.facts()
    writer.write(1, *facts[:7])
    assert replica.poll() == 7
    assert replica.told.phases[Phase.SENT] == 1
    writer.write(2, *facts[7:])
    assert replica.poll() == len(facts) - 7
    assert replica.poll() == 0
    assert replica.state.seq == len(facts)
    assert replica.state.holdings["USDT"] == Decimal("9799.9799")
    assert replica.told.phases == {
        Phase.FILLED: 2, Phase.REFUSED: 1, Phase.SENT: 0, Phase.RESTING: 0,
    }  # fmt: skip
    assert replica.leader is not None
    assert (replica.leader.pid, replica.leader.boot_id) == (1234, "boot-1")
    writer.close()


def test_a_broken_chain_is_not_followed(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "journal.db")
    writer.write(1, *world.facts())
    writer.close()
    damage(tmp_path / "journal.db")
    with pytest.raises(CorruptionError):
        Replica(SqliteDatabase(tmp_path / "journal.db"), "main").poll()


def damage(path: Path) -> None:
    """Change one record's bytes, as nobody should."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE record SET body = replace(body, 'boot-1', 'boot-2') WHERE seq = 2"
        )
    connection.close()


def test_the_first_leader_of_a_run_is_no_failover_and_the_next_is(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "journal.db")
    replica = Replica(SqliteDatabase(tmp_path / "journal.db"), "main")
    writer.write(1_000, *world.facts())
    replica.poll()
    replica.begin_run()
    writer.write(2_000, world.took_over(2, "boot-2"))
    replica.poll()
    assert replica.failovers == []
    assert replica.ready_ns == 0
    replica.note_fault(3_000 * MS)
    writer.write(3_100, world.took_over(3, "boot-3"))
    replica.poll()
    (failover,) = replica.failovers
    assert (failover.ready_ms, failover.gap_ms) == (None, None)
    writer.write(3_250, Reconciled(agreed=True))
    writer.write(3_700, world.decided(4), world.armed(4, Side.BUY, "0.1"))
    writer.write(3_900, world.decided(5), world.armed(5, Side.BUY, "0.1"))
    replica.poll()
    assert (failover.ready_ms, failover.gap_ms) == (250, 700)
    assert (replica.ready_ns, replica.first_order_ns) == (3_250 * MS, 3_700 * MS)
    writer.close()


def test_a_failover_that_nobody_saw_coming_counts_from_the_last_record(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "journal.db")
    replica = Replica(SqliteDatabase(tmp_path / "journal.db"), "main")
    replica.begin_run()
    writer.write(1_000, *world.facts())
    writer.write(1_400, world.took_over(2, "boot-2"), Reconciled(agreed=True))
    replica.poll()
    assert [failover.ready_ms for failover in replica.failovers] == [400]
    writer.close()


def test_struck_again_before_the_first_order_the_gap_of_the_first_goes_on(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "journal.db")
    replica = Replica(SqliteDatabase(tmp_path / "journal.db"), "main")
    replica.begin_run()
    writer.write(1_000, *world.facts())
    replica.poll()
    for at_ms, boot in ((2_000, "boot-2"), (3_000, "boot-3")):
        replica.note_fault((at_ms - 100) * MS)
        writer.write(at_ms, world.took_over(5, boot))
        replica.poll()
    writer.write(4_000, world.decided(4), world.armed(4, Side.BUY, "0.1"))
    replica.poll()
    assert [failover.gap_ms for failover in replica.failovers] == [2_100, 1_100]
    writer.close()
