"""Stop and take-profit as one list at a real exchange's protocol, through kills at any point.

Both fire, in part as well. Real processes on a market that swings. Not here: when a list is used
(tests/unit/engine), faults of the exchange (test_list_faults).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from holdfast.domain.fact import Filled
from holdfast.domain.order import OrderType
from holdfast.execution.points import CANCEL_POINTS, ORDER_POINTS
from tests.support.ledger_check import Judgement
from tests.support.node import BotLine, Node, until_node
from tests.support.scene import Scene, scene
from tests.support.swing import LISTED, NIBBLE, SwingFlow

LISTED_BOT = BotLine("listed", "BTC/USDT", "Listed")
RESTLESS_BOT = BotLine("restless", "BTC/USDT", "Restless")
Open = tuple[str, str, str]  # type, quantity, price


def fired(node: Node) -> dict[str, int]:
    """How many stops and take-profits of lists were executed, at least in part."""
    exits = {a.cid: a.spec.type for a in node.armed() if a.list_cid}
    fills = {r.fact.fill.cid for r in node.records() if isinstance(r.fact, Filled)}
    types = [exits[cid] for cid in fills if cid in exits]
    return {
        "stop": types.count(OrderType.STOP_LOSS), "take": types.count(OrderType.LIMIT_MAKER)
    }  # fmt: skip


def lists(node: Node) -> int:
    """How many lists were armed."""
    return len({a.list_cid for a in node.armed() if a.list_cid})


def working(node: Node) -> int:
    """How many orders the journal says to be open."""
    return sum(order.is_working for order in node.state().live.values())


def bitten(node: Node) -> int:
    """How many take-profits were executed by the part that somebody nibbled."""
    exits = {a.cid for a in node.armed() if a.list_cid and a.spec.type is OrderType.LIMIT_MAKER}
    booked: dict[str, list[str]] = {}
    for record in node.records():
        if isinstance(record.fact, Filled) and record.fact.fill.cid in exits:
            fill = record.fact.fill
            booked.setdefault(fill.cid, []).append(str(fill.quantity.normalize()))
    return sum(quantities == [str(NIBBLE)] for quantities in booked.values())


async def open_exits(at: Scene) -> list[Open]:
    ledger = msgspec.json.decode(await at.admin("GET", "ledger"))
    return sorted(
        (order["type"], order["origQty"], order["price"])
        for order in ledger["orders"]
        if order["status"] == "NEW" and order["side"] == "SELL"
    )


def test_both_exits_fire_and_what_a_part_leaves_is_sold(tmp_path: Path) -> None:
    async def run() -> tuple[Judgement, Node]:
        async with scene(tmp_path, flow=SwingFlow()) as at:
            node = at.node((LISTED_BOT,), strategies=LISTED)
            await node.start()
            await until_node(
                node,
                lambda: bitten(node) >= 1 and fired(node)["stop"] >= 1,
                "a stop, and a take-profit in part",
            )
            return await at.ended_well(node), node

    judged, node = asyncio.run(run())

    assert judged.faults == []
    assert node.state().bot("listed").last_exits


@pytest.mark.parametrize("bot", [LISTED_BOT, RESTLESS_BOT])
def test_a_kill_at_any_point_of_a_lists_life_doubles_and_loses_nothing(
    bot: BotLine, tmp_path: Path
) -> None:
    points = ORDER_POINTS if bot is LISTED_BOT else CANCEL_POINTS

    async def killed_at(point: str) -> Judgement:
        async with scene(tmp_path / point, flow=SwingFlow()) as at:
            node = at.node((bot,), point, strategies=LISTED)
            marker = at.folder / f"{point}.marker"
            await node.start(crash_at=f"{point}:4:{marker}")
            await until_node(node, marker.exists, f"a crash at {point}")
            before = lists(node)
            await until_node(node, lambda: lists(node) >= before + 2, "two more lists")
            return await at.ended_well(node)

    async def every() -> list[Judgement]:
        return await asyncio.gather(*(killed_at(point) for point in points))

    found = dict(zip(points, asyncio.run(every()), strict=True))

    assert {point: judged.faults for point, judged in found.items() if judged.faults} == {}


def test_a_list_rests_while_nobody_runs_and_is_not_placed_twice(tmp_path: Path) -> None:
    async def run() -> tuple[list[Open], list[Open], Judgement, int]:
        async with scene(tmp_path, flow=SwingFlow()) as at:
            node = at.node((BotLine("patient", "BTC/USDT", "Patient"),), strategies=LISTED)
            await node.start()
            await until_node(node, lambda: working(node) == 2, "the list")
            await node.kill_all()
            alone = await open_exits(at)
            await node.start()
            await until_node(node, lambda: node.state().counters.takeovers == 2, "a second life")
            await asyncio.sleep(3)  # bars, in each of which another list might be placed
            both = await open_exits(at)
            return alone, both, await at.ended_well(node), lists(node)

    alone, both, judged, armed = asyncio.run(run())

    assert alone == both
    assert [kind for kind, _, _ in both] == ["LIMIT_MAKER", "STOP_LOSS"]
    assert judged.faults == []
    assert armed == 1
