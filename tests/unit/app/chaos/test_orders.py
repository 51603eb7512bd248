"""What a strike cost, read from the orders of the account that was struck."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec

from holdfast.app.chaos.orders import Orders
from holdfast.app.chaos.proxy import Sent
from holdfast.app.demo.replica import Replica
from holdfast.domain.fact import AnyFact, Opened
from holdfast.errors import RetryableError
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.port import Group
from holdfast.journal.record import Record
from holdfast.journal.sqlite_file import SqliteFile
from tests.support.exchange import on_loop
from tests.support.journal_facts import TAG, armed

MS = 1_000_000


class Line:
    """What a proxy would have seen."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def order(self, account: str, number: int, at_ms: int) -> None:
        self.sent.append(Sent("node", f"{account}{number}", at_ms * MS))

    async def collect(self) -> tuple[Sent, ...]:
        sent, self.sent = self.sent, []
        return tuple(sent)


def _journal(path: Path) -> dict[str, Replica]:
    """Two accounts; the process of each has changed from its third order on."""
    file = SqliteFile(path)
    for account in ("one", "two"):
        facts: list[AnyFact] = [
            Opened(account=account, deployment=TAG, generation=1, reporting="USDT")
        ]
        for number in range(1, 6):
            order = armed(number, cid=f"{account}{number}")
            boot_id = f"{account} {'old' if number < 3 else 'new'}"
            facts.append(msgspec.structs.replace(order, boot_id=boot_id))
        file.commit(file.acquire(account, "a"), [Group(tuple(facts))], 1)
    file.close()
    database = SqliteDatabase(path)
    return {account: Replica(database, account) for account in ("one", "two")}


@on_loop
async def test_a_gap_is_of_the_account_that_was_struck_alone(tmp_path: Path) -> None:
    line = Line()
    orders = Orders(line, _journal(tmp_path / "journal.db"))
    line.order("one", 1, 0)
    line.order("two", 1, 0)
    assert [(o.account, o.boot_id) for o in await orders.read()] == [
        ("one", "one old"), ("two", "two old"),
    ]  # fmt: skip

    orders.mark(100 * MS, "two", "two old")
    line.order("one", 3, 110)  # another process than the one that was struck, of another account
    line.order("two", 2, 120)  # left before
    line.order("one", 4, 200)
    line.order("two", 3, 350)
    line.order("two", 4, 400)
    await orders.read()

    assert orders.gap_ms == 250
    assert orders.silence_ms == 230


@on_loop
async def test_an_order_whose_record_is_not_read_yet_waits(tmp_path: Path) -> None:
    line = Line()
    orders = Orders(line, _journal(tmp_path / "journal.db"))
    line.order("three", 1, 0)
    line.order("one", 1, 0)
    assert await orders.read() == []


@on_loop
async def test_a_byte_that_left_before_its_row_is_not_forgotten(tmp_path: Path) -> None:
    line, replicas = Line(), _journal(tmp_path / "journal.db")
    orders = Orders(line, replicas)
    line.order("one", 1, 0)
    line.order("one", 9, 1)
    await orders.read()
    assert list(orders.early) == ["one9"]


@on_loop
async def test_while_a_journal_cannot_be_read_no_byte_is_early(tmp_path: Path) -> None:
    class Away(SqliteDatabase):
        def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
            raise RetryableError("the store is away")

    line, replicas = Line(), _journal(tmp_path / "journal.db")
    orders = Orders(line, replicas | {"two": Replica(Away(tmp_path / "journal.db"), "two")})
    line.order("one", 9, 1)
    await orders.read()
    assert not orders.early


@on_loop
async def test_a_bot_that_sends_nothing_is_named(tmp_path: Path) -> None:
    line, replicas = Line(), _journal(tmp_path / "journal.db")
    orders = Orders(line, replicas)
    line.order("one", 1, 0)  # before anybody asked
    bots = {("one", "sma"), ("two", "sma")}

    async def later() -> None:
        await asyncio.sleep(0.01)
        line.order("two", 1, 1)

    _, left = await asyncio.gather(later(), orders.without(bots, 0.2))
    assert left == {("one", "sma")}
