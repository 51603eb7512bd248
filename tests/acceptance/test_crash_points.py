"""Kill -9 at every named point between a decision and the durable answer, and of all at once.

Real processes, a real journal in SQLite or PostgreSQL, the exchange's own protocol over loopback.
The judge is the exchange's ledger: nothing doubled, nothing lost, nothing left unresolved, balances
equal exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from holdfast.domain.fact import Armed, Filled, TookOver
from holdfast.domain.order import OrderType
from holdfast.execution.points import CANCEL_POINTS, ORDER_POINTS
from tests.support.ledger_check import Judgement
from tests.support.node import QUOTER, Node, flips, until_armed, until_node
from tests.support.postgres import database
from tests.support.pulse import SYMBOLS, PulseFlow
from tests.support.scene import Scene, scene

TRADED = SYMBOLS[:3]
BOTS = (*flips(TRADED[1:]), QUOTER)
ORDERS_BEFORE = 4  # the crash comes in the middle of trading
ORDERS_AFTER = 4
MORE_ORDERS = 6


async def _killed_at(point: str, at: Scene, database: str) -> Judgement:
    """One node, killed once at `point`; what it leaves behind when it has gone on."""
    node = at.node(BOTS, point, database=database)
    marker = at.folder / f"{point}.marker"
    await node.start(crash_at=f"{point}:{ORDERS_BEFORE}:{marker}")
    await until_node(node, marker.exists, f"a crash at {point}")
    await until_node(
        node, lambda: _executed_after_takeover(node) >= ORDERS_AFTER, f"orders after {point}"
    )
    found = await at.agreed(node)
    if not found.faults:
        found = await at.ended_well(node)
    assert node.state().counters.takeovers >= 2, node.said()
    assert len(node.logged("restart")) == 1, "one process died, by the kill"
    return found


def _executed_after_takeover(node: Node) -> int:
    """How many market orders that any process but the first armed have executed.

    On a busy machine some are too late to be sent, and of those nothing is left to compare.
    """
    armed, lives, executed = set[str](), 0, set[str]()
    for record in node.records():
        match record.fact:
            case TookOver():
                lives += 1
            case Armed(cid=cid, spec=spec) if lives > 1 and spec.type is OrderType.MARKET:
                armed.add(cid)
            case Filled(fill=fill) if fill.cid in armed:
                executed.add(fill.cid)
            case _:
                pass
    return len(executed)


@contextmanager
def _journal(kind: str) -> Iterator[str]:
    """The address of a journal for one node; of a file it is made with the node."""
    if kind == "sqlite":
        yield ""
    else:
        with database() as url:
            yield url


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_kill_at_any_point_doubles_nothing_and_loses_nothing(kind: str, tmp_path: Path) -> None:
    points = (*ORDER_POINTS, *CANCEL_POINTS)

    async def one(point: str, url: str) -> Judgement:
        async with scene(tmp_path / point, flow=PulseFlow(TRADED)) as at:
            return await _killed_at(point, at, url)

    async def every(urls: list[str]) -> list[Judgement]:
        return await asyncio.gather(*map(one, points, urls))

    # Made and emptied while no exchange waits for this process: late replies would be in doubt.
    with ExitStack() as journals:
        urls = [journals.enter_context(_journal(kind)) for _ in points]
        found = dict(zip(points, asyncio.run(every(urls)), strict=True))

    assert {point: judged.faults for point, judged in found.items() if judged.faults} == {}
    assert all(judged.executions >= ORDERS_AFTER for judged in found.values()), found


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_kill_of_supervisor_and_child_at_once_is_gone_on_from_by_a_second_start(
    kind: str, tmp_path: Path
) -> None:
    async def run(url: str) -> Judgement:
        async with scene(tmp_path) as at:
            node = at.node(BOTS, database=url)
            for life in range(1, 4):
                await node.start()
                await until_armed(node, life * MORE_ORDERS)
                await node.kill_all()
            await node.start()
            await until_armed(node, 4 * MORE_ORDERS)
            return await at.ended_well(node)

    with _journal(kind) as url:
        found = asyncio.run(run(url))

    assert found.faults == []
    # What was armed a moment before each kill never left, and on a busy machine that is most.
    assert found.executions >= MORE_ORDERS


def test_a_child_whose_supervisor_is_killed_ends_by_itself_and_leaves_the_journal_free(
    tmp_path: Path,
) -> None:
    async def run() -> Judgement:
        async with scene(tmp_path) as at:
            node = at.node(BOTS)
            await node.start()
            await until_armed(node, MORE_ORDERS)
            child = node.child_pid()
            await node.end()
            gone = Path(f"/proc/{child}")
            await until_node(node, lambda: not gone.exists(), "the child's end")
            assert not node.logged("close_hung"), "it ended in order, not by force"
            await node.start()
            await until_armed(node, 2 * MORE_ORDERS)
            return await at.ended_well(node)

    assert asyncio.run(run()).faults == []
