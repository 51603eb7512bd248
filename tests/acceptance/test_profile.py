"""`holdfast profile` on a node that trades: it draws, and the node goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.node import BotLine, until_node
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S

TURNING = '''
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy, Target, View, Wish


class Turning(Strategy):
    """Buy at one bar, sell at the next; what a fee leaves is no position."""

    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity > Decimal("0.01") else Target(quantity=Decimal("0.5"))
'''


async def profiled(*words: str, **environ: str) -> tuple[int, str]:
    """Its exit code, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", "profile", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environ},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode or 0, said.decode()


@pytest.mark.slow
def test_a_node_is_drawn_while_it_trades(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as made:
            node = made.node((BotLine("turn", "BTC/USDT", "Turning"),), strategies=TURNING)
            await node.start()
            await until_node(node, lambda: bool(node.logged("order_placed")), "an order")
            assert node.process is not None
            name = node.logged("order_placed")[0]["node"]
            children = node.children()
            graph = tmp_path / "graph.svg"
            words = ("--node", name, "--config", str(node.config), "--seconds", "2",
                     "--output", str(graph))  # fmt: skip
            code, said = await profiled(*words, ENABLE_PROFILING="")
            assert (code, "ENABLE_PROFILING=true" in said) == (2, True), said
            assert not graph.exists()
            code, said = await profiled(*words, ENABLE_PROFILING="true")
            if "SYS_PTRACE" in said:
                pytest.skip(said)
            assert code == 0, said
            assert "account_process" in graph.read_text()  # a child of the node
            placed = len(node.logged("order_placed"))
            await until_node(node, lambda: len(node.logged("order_placed")) > placed, "more orders")
            assert node.children() == children
            assert await node.stop() == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--pid", "1", "--node", "left"), 2, "one of them"),
        ((), 2, "one of them"),
        (("--pid", "4194304"), 4, "no process"),
        (("--pid", "1", "--seconds", "301"), 2, "300"),
    ],
)
def test_what_cannot_be_drawn_is_said(words: tuple[str, ...], code: int, told: str) -> None:
    assert asyncio.run(profiled(*words, ENABLE_PROFILING="true"))[0] == code
