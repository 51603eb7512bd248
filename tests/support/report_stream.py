"""A stream over four months, as a node could have written it: orders of two bots, fills, marks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import psycopg

from holdfast.config.database import ReportPolicy
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    CashFlow,
    Filled,
    Marked,
    Opened,
    OrderMoved,
)
from holdfast.domain.fill import Fill
from holdfast.domain.order import AttemptState, OrderState, Side
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.port import Group, Snapshot
from holdfast.journal.postgres_database import PostgresDatabase
from holdfast.journal.reports import TABLES, Reports, Row
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, to_bytes
from tests.support.journal_facts import armed

ACCOUNT = "main"
BEGIN = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Batch = tuple[int, tuple[AnyFact, ...]]
"""Journal time, and what is committed then."""


def ns(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


def order(number: int, bot: str, side: Side, quantity: str) -> Armed:
    one = armed(number)
    spec = msgspec.structs.replace(one.spec, side=side, quantity=Decimal(quantity))
    return msgspec.structs.replace(one, bot=bot, decision=0, spec=spec)


def fill(number: int, part: int, of: Armed, quantity: str, at: datetime) -> Filled:
    return Filled(
        bot=of.bot,
        fill=Fill(
            symbol=of.spec.symbol, side=of.spec.side, trade_id=f"{number}-{part}",
            venue_order_id=f"v{number}", cid=of.cid, quantity=Decimal(quantity),
            price=Decimal("50000.01"), fee=Decimal("0.00001"), fee_asset="BNB", at_ns=ns(at),
            is_maker=True,
        ),
    )  # fmt: skip


def opening() -> Batch:
    bots = (
        BotStarted(bot=name, config_version=1, config="{}", anchor_ns=0) for name in ("one", "two")
    )
    opened = Opened(account=ACCOUNT, deployment="test", generation=1, reporting="USDT")
    money = CashFlow(
        asset="USDT", amount=Decimal(10_000), reason="opening", evidence="", at_ns=ns(BEGIN)
    )
    return ns(BEGIN), (opened, *bots, money)


def trade(number: int) -> list[Batch]:
    """An order every other day that fills in two parts, one that is refused after it, a mark."""
    at = BEGIN + 2 * number * DAY
    side = Side.BUY if number % 2 else Side.SELL
    one = order(2 * number, "one" if number % 4 < 2 else "two", side, "0.02")
    refused = order(2 * number + 1, "two", side, "0.5")
    acked = AttemptMoved(
        cid=one.cid, state=AttemptState.ACKED, order_id=f"v{number}",
        order_state=OrderState.NEW, executed=Decimal(0),
    )  # fmt: skip
    half, whole = Decimal("0.005"), Decimal("0.02")
    later = at + timedelta(hours=30)  # of the last day of a month it is the next one's
    return [
        (ns(at), (one,)),
        (ns(at) + 1_000_000, (acked,)),
        (
            ns(at) + 2_000_000,
            (
                OrderMoved(cid=one.cid, state=OrderState.PARTIALLY_FILLED, executed=half),
                fill(number, 1, one, "0.005", at),
            ),
        ),
        (ns(at) + 3_000_000, (refused,)),
        (
            ns(at) + 4_000_000,
            (AttemptMoved(cid=refused.cid, state=AttemptState.REJECTED, code="-2010", final=True),),
        ),
        (
            ns(later),
            (
                fill(number, 2, one, "0.015", later),
                OrderMoved(cid=one.cid, state=OrderState.FILLED, executed=whole),
                Marked(
                    at_ns=ns(later),
                    equity=Decimal("10000.000000000000000001") + number,
                    pnl={"one": Decimal(number), "two": Decimal("-0.10")},
                    prices={"BTC/USDT": Decimal("50000.01")},
                ),
            ),
        ),
    ]


def stream(trades: int = 50) -> list[Batch]:
    return [opening(), *(batch for number in range(1, trades + 1) for batch in trade(number))]


def write(database: Database, batches: Sequence[Batch], account: str = ACCOUNT) -> None:
    """Append to the journal as the next writer of the account."""

    async def run() -> None:
        store = database.store()
        try:
            head = await store.acquire(account, "test")
            for at_ns, facts in batches:
                head, _ = await store.commit(head, [Group(facts)], at_ns)
        finally:
            await store.close()

    asyncio.run(run())


def spoil(journal: Database, seq: int, account: str = ACCOUNT) -> None:
    """Change a record behind everybody's back."""
    with journal.one_moment() as rows:
        found = rows.execute(
            "SELECT body FROM record WHERE account = ? AND seq = ?", (account, seq)
        ).fetchone()
    spoiled = bytes(found[0]).replace(b"0", b"1")
    statement = "UPDATE record SET body = {0} WHERE account = {0} AND seq = {0}"
    if isinstance(journal, SqliteDatabase):
        with sqlite3.connect(journal.name) as file:
            file.execute(statement.format("?"), (spoiled, account, seq))
        file.close()
    else:
        assert isinstance(journal, PostgresDatabase)
        with psycopg.connect(journal.url) as connection:
            connection.execute(statement.format("%s"), (spoiled, account, seq))


def folded(journal: Database, until: int | None = None) -> AccountState:
    """The account as of the end of its stream, or of a record."""
    state = AccountState()
    for record in journal.read(ACCOUNT):
        if until is None or record.seq <= until:
            apply(state, record.seq, record.epoch, record.at_ns, record.fact)
    return state


def save_snapshot(journal: Database, seq: int) -> None:
    """Of the fold up to a record, which the next to follow begins at."""

    async def run() -> None:
        store = journal.store()
        digest = await store.hash_at(ACCOUNT, seq)
        assert digest is not None
        await store.save_snapshot(Snapshot(ACCOUNT, seq, digest, to_bytes(folded(journal, seq))))
        await store.close()

    asyncio.run(run())


NOW_NS = ns(BEGIN + 150 * DAY)
KEEP_ALL = ReportPolicy()


def made(journal: Database, policy: ReportPolicy = KEEP_ALL) -> Reports:
    reports = journal.reports(policy)
    reports.make(NOW_NS)
    return reports


def everything(reports: Reports) -> dict[str, list[Row]]:
    return {table: reports.read(table, ACCOUNT, limit=10**6) for table in TABLES}
