"""Arming on a durable journal, beside a bare commit on the same disk at the same time.

`python -m benchmarks.journal` prints each round as a JSON line. Not here: the order path (engine).
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec

from benchmarks.row import Row
from holdfast.domain.fact import Armed
from holdfast.domain.order import (
    OrderSpec,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
    deployment_tag,
)
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group
from holdfast.journal.record import FORMAT, Record, encode
from holdfast.journal.sqlite import QUICK_S, SqliteStore
from holdfast.journal.writer import JournalWriter

ROUNDS = 5
LONE = 1_000
BLOCK = 50
WARM_UP = 1_200  # commits until every log is written over: one that still grows syncs slower
FLOOD = 8_000
IN_FLIGHT = 32
IN_MEMORY = 20_000
ACCOUNT = "main"
TAG = deployment_tag("bench")
SPEC = OrderSpec(
    symbol="BTC/USDT",
    side=Side.BUY,
    type=OrderType.LIMIT,
    quantity=Decimal("0.01234"),
    price=Decimal("50000.01"),
    time_in_force=TimeInForce.GTC,
)


class Round(msgspec.Struct):
    """One round; latencies in milliseconds, memory in microseconds.

    Attributes:
        thread_p50, thread_p99: arming while a thread makes the commits, as on a slow disk.
    """

    bare_p50: float
    bare_p99: float
    arm_p50: float
    arm_p99: float
    thread_p50: float
    thread_p99: float
    flood_per_s: float
    memory_us: float


def run() -> list[Row]:
    """Medians over the rounds."""
    rounds = [measure() for _ in range(ROUNDS)]
    return [
        Row(
            what="arming one order in SQLite, durable: p50 over a bare commit's",
            unit="×",
            measured=statistics.median(r.arm_p50 / r.bare_p50 for r in rounds),
            at_most=1.5,
        ),
        Row(
            what="arming one order in SQLite, durable: p50",
            unit="ms",
            measured=statistics.median(r.arm_p50 for r in rounds),
        ),
        Row(
            what="arming one order in SQLite, durable: p99",
            unit="ms",
            measured=statistics.median(r.arm_p99 for r in rounds),
        ),
        Row(
            what="the same by the thread that commits for a slow disk: p50 over a bare commit's",
            unit="×",
            measured=statistics.median(r.thread_p50 / r.bare_p50 for r in rounds),
        ),
        Row(
            what=f"arming sustained in SQLite, durable, {IN_FLIGHT} in flight",
            unit="orders/s",
            measured=statistics.median(r.flood_per_s for r in rounds),
            at_least=5_000,
        ),
        Row(
            what="committing one order to memory, without its encoding",
            unit="µs",
            measured=statistics.median(r.memory_us for r in rounds),
            at_most=6,
        ),
    ]


def measure() -> Round:
    """One round."""
    bare, armed, thread = asyncio.run(_side_by_side())
    return Round(
        bare_p50=percentile(bare, 50),
        bare_p99=percentile(bare, 99),
        arm_p50=percentile(armed, 50),
        arm_p99=percentile(armed, 99),
        thread_p50=percentile(thread, 50),
        thread_p99=percentile(thread, 99),
        flood_per_s=asyncio.run(_flood()),
        memory_us=_in_memory(),
    )


async def _side_by_side() -> tuple[list[float], list[float], list[float]]:
    """Bare commits, armings, and armings by the thread: a few of each in turn.

    Disks change their mind from second to second; so all three meet the same disk.
    """
    took: tuple[list[float], list[float], list[float]] = ([], [], [])
    with _file() as bare, _file() as usual, _file() as thread:
        connection = _bare(bare)
        writers = [await _writer(usual), await _writer(thread, quick_s=0)]
        for _ in _commit_bare(connection, WARM_UP):
            pass
        for _, writer in writers:
            await _arm(writer, WARM_UP)
        for _ in range(LONE // BLOCK):
            took[0].extend(_commit_bare(connection, BLOCK))
            for (_, writer), list_s in zip(writers, took[1:], strict=True):
                list_s.extend(await _arm(writer, BLOCK))
        connection.close()
        for store, _ in writers:
            await store.close()
    return took


def attempts(count: int) -> list[Armed]:
    """So many orders of usual size, each of an intent of its own."""
    return [_attempt(str(uuid.uuid4()), number) for number in range(count)]


def _attempt(intent_id: str, number: int) -> Armed:
    return Armed(
        cid=client_order_id(tag=TAG, account=ACCOUNT, generation=1, intent_id=intent_id, n=1),
        intent_id=intent_id,
        n=1,
        bot="sma-cross",
        leg="BTC/USDT",
        seq=0,
        decision=number,
        spec=SPEC,
        boot_id="0e984725-c51c-4bf4-9960-e1c80e27aba0",
        timestamp_ms=1_700_000_000_000 + number,
        window_ms=1_000,
        reserve_asset="USDT",
        reserve=Decimal("617.0001234"),
        server_sample_ms=1_700_000_000_000,
        sample_age_ms=12_000,
    )


@contextmanager
def _file() -> Iterator[Path]:
    # In the working directory: a temporary one may be in memory, where a sync costs nothing.
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as directory:
        yield Path(directory) / "journal.db"


def _bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB)")
    return connection


def _commit_bare(connection: sqlite3.Connection, count: int) -> Iterator[float]:
    """One row of a record's size, committed alone, from the thread that waits."""
    body = encode(Record(FORMAT, 1, 1, time.time_ns(), attempts(1)[0]))
    for _ in range(count):
        start = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO record (body) VALUES (?)", (body,))
        connection.execute("COMMIT")
        yield time.perf_counter() - start


async def _writer(path: Path, quick_s: float = QUICK_S) -> tuple[SqliteStore, JournalWriter]:
    store = SqliteStore(path, quick_s=quick_s)
    return store, JournalWriter(store, await store.acquire(ACCOUNT, "bench"))


async def _arm(writer: JournalWriter, count: int) -> list[float]:
    """One order at a time, from `append` to knowing that it may be sent, as the desk has it."""
    took = []
    for attempt in attempts(count):
        start = time.perf_counter()
        await writer.append(attempt, flush=True)
        took.append(time.perf_counter() - start)
    return took


async def _flood() -> float:
    """Orders per second while 32 callers arm one after the other each."""
    waiting = iter(attempts(FLOOD))
    with _file() as path:
        store, writer = await _writer(path)

        async def caller() -> None:
            for attempt in waiting:
                await writer.append(attempt)

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
        took = time.perf_counter() - start
        await store.close()
    return FLOOD / took


def _in_memory() -> float:
    """Microseconds of the processor for a one-fact commit, without encoding its record."""
    made = attempts(IN_MEMORY)
    groups = [(Group((attempt,)),) for attempt in made]
    records = [Record(FORMAT, 1, 1, 1, attempt) for attempt in made]
    store = MemoryStore(keep=False)
    head = store.acquire_now(ACCOUNT)
    start = time.thread_time()
    for group in groups:
        head, _ = store.commit_now(head, group, 1)
    committed = time.thread_time()
    for record in records:
        encode(record)
    return ((committed - start) - (time.thread_time() - committed)) / IN_MEMORY * 1e6


def percentile(took: list[float], percent: int) -> float:
    """Milliseconds of what took seconds."""
    return sorted(took)[len(took) * percent // 100] * 1e3


if __name__ == "__main__":
    for _ in range(ROUNDS):
        sys.stdout.write(msgspec.json.encode(measure()).decode() + "\n")
