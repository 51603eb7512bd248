"""What a strategy remembers and hears, in real nodes that are killed: nothing is lost or doubled.

Not here: the rules of memories and signals (tests/unit/engine), their sources
(tests/integration/signals).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from holdfast.domain.fact import Decided, SignalReceived
from tests.support.ledger_check import Judgement
from tests.support.node import BotLine, Node, scene, until_node
from tests.support.pulse import PulseFlow

STATEFUL = '''
from decimal import Decimal

import msgspec

from holdfast.strategy import FLAT, Setup, Strategy, Target, View, Wish


class Heeding(Strategy):
    """Trades at every decision once it was told how much, and counts how often it was asked."""

    class Memory(msgspec.Struct):
        asked: int = 0
        told: str = ""

    def setup(self, on: Setup) -> None:
        self.size = on.signal("size")

    def decide(self, now: View) -> tuple[Wish, Memory]:
        memory = now.memory
        memory.asked += 1
        memory.told = str(self.size.value)
        if not self.size.ready or memory.asked % 2:
            return FLAT, memory
        return Target(quantity=Decimal(self.size.value)), memory
'''


def memories(node: Node) -> list[dict[str, object]]:
    """What each decision left, oldest first."""
    facts = (record.fact for record in node.records())
    texts = (fact.memory for fact in facts if isinstance(fact, Decided))
    return [msgspec.json.decode(text)["memory"] for text in texts if text is not None]


def knows(node: Node, size: str) -> Callable[[], bool]:
    """Whether its last decision was told `size`."""
    return lambda: any(memory["told"] == size for memory in memories(node)[-1:])


def test_memory_and_signals_survive_kill_9(tmp_path: Path) -> None:
    series = tmp_path / "size.jsonl"
    series.write_text('{"value": "9"}\n{"value": "0.5"}\n')
    settings = f'[[signals]]\nname = "size"\nfile = "{series}"\nevery_s = 0.1\n'

    async def killed() -> tuple[Judgement, Node]:
        async with scene(tmp_path / "scene", flow=PulseFlow(("BTC/USDT",))) as at:
            bot = BotLine("heeding", "BTC/USDT", "Heeding")
            node = at.node((bot,), strategies=STATEFUL, settings=settings)
            for size in ("0.5", "0.3", "0.4"):
                await node.start()
                with series.open("a") as file:
                    file.write(f'{{"value": "{size}"}}\n')
                await until_node(node, knows(node, size), f"a decision that knows of {size}")
                await node.kill_all()
            await node.start()
            count = len(memories(node))
            await until_node(node, lambda: len(memories(node)) > count + 2, "more decisions")
            return await at.ended_well(node), node

    judged, node = asyncio.run(killed())

    assert judged.faults == []
    assert [memory["asked"] for memory in memories(node)] == [
        number + 1 for number in range(len(memories(node)))
    ]
    heard = [r.fact.value for r in node.records() if isinstance(r.fact, SignalReceived)]
    assert "9" not in heard
    told = [memory["told"] for memory in memories(node)]
    assert next(size for size in told if size != "None") == "0.5"
    assert {"0.3", "0.4"} <= set(told)
