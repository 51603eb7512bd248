"""Killed at every statement of a commit, and during a flood: nothing half, nothing lost."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.domain.fact import AnyFact
from holdfast.errors import CorruptionError
from holdfast.journal.high_water import HighWater
from holdfast.journal.port import Group, Refused
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.journal.sqlite_read import read_stream
from tests.support.journal_facts import acked, armed, decided
from tests.support.waiting import PATIENCE_S

COMMITS = 3
# BEGIN, the head, three records, a decision, an attempt, COMMIT; 9 dies after all of them.
STATEMENTS = range(1, 10)
FLOOD = """
import asyncio, sys, pathlib
sys.path.insert(0, {root!r})
from holdfast.journal.sqlite import SqliteStore
from holdfast.journal.writer import JournalWriter
from tests.support.journal_facts import armed

async def caller(writer, numbers):
    for number in numbers:
        await writer.append(armed(number))
        sys.stdout.write(f"{{number}}\\n")
        sys.stdout.flush()

async def main():
    store = SqliteStore(pathlib.Path({path!r}))
    writer = JournalWriter(store, await store.acquire("main", "child"))
    numbers = iter(range(1, 10**9))
    await asyncio.gather(*(caller(writer, numbers) for _ in range(32)))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "template.db"
    SqliteFile(path).close()
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    shutil.copy(template, path)
    return path


def facts_of(number: int) -> list[AnyFact]:
    return [decided(number), armed(number), acked(number)]


def crash(path: Path, statement: int) -> None:
    child = Path(__file__).with_name("crash_child.py")
    command = [sys.executable, str(child), str(path), str(COMMITS), str(statement)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert ran.stdout.split() == [str(number) for number in range(1, COMMITS + 1)]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_commit_is_all_there_or_not_at_all(path: Path, statement: int) -> None:
    crash(path, statement)
    facts = [record.fact for record in read_stream(path, "main")]
    acknowledged = [fact for number in range(1, COMMITS + 1) for fact in facts_of(number)]
    unacknowledged = facts_of(COMMITS + 1)
    committed = statement == STATEMENTS[-1]
    assert facts == acknowledged + unacknowledged * committed

    # The successor may do again what is not in, and only that; what was claimed follows the chain.
    file = SqliteFile(path)
    head = file.acquire("main", "successor")
    _, outcomes = file.commit(head, [Group(tuple(unacknowledged))], 9)
    assert isinstance(outcomes[0], Refused) == committed
    facts = [record.fact for record in read_stream(path, "main")]
    assert facts == acknowledged + unacknowledged
    file.close()


@pytest.mark.parametrize("orders", [2, 33, 150])
def test_killed_in_a_flood_every_acknowledged_order_is_there(path: Path, orders: int) -> None:
    """In the first answers of a commit, in those of the next one, and some commits later."""
    program = FLOOD.format(root=str(Path(__file__).parents[3]), path=str(path))
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    first = "".join(child.stdout.readline() for _ in range(orders))
    child.kill()
    rest, _ = child.communicate(timeout=PATIENCE_S)
    # The last line may be cut: the pipe was cut with its writer.
    acknowledged = {int(line) for line in (first + rest).splitlines(True) if line.endswith("\n")}
    stored = [record.fact for record in read_stream(path, "main")]
    assert {armed(number).cid for number in acknowledged} <= {fact.cid for fact in stored}  # type: ignore[union-attr]
    assert len(acknowledged) >= orders


def test_a_log_cut_short_is_found_by_the_high_water_mark(path: Path) -> None:
    """SQLite takes a cut log for the end of it; the node knows better."""
    file = SqliteFile(path)
    head = file.acquire("main", "a")
    for number in range(1, 5):
        head, _ = file.commit(head, [Group((armed(number),))], 1)
    HighWater.beside(path, "main").write(head)
    log = path.with_name("journal.db-wal").read_bytes()
    copy = path.with_name("cut.db")
    shutil.copy(path, copy)
    copy.with_name("cut.db-wal").write_bytes(log[: len(log) * 3 // 4])
    file.close()

    assert len(list(read_stream(copy, "main"))) in {1, 2, 3}

    async def check() -> None:
        store = SqliteStore(copy, inline=True)
        await HighWater(path.with_name("journal.db.main.highwater"), "main").check(store)

    with pytest.raises(CorruptionError, match="journal behind: main ends at"):
        asyncio.run(check())
