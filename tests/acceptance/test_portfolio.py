"""A bot of several symbols and timeframes, as a process: killed, without one stream, reconfigured.

Not here: what a decision comes to in each symbol (tests/unit/engine/test_portfolio).
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.domain.fact import Decided
from tests.support.ledger_check import Judgement
from tests.support.node import BotLine, Node, until_node
from tests.support.pulse import PulseFlow
from tests.support.scene import scene

STRATEGIES = '''
from decimal import Decimal

from holdfast.strategy import FLAT, Setup, Strategy, Target, View, Wish


class Both(Strategy):
    """In each symbol whose bar came: buy at one bar, sell at the next."""

    slow: int = 2

    def setup(self, on: Setup) -> None:
        self.longer = [on.bars("5s", symbol).sma(self.slow) for symbol in on.symbols]

    def decide(self, now: View) -> Wish:
        held = {symbol: now.positions[symbol].quantity for symbol in now.bars}
        return {
            symbol: FLAT if quantity > Decimal("0.1") else Target(quantity=Decimal("0.5"))
            for symbol, quantity in held.items()
            if symbol not in now.stale and all(one.value for one in self.longer)
        }
'''
BTC, ETH = "BTC/USDT", "ETH/USDT"
BOTH = BotLine("both", f"{BTC},{ETH}", "Both")
ENOUGH_S = 200  # of bars before the node starts


def traded(node: Node, symbol: str) -> int:
    return sum(armed.spec.symbol == symbol for armed in node.armed())


async def until_traded(node: Node, symbols: tuple[str, ...], more: int) -> None:
    before = {symbol: traded(node, symbol) for symbol in symbols}
    await until_node(
        node,
        lambda: all(traded(node, symbol) >= before[symbol] + more for symbol in symbols),
        f"{more} more orders of each of {', '.join(symbols)}",
    )


def test_kills_in_the_middle_double_nothing_and_lose_nothing_in_any_symbol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run() -> tuple[Judgement, Node]:
        async with scene(tmp_path, flow=PulseFlow((BTC, ETH)), warm_up_s=ENOUGH_S) as at:
            node = at.node((BOTH,), strategies=STRATEGIES)
            for _life in range(3):
                await node.start()
                await until_traded(node, (BTC, ETH), 4)
                await node.kill_all()
            await node.start()
            await until_traded(node, (BTC, ETH), 2)
            return await at.ended_well(node), node

    judged, node = asyncio.run(run())

    assert judged.faults == []
    decided = [record.fact for record in node.records() if isinstance(record.fact, Decided)]
    assert {leg.symbol for leg in decided[-1].legs} == {BTC, ETH}
    database = ["--database", f"sqlite:///{node.journal}", "--account", "main", "--json"]
    assert main(["positions", "list", *database]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["symbol"] for row in told["positions"]] == [BTC, ETH]


def test_a_symbol_whose_stream_stops_is_stale_and_the_others_go_on(tmp_path: Path) -> None:
    async def run() -> tuple[int, int, Judgement]:
        async with scene(tmp_path, flow=PulseFlow((BTC, ETH)), warm_up_s=ENOUGH_S) as at:
            node = at.node((BOTH,), strategies=STRATEGIES)
            await node.start()
            await until_traded(node, (BTC, ETH), 2)
            await at.fault("stream_drop", "ethusdt@kline_*")
            await until_traded(node, (BTC,), 2)  # one of them may have been on its way
            before = traded(node, ETH)
            await until_traded(node, (BTC,), 4)
            without = traded(node, ETH)
            at.running.desk.gateway.faults.clear()
            await until_traded(node, (BTC, ETH), 3)
            return before, without, await at.ended_well(node)

    before, without, judged = asyncio.run(run())

    assert without == before
    assert judged.faults == []


def test_a_bot_with_a_longer_average_than_before_is_warm_at_once(tmp_path: Path) -> None:
    """It begins where its new indicators need it, not where the old ones began."""

    async def run() -> tuple[Judgement, int]:
        async with scene(tmp_path, flow=PulseFlow((BTC, ETH)), warm_up_s=ENOUGH_S) as at:
            node = at.node((BOTH,), strategies=STRATEGIES)
            await node.start()
            await until_traded(node, (BTC, ETH), 2)
            await node.stop()
            longer = BotLine("both", BOTH.symbol, "Both", {"slow": "25"})
            node.configure(at.running, (longer,))
            await node.start()
            await until_node(node, lambda: node.state().bots["both"].config_version == 2, "it")
            started_s = at.running.desk.exchange.now_ns() / 1e9
            await until_traded(node, (BTC, ETH), 1)
            took_s = at.running.desk.exchange.now_ns() / 1e9 - started_s
            return await at.ended_well(node), int(took_s)

    judged, took_s = asyncio.run(run())

    assert judged.faults == []
    assert took_s < 60, "125 seconds of bars are what it would have waited for"
