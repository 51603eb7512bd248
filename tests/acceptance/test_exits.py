"""Protective stops at a real exchange's protocol: they rest there, fire, and survive kill -9.

Real processes. Not here: what a stop follows and when (tests/unit/engine/test_exits).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from holdfast.domain.fact import Filled
from holdfast.domain.order import OrderType
from holdfast.execution.points import ORDER_POINTS
from tests.support.ledger_check import Judgement
from tests.support.node import BotLine, Node, until_node
from tests.support.pulse import PulseFlow
from tests.support.scene import Scene, scene
from tests.support.swing import SwingFlow

GUARDED = '''
from decimal import Decimal

from holdfast.strategy import Percent, Strategy, Target, View, Wish


class Guarded(Strategy):
    """Buys whenever it is flat, with a stop that follows the market until a swing reaches it."""

    def decide(self, now: View) -> Wish:
        episode = str(now.time_ns // 2_000_000_000)
        return Target(
            quantity=Decimal("0.5"),
            stop=Percent(0.25),
            trail=True,
            band=Decimal("0.01"),
            episode=episode,
        )


class Patient(Strategy):
    """Buys once, with a stop that is never reached."""

    def decide(self, now: View) -> Wish:
        return Target(quantity=Decimal("0.5"), stop=Percent(10), band=Decimal("0.01"))
'''
BTC = ("BTC/USDT",)


def stops_fired(node: Node) -> int:
    """How many protective stops were executed."""
    stops = {a.cid for a in node.armed() if a.leg.endswith("|stop")}
    fills = [record.fact.fill for record in node.records() if isinstance(record.fact, Filled)]
    return len({fill.cid for fill in fills} & stops)


async def open_stops(at: Scene) -> list[tuple[str, str]]:
    ledger = msgspec.json.decode(await at.admin("GET", "ledger"))
    return [
        (order["origQty"], order["stopPrice"])
        for order in ledger["orders"]
        if order["type"] == OrderType.STOP_LOSS and order["status"] == "NEW"
    ]


def test_stops_fire_again_and_again_through_kills_at_any_point(tmp_path: Path) -> None:
    async def killed_at(point: str) -> Judgement:
        async with scene(tmp_path / point, flow=SwingFlow()) as at:
            bot = BotLine("guarded", "BTC/USDT", "Guarded")
            node = at.node((bot,), point, strategies=GUARDED)
            marker = at.folder / f"{point}.marker"
            await node.start(crash_at=f"{point}:4:{marker}")
            await until_node(node, marker.exists, f"a crash at {point}")
            before = stops_fired(node)
            await until_node(node, lambda: stops_fired(node) >= before + 2, "two more stops")
            return await at.ended_well(node)

    async def every() -> list[Judgement]:
        return await asyncio.gather(*(killed_at(point) for point in ORDER_POINTS))

    found = asyncio.run(every())

    assert [judged.faults for judged in found] == [[]] * len(ORDER_POINTS)


def test_a_stop_rests_at_the_exchange_while_nobody_runs_and_is_not_placed_twice(
    tmp_path: Path,
) -> None:
    async def run() -> tuple[list[tuple[str, str]], list[tuple[str, str]], Judgement, int]:
        async with scene(tmp_path, flow=PulseFlow(BTC)) as at:
            node = at.node((BotLine("patient", "BTC/USDT", "Patient"),), strategies=GUARDED)
            await node.start()
            await until_node(
                node, lambda: any(o.exit for o in node.state().live.values() if o.is_working), "it"
            )
            await node.kill_all()
            alone = await open_stops(at)
            await node.start()
            await until_node(node, lambda: node.state().counters.takeovers == 2, "a second life")
            await asyncio.sleep(3)  # bars, in each of which another stop might be placed
            both = await open_stops(at)
            judged = await at.ended_well(node)
            stops = [attempt for attempt in node.armed() if attempt.leg.endswith("|stop")]
            return alone, both, judged, len(stops)

    alone, both, judged, stops = asyncio.run(run())

    assert alone == both == [("0.4995", "54000")]
    assert judged.faults == []
    assert stops == 1
