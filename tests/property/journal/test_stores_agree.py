"""Whatever is committed, in whatever batches: every store says the same, down to the last hash."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.fact import AnyFact
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group, Head, Outcome, Store
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.record import Record
from holdfast.journal.sqlite import SqliteStore
from tests.support.journal_facts import acked, armed, decided, filled, flow, moved, taken
from tests.support.postgres import database

# Few facts, so that they meet again: in a group, in a batch and in a later commit.
POOL: tuple[AnyFact, ...] = (
    armed(1), armed(2), armed(1, 2), armed(3, cid=armed(2).cid), armed(1, cid="another"),
    decided(1), decided(2, key="1"), decided(1, bot="grid"), filled("t1"),
    filled("t1", "ETH/USDT"), flow("f1"), flow(), taken("c1"), acked(1), moved(2),
)  # fmt: skip
group = st.lists(st.sampled_from(POOL), min_size=1, max_size=4).map(lambda f: Group(tuple(f)))
commits = st.lists(st.lists(group, min_size=1, max_size=5), min_size=1, max_size=4)
Told = tuple[Head, list[list[Outcome]], list[Record]]


async def told_by(store: Store, account: str, wanted: list[list[Group]]) -> Told:
    head = await store.acquire(account, "a")
    outcomes = []
    for at_ns, groups in enumerate(wanted):
        head, outcome = await store.commit(head, groups, at_ns)
        outcomes.append(outcome)
    assert await store.head(account) == head
    return head, outcomes, list(store.read(account))


def test_every_store_says_the_same(tmp_path: Path) -> None:
    numbers = itertools.count()
    with database() as url, asyncio.Runner() as runner:

        async def opened() -> list[Store]:
            sqlite = SqliteStore(tmp_path / "journal.db", inline=True)
            return [MemoryStore(), sqlite, PostgresStore(url)]

        stores = runner.run(opened())

        @settings(max_examples=60)
        @given(commits)
        def agree(wanted: list[list[Group]]) -> None:
            account = f"account-{next(numbers)}"  # a stream of its own for each example
            memory, *others = [runner.run(told_by(store, account, wanted)) for store in stores]
            assert others == [memory, memory]

        try:
            agree()
        finally:
            for store in stores:
                runner.run(store.close())
