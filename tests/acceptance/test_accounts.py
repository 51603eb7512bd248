"""Several accounts in one node: each with a journal, a leader and a process of its own.

Not here: several nodes (test_failover).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from holdfast.domain.fact import Armed, BotStopped
from holdfast.journal.record import Record
from tests.support.exchange import open_account
from tests.support.node import FUNDS, Node, until_node
from tests.support.pulse import PulseFlow
from tests.support.scene import Scene, scene

STRATEGIES = '''
import ctypes
import time
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy, Target


class Healthy(Strategy):
    def decide(self, now):
        return FLAT if now.position.quantity > Decimal("0.1") else Target(quantity=Decimal("0.5"))


class Spins(Strategy):
    def decide(self, now):
        while True:
            pass


class Blocks(Strategy):
    """A call in C that keeps the interpreter's lock: no thread of its process runs."""

    def decide(self, now):
        ctypes.PyDLL(None).sleep(3600)
'''


def two_accounts(at: Scene, folder: Path, strategy: str) -> Node:
    """A node with an account that trades, and one whose strategy never returns."""
    keys = [open_account(at.running, FUNDS) for _ in range(2)]
    node = Node(folder / "node", at.running, (keys[0].api_key, keys[0].secret), ())
    (node.folder / "bots.py").write_text(STRATEGIES)
    url = at.running.url
    lines = [f'database_url = "sqlite:///{node.journal}"', f'state_dir = "{node.folder}"']
    for name, one in zip(("well", "ill"), keys, strict=True):
        for what, text in (("key", one.api_key), ("secret", one.secret)):
            (node.folder / f"{name}.{what}").write_text(text)
        lines += [
            "[[accounts]]", f'name = "{name}"',
            f'api_key = "file:{node.folder}/{name}.key"',
            f'api_secret = "file:{node.folder}/{name}.secret"',
            "[accounts.venue]", f'rest_url = "{url}"',
            f'stream_url = "{url.replace("http", "ws", 1)}/stream"',
            f'ws_api_url = "{at.running.ws_api_url}"',
            "[accounts.limits]", "max_orders_per_minute = 10000",
        ]  # fmt: skip
    for account, kind in (("well", "Healthy"), ("ill", strategy)):
        lines += [
            "[[bots]]", f'name = "{account}-bot"', f'account = "{account}"',
            f'strategy = "{node.folder}/bots.py:{kind}"', 'symbols = ["BTC/USDT"]',
            'timeframe = "1s"', "[bots.limits]", "max_orders_per_minute = 10000",
        ]  # fmt: skip
    node.config.write_text("\n".join(lines) + "\n")
    at.nodes.append(node)
    return node


def facts(node: Node, account: str, kind: type) -> list[Record]:
    """An account's records of one kind."""
    return [record for record in node.database.read(account) if isinstance(record.fact, kind)]


@pytest.mark.parametrize("strategy", ["Spins", "Blocks"])
def test_a_strategy_that_never_returns_costs_another_account_nothing(
    tmp_path: Path, strategy: str
) -> None:
    async def run() -> tuple[list[Record], list[Record], str]:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at:
            node = two_accounts(at, tmp_path, strategy)
            await node.start()
            await until_node(node, lambda: bool(facts(node, "ill", BotStopped)), "it is stopped")
            armed = len(facts(node, "well", Armed))
            await until_node(
                node, lambda: len(facts(node, "well", Armed)) >= armed + 2, "the other trades"
            )
            assert await node.stop() == 0
            return facts(node, "well", Armed), facts(node, "ill", BotStopped), node.said()

    armed, stopped, said = asyncio.run(run())

    assert "did not return within" in stopped[0].fact.reason  # type: ignore[union-attr]
    assert {record.epoch for record in armed} == {1}, "the healthy account was never disturbed"
    restarts = [line for line in said.splitlines() if '"action":"restart"' in line]
    assert not [line for line in restarts if '"account":"well"' in line]
