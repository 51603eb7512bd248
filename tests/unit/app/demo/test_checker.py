"""The last check of a demo: a result counts when nothing moves any more, not a moment before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from holdfast.app.database import SqliteDatabase
from holdfast.app.demo.admin import Admin
from holdfast.app.demo.checker import PATIENCE_NS, Checker
from holdfast.app.demo.evidence import Ledger, SignedRequest, read_ledger
from holdfast.app.demo.replica import Replica
from holdfast.domain.fact import AnyFact, Filled, OrderMoved
from holdfast.domain.order import OrderState, Side
from holdfast.errors import RetryableError
from holdfast.journal.port import Group
from holdfast.journal.record import Record
from holdfast.journal.sqlite_file import SqliteFile
from tests.support import demo_world as world
from tests.support.exchange import on_loop


class ScriptedAdmin(Admin):
    """An exchange whose ledger is another one at each look; the last one stays.

    Attributes:
        looks: how often it was asked.
    """

    def __init__(self, *ledgers: Callable[[], dict[str, Any]]) -> None:
        self._ledgers = ledgers
        self.looks = 0

    async def ledger(self, *, anew: bool = False) -> Ledger:
        self.looks += 1
        true = self._ledgers[min(self.looks, len(self._ledgers)) - 1]()
        return read_ledger(msgspec.json.encode(true))

    async def requests(self) -> tuple[SignedRequest, ...]:
        return ()


@contextmanager
def journal(path: Path, *facts: AnyFact) -> Iterator[Callable[[AnyFact], None]]:
    """A journal with these facts; writes one more."""
    file = SqliteFile(path)
    head, _ = file.commit(file.acquire("main", "here:1"), [Group(facts)], 1)

    def write(fact: AnyFact) -> None:
        nonlocal head
        head, _ = file.commit(head, [Group((fact,))], 2)

    try:
        yield write
    finally:
        file.close()


def resting(status: str) -> dict[str, Any]:
    """The ledger with one more order of ours."""
    true = world.ledger()
    true["orders"].append(world.order(4, "0", status=status))
    return true


FACTS = (*world.facts(), world.armed(4, Side.BUY, "0.1"), world.acked(4, OrderState.NEW, "0"))
TAKEN_BACK = OrderMoved(cid=world.cid(4), state=OrderState.CANCELLED, executed=Decimal(0))


@on_loop
async def test_an_order_that_is_taken_back_between_two_looks_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with journal(path, *FACTS) as write:

        def cancelled_and_heard_of() -> dict[str, Any]:
            if admin.looks == 3:
                write(TAKEN_BACK)
            return resting("CANCELED")

        admin = ScriptedAdmin(
            lambda: resting("NEW"), lambda: resting("CANCELED"), cancelled_and_heard_of
        )
        checker = Checker(admin, Replica(SqliteDatabase(path), "main"), world.KEY)

        last = await checker.settle(lambda: True, lambda: False)

    assert last.is_settled, last
    assert admin.looks == 4


@on_loop
async def test_what_stays_wrong_is_told_when_the_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with journal(path, *FACTS):
        admin = ScriptedAdmin(lambda: resting("CANCELED"))
        checker = Checker(admin, Replica(SqliteDatabase(path), "main"), world.KEY)

        last = await checker.settle(lambda: True, lambda: admin.looks > 2)

    assert last.lost_orders == 1
    assert not last.is_settled


@on_loop
async def test_nothing_is_concluded_while_new_orders_may_come(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with journal(path, *FACTS):
        admin = ScriptedAdmin(lambda: resting("NEW"))
        checker = Checker(admin, Replica(SqliteDatabase(path), "main"), world.KEY)

        last = await checker.settle(lambda: admin.looks >= 3, lambda: False)

    assert last.is_settled
    assert admin.looks == 4


ARMED_LATE = (
    world.armed(4, Side.BUY, "0.1"),
    world.acked(4, OrderState.NEW, "0"),
    TAKEN_BACK,
)


@on_loop
async def test_an_order_that_came_before_its_row_is_not_forgiven_when_the_row_comes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    with journal(path, *world.facts()) as write:
        admin = ScriptedAdmin(lambda: resting("NEW"), lambda: resting("CANCELED"))
        checker = Checker(admin, Replica(SqliteDatabase(path), "main"), world.KEY)

        running = await checker.check(PATIENCE_NS)
        for fact in ARMED_LATE:
            write(fact)
        last = await checker.settle(lambda: True, lambda: False)

    assert running.lost_orders == 1
    assert [one.what for one in checker.wrong] == [world.cid(4)]
    assert last.findings == running.findings
    assert last.lost_orders == 1
    assert not last.is_settled


@on_loop
async def test_what_may_be_true_for_a_moment_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    facts = [f for f in world.facts() if not (isinstance(f, Filled) and f.fill.trade_id == "3")]
    (late,) = (f for f in world.facts() if isinstance(f, Filled) and f.fill.trade_id == "3")
    with journal(path, *facts) as write:
        checker = Checker(
            ScriptedAdmin(world.ledger), Replica(SqliteDatabase(path), "main"), world.KEY
        )
        running = await checker.check(PATIENCE_NS)
        write(late)
        last = await checker.settle(lambda: True, lambda: False)

    assert running.lost_orders == 1
    assert last.is_settled


@on_loop
async def test_a_journal_that_was_not_read_to_its_end_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    class Cut(SqliteDatabase):
        def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
            yield from islice(super().read(account, after_seq), 10)
            if admin.looks == 1:
                raise RetryableError("the store is away")
            yield from islice(super().read(account, after_seq), 10, None)

    with journal(path, *FACTS):
        admin = ScriptedAdmin(lambda: resting("NEW"))
        checker = Checker(admin, Replica(Cut(path), "main"), world.KEY)
        running = await checker.check(PATIENCE_NS)
        last = await checker.settle(lambda: True, lambda: False)

    assert running.findings
    assert last.is_settled
