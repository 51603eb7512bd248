"""What lies beside a journal: the owner lock and the high-water mark."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cluster.host import started_at
from holdfast.errors import ConfigError, CorruptionError, FencedError, RetryableError, exit_code
from holdfast.journal.high_water import HighWater
from holdfast.journal.memory import MemoryStore
from holdfast.journal.owner import OwnerLock
from holdfast.journal.port import Group, Head
from holdfast.journal.record import GENESIS
from tests.support.journal_facts import armed

MAIN = "main"

HOLDER = """
import pathlib, sys, time
from holdfast.journal.owner import OwnerLock
lock = OwnerLock(pathlib.Path(sys.argv[1]), "main")
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_told_who_writes_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(FencedError, match=f"account main by process {holder.pid}; ") as refused:
        OwnerLock(path, MAIN)
    assert exit_code(refused.value) == 3
    OwnerLock(path, "another").release()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with OwnerLock(path, MAIN) as lock, pytest.raises(FencedError, match=f"process {os.getpid()}"):
        OwnerLock(path, MAIN)
    lock.release()  # twice is harmless
    OwnerLock(path, MAIN).release()


def test_a_lock_needs_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        OwnerLock(tmp_path / "missing" / "journal.db", MAIN)


def test_a_process_is_known_by_its_start_time() -> None:
    own = started_at(os.getpid())
    assert own == started_at(os.getpid())
    assert started_at(2**22 + 1) == 0  # above the highest pid of Linux
    assert own > 0 or not Path("/proc/self/stat").exists()


@pytest.fixture
def mark(tmp_path: Path) -> HighWater:
    return HighWater.beside(tmp_path / "journal.db", MAIN)


def store_with(orders: int, first: int = 1) -> tuple[MemoryStore, list[Head]]:
    store = MemoryStore()
    heads = [store.acquire_now(MAIN)]
    for number in range(first, first + orders):
        head, _ = store.commit_now(heads[-1], [Group((armed(number),))], 1)
        heads.append(head)
    return store, heads


def check(mark: HighWater, store: MemoryStore) -> None:
    asyncio.run(mark.check(store))


def test_without_a_mark_any_store_passes(mark: HighWater) -> None:
    check(mark, store_with(0)[0])


def test_a_store_at_or_past_the_mark_passes(mark: HighWater) -> None:
    store, heads = store_with(5)
    for head in heads:
        mark.write(head)
        check(mark, store)


def test_a_store_behind_the_mark_is_refused(mark: HighWater) -> None:
    mark.write(store_with(5)[1][-1])
    with pytest.raises(CorruptionError, match=r"journal behind: main ends at 4 .*at least 5"):
        check(mark, store_with(4)[0])


def test_another_history_of_the_same_length_is_refused(mark: HighWater) -> None:
    mark.write(store_with(5)[1][-1])
    with pytest.raises(CorruptionError, match="record 5: hash"):
        check(mark, store_with(9, first=3)[0])


def test_a_restored_backup_of_a_higher_generation_passes_and_a_lower_one_does_not(
    mark: HighWater,
) -> None:
    store, heads = store_with(2)
    mark.write(Head(MAIN, 1, 0, 99, GENESIS))
    check(mark, store)
    mark.write(Head(MAIN, 1, 2, 1, heads[1].hash))
    with pytest.raises(CorruptionError, match="of generation 1; expected: at least 1 of 2"):
        check(mark, store)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-5],
        lambda content: content.replace(b'"seq":2', b'"seq":1'),
        lambda content: content.replace(b'"main"', b'"else"'),
    ],
)
def test_a_damaged_mark_is_no_mark(mark: HighWater, damage: Callable[[bytes], bytes]) -> None:
    store, heads = store_with(2)
    mark.write(heads[-1])
    mark.path.write_bytes(damage(mark.path.read_bytes()))
    with pytest.raises(CorruptionError, match="no high-water mark of main"):
        check(mark, store)


def test_it_is_replaced_as_a_whole(mark: HighWater) -> None:
    store, heads = store_with(2)
    mark.write(heads[1])
    mark.path.with_name(mark.path.name + ".new").write_bytes(b"half a ma")  # a crash in between
    check(mark, store)
    mark.write(heads[2])
    assert [file.name for file in mark.path.parent.iterdir()] == [mark.path.name]


def test_a_mark_that_cannot_be_written_is_retryable(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "missing" / "mark", MAIN)
    with pytest.raises(RetryableError, match="cannot be written"):
        mark.write(store_with(1)[1][-1])


WRITER = """
import pathlib, sys
from holdfast.journal.high_water import HighWater
from holdfast.journal.port import Head
number, marks = int(sys.argv[2]), 100
mark = HighWater(pathlib.Path(sys.argv[1]), "main")
for seq in range(1, marks):
    mark.write(Head("main", 1, 1, seq, bytes([number]) * 32))
"""


def test_two_nodes_of_a_host_that_write_at_once_never_tear_it(tmp_path: Path) -> None:
    mark = HighWater(tmp_path / "mark", MAIN)
    command = [sys.executable, "-c", WRITER, str(mark.path)]
    writers = [subprocess.Popen([*command, str(number)]) for number in (1, 2)]
    furthest = 0
    while any(writer.poll() is None for writer in writers):
        furthest = _known(mark, at_least=furthest)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert _known(mark, at_least=furthest) > 0


def _known(mark: HighWater, at_least: int) -> int:
    """How far the mark is; a torn one is none, and raises."""
    known = mark.missing(Head(MAIN, 1, 1, 0, GENESIS))
    assert known >= at_least
    return known


def test_who_was_displaced_does_not_move_it_back(mark: HighWater) -> None:
    _, heads = store_with(5)
    before = HighWater.beside(mark.path.with_name("journal.db"), MAIN)
    before.write(heads[2])
    mark.write(heads[5])
    assert before.write(heads[3])
    assert mark.missing(heads[0]) == 5
    assert [file.name for file in mark.path.parent.iterdir()] == [mark.path.name]


def test_who_is_paused_while_he_writes_it_keeps_nobody_waiting(mark: HighWater) -> None:
    _, heads = store_with(2)
    with mark.path.with_name(mark.path.name + ".new").open("wb") as paused:
        fcntl.flock(paused, fcntl.LOCK_EX)
        assert not mark.write(heads[2])
    assert mark.write(heads[2])
    assert mark.missing(heads[0]) == 2


def test_another_journal_that_was_put_in_its_place_begins_it_anew(mark: HighWater) -> None:
    _, heads = store_with(5)
    mark.write(heads[5])
    mark.write(heads[2], anew=True)
    assert mark.missing(heads[0]) == 2
