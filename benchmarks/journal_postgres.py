"""Arming on a PostgreSQL journal, beside bare commits on the same server at the same time.

`python -m benchmarks.journal_postgres` prints each round as a JSON line. Not here: the journal in a
file (benchmarks.journal).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing

import msgspec

from benchmarks.journal import ACCOUNT, attempts, percentile
from benchmarks.row import Row
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.postgres_connect import Connection, connect
from holdfast.journal.record import FORMAT, Record, encode
from holdfast.journal.writer import JournalWriter
from tests.support.postgres import database

ROUNDS = 5
LONE = 600
BLOCK = 50
FLOOD = 6_000
IN_FLIGHT = 32
_INSERT = b"INSERT INTO bare (body) VALUES ($1)"


class Round(msgspec.Struct):
    """One round; latencies in milliseconds.

    Attributes:
        bare_p50: one row through the driver, as a program has it that waits.
        wire_p50: the same through libpq alone.
    """

    bare_p50: float
    wire_p50: float
    arm_p50: float
    arm_p99: float
    flood_per_s: float


def run() -> list[Row]:
    """Medians over the rounds."""
    rounds = [measure() for _ in range(ROUNDS)]

    def middle(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    return [
        Row(
            what="arming one order in PostgreSQL, durable: p50 over a bare commit's",
            unit="×",
            measured=middle(lambda r: r.arm_p50 / r.bare_p50),
            at_most=1.5,
        ),
        Row(
            what="the same over a bare commit's without a driver",
            unit="×",
            measured=middle(lambda r: r.arm_p50 / r.wire_p50),
        ),
        Row(
            what="arming one order in PostgreSQL, durable: p50",
            unit="ms",
            measured=middle(lambda r: r.arm_p50),
        ),
        Row(
            what="arming one order in PostgreSQL, durable: p99",
            unit="ms",
            measured=middle(lambda r: r.arm_p99),
        ),
        Row(
            what=f"arming sustained in PostgreSQL, durable, {IN_FLIGHT} in flight",
            unit="orders/s",
            measured=middle(lambda r: r.flood_per_s),
        ),
    ]


def measure() -> Round:
    """One round on a database of its own."""
    with database() as url, closing(connect(url)) as connection:
        connection.execute("CREATE TABLE bare (seq bigserial PRIMARY KEY, body bytea)")
        try:
            return asyncio.run(_round(url, connection))
        finally:
            connection.execute("DROP TABLE bare")


async def _round(url: str, connection: Connection) -> Round:
    store = PostgresStore(url)
    writer = JournalWriter(store, await store.acquire(ACCOUNT, "bench"))
    connection.pgconn.prepare(b"bare", _INSERT)
    body = encode(Record(FORMAT, 1, 1, time.time_ns(), attempts(1)[0]))
    bare, wire, armed = list[float](), list[float](), list[float]()
    for _ in range(LONE // BLOCK):  # in turns: disks change their mind from second to second
        for _ in range(BLOCK):
            start = time.perf_counter()
            connection.execute("INSERT INTO bare (body) VALUES (%b)", (body,), prepare=True)
            bare.append(time.perf_counter() - start)
        for _ in range(BLOCK):
            start = time.perf_counter()
            connection.pgconn.exec_prepared(b"bare", [body], [1])
            wire.append(time.perf_counter() - start)
        for attempt in attempts(BLOCK):
            start = time.perf_counter()
            await writer.append(attempt, flush=True)
            armed.append(time.perf_counter() - start)
    flood_per_s = await _flood(writer)
    await store.close()
    return Round(
        bare_p50=percentile(bare, 50),
        wire_p50=percentile(wire, 50),
        arm_p50=percentile(armed, 50),
        arm_p99=percentile(armed, 99),
        flood_per_s=flood_per_s,
    )


async def _flood(writer: JournalWriter) -> float:
    """Orders per second while 32 callers arm one after the other each."""
    waiting = iter(attempts(FLOOD))

    async def caller() -> None:
        for attempt in waiting:
            await writer.append(attempt)

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return FLOOD / (time.perf_counter() - start)


if __name__ == "__main__":
    for _ in range(ROUNDS):
        sys.stdout.write(msgspec.json.encode(measure()).decode() + "\n")
