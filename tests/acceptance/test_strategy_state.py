"""What a strategy remembers and hears, in real nodes that are killed: nothing is lost or doubled.

Not here: the rules of memories and signals (tests/unit/engine), their sources
(tests/integration/signals).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from holdfast.domain.fact import Decided, SignalReceived
from tests.support.ledger_check import Judgement
from tests.support.node import QUOTER, STRATEGIES, BotLine, Node, until_node
from tests.support.pulse import PulseFlow
from tests.support.scene import scene

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


LOOKING = '''
from decimal import Decimal

from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish


class Looking(Strategy):
    """Trades at each close at which the book is known and narrow."""

    def setup(self, on: Setup) -> None:
        self.book = on.book()
        self.last = on.trades()

    def decide(self, now: View) -> Wish:
        if not self.last.ready or not self.book.ready or self.book.ask - self.book.bid > 100:
            return KEEP
        return FLAT if now.position.quantity > Decimal("0.1") else Target(quantity=Decimal("0.5"))
'''


def decisions(node: Node, bot: str) -> list[Decided]:
    """Of one bot, oldest first."""
    facts = [record.fact for record in node.records() if isinstance(record.fact, Decided)]
    return [fact for fact in facts if fact.bot == bot]


def memories(node: Node) -> list[dict[str, object]]:
    """What each decision left, oldest first."""
    texts = (decided.memory for decided in decisions(node, "heeding"))
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


def test_a_decision_keeps_the_book_and_the_trade_that_it_was_made_on(tmp_path: Path) -> None:
    async def traded() -> tuple[Judgement, Node]:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at:
            bots = (BotLine("looking", "BTC/USDT", "Looking"), QUOTER)  # which moves the book
            node = at.node(bots, strategies=STRATEGIES + LOOKING)
            await node.start()
            await until_node(node, lambda: len(decisions(node, "looking")) > 4, "some decisions")
            return await at.ended_well(node), node

    judged, node = asyncio.run(traded())

    assert judged.faults == []
    for decided in decisions(node, "looking"):
        book, trade = msgspec.json.decode(decided.seen)
        assert Decimal(trade["quantity"]) > 0
        bids, asks = ([Decimal(price) for price, _ in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
        assert abs(book["at_ns"] - decided.seen_ns) < 60_000_000_000
