"""Two real nodes whose leases are on a server: PostgreSQL with the journal, or Redis beside a file.

Not here: leases in a file (tests/acceptance/test_failover.py), each store by itself (tests/unit).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.domain.fact import TookOver
from tests.support.ledger_check import Judgement
from tests.support.node import QUOTER, Node, flips, until_armed, until_node
from tests.support.postgres import database
from tests.support.pulse import PulseFlow
from tests.support.redis import RedisServer
from tests.support.scene import Scene, scene

SYMBOLS = ("BTC/USDT",)
FAST = '[cluster]\nprofile = "fast"\n'


@asynccontextmanager
async def pair(at: Scene, settings: str = FAST, database: str = "") -> AsyncIterator[list[Node]]:
    """A leader that trades, and a standby that is warm."""
    leader = at.node((*flips(SYMBOLS), QUOTER), settings=settings, database=database)
    standby = leader.sibling("standby")
    at.nodes.append(standby)
    await leader.start()
    await until_armed(leader, 2)
    await standby.start()
    await until_node(standby, lambda: bool(standby.logged("following")), "a warm standby")
    yield [leader, standby]


def epochs(node: Node) -> list[TookOver]:
    return [record.fact for record in node.records() if isinstance(record.fact, TookOver)]


async def goes_on(at: Scene, leader: Node, standby: Node, ending: signal.Signals) -> Judgement:
    """The leader ends or sleeps, the standby trades, and the leader wakes where it can."""
    before = len(epochs(standby))
    leader.send_all(ending)
    await until_node(standby, lambda: len(epochs(standby)) > before, "the standby leads")
    await until_armed(standby, len(standby.armed()) + 4)
    if ending is signal.SIGSTOP:
        leader.send_all(signal.SIGCONT)
        assert await leader.stop() == 0
    return await at.ended_well(standby)


def refused(node: Node) -> int:
    """How often it did not arm because it leads no more."""
    return sum("lease" in str(line["reason"]) for line in node.logged("arm_failed"))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
def test_leases_and_journal_in_postgres(tmp_path: Path, ending: signal.Signals) -> None:
    async def run(url: str) -> Judgement:
        async with (
            scene(tmp_path, flow=PulseFlow(SYMBOLS)) as at,
            pair(at, database=url) as (leader, standby),
        ):
            return await goes_on(at, leader, standby, ending)

    with database() as url:
        assert asyncio.run(run(url)).faults == []


def test_leases_in_redis(tmp_path: Path) -> None:
    server = RedisServer()

    async def run() -> Judgement:
        async with (
            scene(tmp_path, flow=PulseFlow(SYMBOLS)) as at,
            pair(at, f'{FAST}lease_url = "{server.url}"\n') as (leader, standby),
        ):
            return await goes_on(at, leader, standby, signal.SIGSTOP)

    try:
        assert asyncio.run(run()).faults == []
    finally:
        server.stop()


def test_while_redis_is_gone_nobody_leads_and_when_it_is_back_somebody_does(
    tmp_path: Path,
) -> None:
    server = RedisServer()

    async def run() -> Judgement:
        async with (
            scene(tmp_path, flow=PulseFlow(SYMBOLS)) as at,
            pair(at, f'{FAST}lease_url = "{server.url}"\n') as nodes,
        ):
            leader, standby = nodes
            before = len(epochs(standby))
            server.crash()
            await until_node(leader, lambda: refused(leader) > 0, "no lease, no order")
            armed = len(leader.armed())
            await until_node(leader, lambda: refused(leader) > 1, "and again")
            assert (len(leader.armed()), len(epochs(standby))) == (armed, before)
            server.start()  # and knows nobody
            await until_node(
                standby, lambda: len(epochs(standby)) > before, "somebody leads again"
            )
            await until_armed(standby, len(standby.armed()) + 4)
            assert await leader.stop() == 0
            await until_armed(standby, len(standby.armed()) + 2)
            return await at.ended_well(standby)

    try:
        assert asyncio.run(run()).faults == []
    finally:
        server.stop()
