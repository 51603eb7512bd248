"""From starting a node with a long journal to its first new order, at an exchange far away.

The journal is made once, by the code that a node writes it with: a million records, a snapshot
some thousands back (as after kill -9), and a decision whose order is still missing. Each round
kills the node and leaves it another such decision. Not here: start-up of the bare package
(`start_up`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from benchmarks import site
from benchmarks.row import Row
from holdfast.app.live.opening import Stream, open_stream
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    CashFlow,
    Decided,
    Filled,
    Leg,
)
from holdfast.domain.fill import Fill
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    client_order_id,
    intent_id,
)
from holdfast.journal.database import SqliteDatabase
from holdfast.ledger.fold import apply
from tests.support.distance import far_away

RECORDS = 1_000_000
SINCE_SNAPSHOT = 4_900  # a node saves one every 5,000 records
PER_ORDER = 4
BATCH = 1_000  # orders in one commit while the journal is made
ROUNDS = 3
RTT_S = 0.05
SETTLE_S = 1.0
STARTS_WITHIN_S = 30.0
BOT, PAST = "bench", "past"
OTHER = "ETH/USDT"  # what the past traded; the bot of today has its own symbol
QUANTITY, PRICE = Decimal("0.1"), Decimal(3000)
TARGETS = (Decimal("0.001"), Decimal(0))


def run() -> list[Row]:
    """Median of several starts; one before them is not counted."""
    with site.folder() as home, site.exchange(home) as url:
        taken_s = asyncio.run(_measure(home, url))
    return [
        Row(
            what=f"restart with {RECORDS:,} records to the first new order, "
            f"{RTT_S * 1e3:.0f} ms RTT",
            unit="s",
            measured=statistics.median(taken_s),
            at_most=2.5,
        )
    ]


async def _measure(home: Path, url: str) -> list[float]:
    account = site.open_account(url)
    environ = {**os.environ, **site.keys(account)}
    ordered = asyncio.Event()

    def heard(piece: bytes) -> None:
        if piece.startswith(b"POST /api/v3/order?"):
            ordered.set()

    async with far_away(url, RTT_S, heard) as far_url:
        config, journal = site.write_config(home, far_url, "Hold")
        await _make_journal(journal)
        taken_s = []
        for number in range(ROUNDS + 1):
            await _leave_wanting(journal, TARGETS[number % len(TARGETS)])
            taken_s.append(await _one_start(config, environ, ordered, home / "node.log"))
    return taken_s[1:]


async def _one_start(
    config: Path, environ: Mapping[str, str], ordered: asyncio.Event, log: Path
) -> float:
    """Seconds from starting the process to its first order at the exchange."""
    ordered.clear()
    with log.open("ab") as told:
        began_s = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast", "node", "--config", str(config),
            env=environ, stdout=told, stderr=told, start_new_session=True,
        )  # fmt: skip
        try:
            try:
                await asyncio.wait_for(ordered.wait(), STARTS_WITHIN_S)
            except TimeoutError:
                raise AssertionError(f"no order; the node said: {log.read_text()}") from None
            taken_s = time.perf_counter() - began_s
            await asyncio.sleep(SETTLE_S)  # the next start is to find no doubt
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return taken_s


# -- the journal ---------------------------------------------------------------------------------


@asynccontextmanager
async def _journal(path: Path) -> AsyncIterator[Stream]:
    """The stream as a node opens it, and released without the snapshot of an orderly end."""
    database = SqliteDatabase(path)
    stream = await open_stream(database, account="main", deployment="bench", reporting="USDT")
    try:
        yield stream
    finally:
        await stream.store.close()
        stream.owner.release()


async def _append(stream: Stream, *facts: AnyFact) -> None:
    outcome = await stream.writer.append(*facts)
    assert isinstance(outcome, tuple), outcome
    for record in outcome:
        apply(stream.account, record.seq, record.epoch, record.at_ns, record.fact)


async def _make_journal(path: Path) -> None:
    async with _journal(path) as stream:
        for bot in (PAST, BOT):
            await _append(stream, BotStarted(bot=bot, config_version=1, config="{}", anchor_ns=0))
        funds = Decimal(site.FUNDS)
        await _append(
            stream,
            CashFlow(asset="USDT", amount=funds, reason="opening", evidence="made up", at_ns=0),
        )
        orders = (RECORDS - stream.account.seq) // PER_ORDER
        until_snapshot = orders - SINCE_SNAPSHOT // PER_ORDER
        for first, end in ((0, until_snapshot), (until_snapshot, orders)):
            for number in range(first, end, BATCH):
                batch = range(number, min(number + BATCH, end))
                await _append(stream, *(fact for n in batch for fact in _order(stream, n)))
            if end == until_snapshot:
                await stream.save()


def _order(stream: Stream, number: int) -> Iterator[AnyFact]:
    """What an order leaves: decided, armed, acknowledged, filled; bought and sold in turn."""
    side, decision = (Side.SELL if number % 2 else Side.BUY), number + 1
    intent = intent_id(PAST, str(decision), OTHER, 0)
    cid = client_order_id(
        tag=stream.account.deployment, account="main", generation=1, intent_id=intent, n=1
    )
    at_ms = 1_700_000_000_000 + number * 60_000
    yield _decided(PAST, decision, OTHER, QUANTITY if side is Side.BUY else Decimal(0))
    yield Armed(
        cid=cid, intent_id=intent, n=1, bot=PAST, leg=OTHER, seq=0, decision=decision,
        spec=OrderSpec(symbol=OTHER, side=side, type=OrderType.MARKET, quantity=QUANTITY),
        boot_id=stream.boot_id, timestamp_ms=at_ms, window_ms=1000,
        reserve_asset="USDT" if side is Side.BUY else "ETH",
        reserve=QUANTITY * PRICE if side is Side.BUY else QUANTITY,
        server_sample_ms=at_ms, reduces=side is Side.SELL,
    )  # fmt: skip
    yield AttemptMoved(
        cid=cid, state=AttemptState.ACKED, order_id=str(decision), order_state=OrderState.FILLED,
        executed=QUANTITY, evidence="reply", server_ms=at_ms,
    )  # fmt: skip
    yield Filled(
        fill=Fill(
            symbol=OTHER, side=side, trade_id=str(decision), venue_order_id=str(decision), cid=cid,
            quantity=QUANTITY, price=PRICE, fee=Decimal(0), fee_asset="USDT",
            at_ns=at_ms * 1_000_000,
        ),
        bot=PAST,
    )  # fmt: skip


def _decided(bot: str, number: int, symbol: str, target: Decimal) -> Decided:
    return Decided(
        bot=bot, number=number, key=str(number), config_version=1, wish='{"type":"target"}',
        legs=(Leg(leg=symbol, symbol=symbol, target=target),), seen_ns=0,
    )  # fmt: skip


async def _leave_wanting(path: Path, target: Decimal) -> None:
    """A decision without its order, as a node leaves it that is told to stop between the two."""
    async with _journal(path) as stream:
        decision = _decided(BOT, stream.account.bots[BOT].number + 1, site.SYMBOL, target)
        await _append(stream, decision)


if __name__ == "__main__":
    for row in run():
        print(row)
