"""What a long history costs: arming, taking over, looking, and memory, from 10^4 records on.

One journal is made longer and longer by a writer in bulk: real records, really chained, with every
row that a store would have made; so that of the code of a node nothing but the writing is left out.
At each length processes of their own take the stream over, as a standby does, and arm orders one by
one, in turn with a copy of the shortest journal: both meet the same disk in the same moment.
`HOLDFAST_HISTORY=10000000` goes up to there; a million unless told. Not here: a whole node's start
(`restart`).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from benchmarks.journal import attempts
from benchmarks.restart import BOT, PAST, _order
from benchmarks.row import Row
from holdfast.app.live.opening import Stream, follow_stream, open_stream, take_over
from holdfast.app.live.operator import account_state
from holdfast.app.view.journals import Journals
from holdfast.domain.fact import AnyFact, AttemptMoved, BotStarted, CashFlow
from holdfast.domain.order import AttemptState
from holdfast.journal.chain import extend
from holdfast.journal.claim_tables import CLAIMING
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group, Head, Snapshot
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, to_bytes

ACCOUNT = "main"
SHORT = "short.db"
SHORTEST = 10_000
LONGEST = int(os.environ.get("HOLDFAST_HISTORY", "1000000"))
SINCE_SNAPSHOT = 4_900  # a node saves one every 5,000 records
BATCH = 500  # orders in one transaction of the writer in bulk
CACHE_KB = 2_000_000
WARM_UP = 600  # until the logs are written over: one that still grows syncs slower
LONE = 400
ROUNDS = 5
FLAT = 1.25
"""What the longest may cost over the shortest and still count as flat, on a machine with noise."""


class Measured(msgspec.Struct):
    """One length; times in milliseconds, medians of several processes but for memory.

    Attributes:
        arm_ms, short_ms: arming one order, and the same beside it on the shortest journal, p50.
        take_over_ms: from nothing open to the first record of the new leader, durable.
        look_ms: what `holdfast account status` reads.
        follow_ms: until the read model has folded all of it.
        memory_mb: peak of the process that did all this.
    """

    records: int
    arm_ms: float
    short_ms: float
    take_over_ms: float
    look_ms: float
    follow_ms: float
    memory_mb: float


def run() -> list[Row]:
    """The longest over the shortest of each, and the numbers themselves."""
    found = measure()
    first, last = found[0], found[-1]
    rows = [
        Row(
            what=f"{what}: {last.records:,} records over {first.records:,}",
            unit="×",
            measured=getattr(last, name) / getattr(first, name),
            at_most=FLAT,
        )
        for what, name in (
            ("taking a stream over", "take_over_ms"), ("looking at an account", "look_ms"),
            ("following from nothing", "follow_ms"), ("peak memory", "memory_mb"),
        )
    ]  # fmt: skip
    rows.insert(
        0,
        Row(
            what=f"arming an order: {last.records:,} records over {first.records:,}, in turn",
            unit="×", measured=last.arm_ms / last.short_ms, at_most=FLAT,
        ),
    )  # fmt: skip
    for one in found:
        for what, unit, value in (
            ("arming one order, p50", "ms", one.arm_ms), ("taking over", "ms", one.take_over_ms),
            ("looking", "ms", one.look_ms), ("following", "ms", one.follow_ms),
            ("peak memory", "MB", one.memory_mb),
        ):
            rows.append(Row(what=f"{one.records:>10,} records: {what}", unit=unit, measured=value))
    return rows


def measure() -> list[Measured]:
    """Each length in turn, on one journal that grows."""
    found = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        path = Path(folder) / "journal.db"
        asyncio.run(_begin(path))
        length = SHORTEST
        while length <= LONGEST:
            began_s = time.monotonic()
            lengthen(path, length)
            if length == SHORTEST:
                shutil.copy(path, path.with_name(SHORT))
            took_s = time.monotonic() - began_s
            size_mb = path.stat().st_size / 1e6
            print(f"  {length:,}: {took_s:.0f} s, {size_mb:,.0f} MB", file=sys.stderr, flush=True)
            found.append(_of_processes(path, length))
            print(f"  {found[-1]}", file=sys.stderr, flush=True)
            length *= 10
    return found


def _of_processes(path: Path, records: int) -> Measured:
    """Medians of several processes; what they write themselves is some hundred records."""
    runs = [
        msgspec.json.decode(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.history", str(path), str(records)],
                check=True, stdout=subprocess.PIPE,
            ).stdout,
            type=Measured,
        )
        for _ in range(ROUNDS)
    ]  # fmt: skip
    names = Measured.__struct_fields__
    return Measured(*(statistics.median(getattr(run, name) for run in runs) for name in names))


# -- one process -----------------------------------------------------------------------------------


async def _one(path: Path, records: int) -> Measured:
    database = SqliteDatabase(path)
    began_s = time.perf_counter()
    account_state(database, ACCOUNT)
    look_ms = _since_ms(began_s)

    began_s = time.perf_counter()
    journals = Journals(database)
    await journals.look()
    follow_ms = _since_ms(began_s)
    assert journals.accounts[ACCOUNT].state.seq >= records - SINCE_SNAPSHOT

    began_s = time.perf_counter()
    fold = await follow_stream(database, ACCOUNT)

    async def nothing_new() -> None:
        assert fold.news() == []

    stream = await take_over(fold, deployment="bench", reporting="USDT", catch_up=nothing_new)
    take_over_ms = _since_ms(began_s)
    arm_ms, short_ms = await _arm(stream, path.with_name(SHORT))
    await stream.store.close()
    stream.owner.release()
    return Measured(
        records=records, arm_ms=arm_ms, short_ms=short_ms, take_over_ms=take_over_ms,
        look_ms=look_ms, follow_ms=follow_ms,
        memory_mb=_peak_mb(),
    )  # fmt: skip


async def _arm(stream: Stream, short: Path) -> tuple[float, float]:
    """One order after another, here and on the shortest journal in turn; milliseconds."""
    other = await open_stream(
        SqliteDatabase(short), account=ACCOUNT, deployment="bench", reporting="USDT"
    )
    took_s: tuple[list[float], list[float]] = ([], [])
    ended = []
    turns = list(zip((stream, other), took_s, strict=True))
    for fact in attempts(WARM_UP + LONE):
        own = msgspec.structs.replace(fact, bot="bench", decision=0)
        turns.reverse()  # who comes second may find the disk still busy
        for each, into in turns:
            start = time.perf_counter()
            outcome = await each.writer.append(own)
            into.append(time.perf_counter() - start)
            assert isinstance(outcome, tuple), outcome
        ended.append(AttemptMoved(cid=own.cid, state=AttemptState.NOT_SENT))
    for each in (stream, other):
        await each.writer.append(*ended)  # nothing of it is left to the next process
    await other.store.close()
    other.owner.release()
    arm_s, short_s = (statistics.median(each[WARM_UP:]) for each in took_s)
    return arm_s * 1e3, short_s * 1e3


def _peak_mb() -> float:
    """Of this process alone; `getrusage` tells the one that began it where that was larger."""
    status = Path("/proc/self/status").read_text()
    (line,) = [each for each in status.splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def _since_ms(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1e3


# -- the journal -----------------------------------------------------------------------------------


async def _begin(path: Path) -> None:
    """As a node begins it: two bots and money."""
    database = SqliteDatabase(path)
    stream = await open_stream(database, account=ACCOUNT, deployment="bench", reporting="USDT")
    for bot in (PAST, BOT):
        await stream.writer.append(
            BotStarted(bot=bot, config_version=1, config="{}", anchor_ns=0)
        )
    await stream.writer.append(
        CashFlow(asset="USDT", amount=Decimal(10**9), reason="opening", evidence="", at_ns=0)
    )
    await stream.store.close()
    stream.owner.release()


class _Book(msgspec.Struct):
    """What `benchmarks.restart` asks of a stream to make an order of it."""

    account: AccountState
    boot_id: str = "bulk"


def lengthen(path: Path, records: int) -> None:
    """Add orders of the past until there are so many records, with a snapshot some way back."""
    database = SqliteDatabase(path)
    state = account_state(database, ACCOUNT)
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = OFF", f"cache_size = -{CACHE_KB}", "wal_autocheckpoint = 20000"):
        connection.execute(f"PRAGMA {pragma}")
    row = connection.execute(
        "SELECT account, epoch, generation, seq, hash FROM head WHERE account = ?", (ACCOUNT,)
    ).fetchone()
    head, number = Head(*row), state.bots[PAST].number
    book = _Book(state)
    while head.seq < records - SINCE_SNAPSHOT:
        head, number = _write(connection, head, book, number, records - SINCE_SNAPSHOT - head.seq)
    body = to_bytes(state)
    while head.seq < records:
        head, number = _write(connection, head, book, number, records - head.seq)
    _keep(database, body)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _write(
    connection: sqlite3.Connection, head: Head, book: _Book, number: int, wanted: int
) -> tuple[Head, int]:
    """One transaction of orders; the head and how many orders there are by now."""
    orders = max(1, min(BATCH, wanted // 4))
    facts = tuple(fact for n in range(number, number + orders) for fact in _facts(book, n))
    batch = extend(head, [Group(facts)], 1_700_000_000_000_000_000 + head.seq)
    (written,) = batch.records
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO record (account, seq, body, hash) VALUES (?, ?, ?, ?)",
        [
            (ACCOUNT, record.seq, body, digest)
            for record, body, digest in zip(written, batch.bodies, batch.hashes, strict=True)
        ],
    )
    for record in written:
        claiming = CLAIMING.get(type(record.fact))
        row = claiming.row_of(ACCOUNT, record.seq, record.fact) if claiming is not None else None
        if claiming is not None and row is not None:
            names, marks = ", ".join(claiming.columns), ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {claiming.table} ({names}) VALUES ({marks})", row)
        apply(book.account, record.seq, record.epoch, record.at_ns, record.fact)
    connection.execute(
        "UPDATE head SET seq = ?, hash = ? WHERE account = ?",
        (batch.head.seq, batch.head.hash, ACCOUNT),
    )
    connection.execute("COMMIT")
    return batch.head, number + orders


def _facts(book: _Book, number: int) -> Iterator[AnyFact]:
    return _order(book, number)  # type: ignore[arg-type]


def _keep(database: SqliteDatabase, body: bytes) -> None:
    """Keep the fold that was made some way back, as a node does."""

    async def keep() -> None:
        seq = msgspec.json.decode(body)["state"]["seq"]
        store = database.store()
        digest = await store.hash_at(ACCOUNT, seq)
        assert digest is not None
        await store.save_snapshot(Snapshot(ACCOUNT, seq, digest, body))
        await store.close()

    asyncio.run(keep())


if __name__ == "__main__":
    told = asyncio.run(_one(Path(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.write(msgspec.json.encode(told).decode())
