"""Nodes that keep one account over leases in memory, in real time but short.

Not here: stores that go wrong, which live with the tests of what is done about them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from holdfast.cluster.board import LocalBoard, State, Wanted
from holdfast.cluster.keeper import Keeper
from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import Member
from holdfast.cluster.timing import Timing
from tests.support.leases import member
from tests.support.waiting import until

TRIES = 5
QUICK = Timing(renew_s=0.03, ttl_s=0.8, poll_s=0.005, call_s=0.3)


class OneNode:
    """A keeper, and an account process that does at once what is wanted of it."""

    def __init__(self, leases: MemoryLeases, who: Member, gone: set[str]) -> None:
        self.member = who
        self.board = LocalBoard(time.monotonic_ns)
        self.keeper = Keeper(
            store=leases, member=who, timing=QUICK, board=self.board, now_ns=time.monotonic_ns,
            is_gone=lambda other: other.boot_id in gone,
        )  # fmt: skip
        self.board.tell("main", State.FOLLOWING)
        self.keeping = asyncio.create_task(self.keeper.run())
        self.obeying = asyncio.create_task(self._obey())

    @property
    def leads(self) -> bool:
        """Whether it may arm."""
        return self.board.state("main") is State.LEADING and self.board.may_lead("main")

    async def _obey(self) -> None:
        while True:
            await self.board.until("main", Wanted.LEAD)
            self.board.tell("main", State.LEADING)
            await self.board.until("main", Wanted.FOLLOW, Wanted.YIELD)
            self.board.tell("main", State.DOWN)
            await asyncio.sleep(0)
            self.board.tell("main", State.FOLLOWING)

    async def vanish(self) -> None:
        """End without a word, as after kill -9."""
        for task in (self.obeying, self.keeping):
            task.cancel()
        await asyncio.wait([self.keeping, self.obeying])


@asynccontextmanager
async def nodes(
    *names: str, leases: MemoryLeases | None = None
) -> AsyncIterator[tuple[list[OneNode], MemoryLeases, set[str]]]:
    """Nodes that start one after the other, so that the first leads."""
    store, gone, made = leases or MemoryLeases(), set[str](), list[OneNode]()
    try:
        for name in names:
            made.append(OneNode(store, member(name), gone))
            await until(leads_one(made), f"{name} takes part")
            await asyncio.sleep(5 * QUICK.poll_s)
        yield made, store, gone
    finally:
        for node in made:
            await node.vanish()


def leads_one(made: list[OneNode]) -> Callable[[], bool]:
    """Whether exactly one may arm."""
    return lambda: [node.leads for node in made].count(True) == 1
