"""Bots that are made, changed and taken away by commands, while two nodes trade and stand by.

Real processes on one journal. Not here: the same over HTTP (test_api_commands).
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.domain.fact import (
    Armed,
    BotConfigured,
    CommandTaken,
    Decided,
    Refusal,
    Rested,
    TookOver,
)
from holdfast.domain.market import NS_PER_S
from tests.support.node import ACCOUNT, BotLine, Node, until_node
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S

TURNING = '''
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy, Target, View, Wish


class Turning(Strategy):
    """Buy at one bar, sell at the next; what a fee leaves is no position."""

    quantity: Decimal = Decimal("0.5")

    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity > Decimal("0.01") else Target(quantity=self.quantity)
'''
QUARTER = Decimal("0.24999")  # what earlier sales have left is in the position already
BTC = BotLine("btc", "BTC/USDT", "Turning", params={"quantity": "0.5"})


async def said(node: Node, *words: str, code: int = 0) -> Any:
    """What a verb answers about the node's account; of a refusal, its text."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", *words, "--json", "--account", ACCOUNT,
        "--database", f"sqlite:///{node.journal}", cwd=node.folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == code, (out, err)
    return msgspec.json.decode(out) if code == 0 else err.decode()


def armed_by(node: Node, bot: str, after_seq: int = 0) -> list[Armed]:
    """Its attempts behind a record."""
    return [
        record.fact
        for record in node.records()[after_seq:]
        if isinstance(record.fact, Armed) and record.fact.bot == bot
    ]


def decisions(node: Node, after_seq: int) -> list[Decided]:
    """What was decided behind a record."""
    return [r.fact for r in node.records()[after_seq:] if isinstance(r.fact, Decided)]


def test_bots_are_made_changed_and_taken_away_while_nodes_trade(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node((BTC,), strategies=TURNING)
            other = node.sibling("other")
            at.nodes.append(other)
            await node.start()
            await other.start()
            await until_node(node, lambda: len(armed_by(node, "btc")) > 2, "orders")

            # Limits bind at once: the same leader goes on.
            took_over = node.state().counters.takeovers
            done = await said(node, "bot", "configure", "btc", "--limit", "max_order_notional=1000")
            assert done["version"] == 2
            await until_node(
                node,
                lambda: any(isinstance(r.fact, Refusal) for r in node.records()[done["seq"] :]),
                "a refusal",
            )
            bought = [a for a in armed_by(node, "btc", done["seq"]) if not a.reduces]
            assert bought == [], "30,000 USDT are more than 1,000"
            assert node.state().counters.takeovers == took_over

            # Parameters: the account begins again with them.
            done = await said(
                node, "bot", "configure", "btc", "--param", "quantity=0.25",
                "--limit", "max_order_notional=",
            )  # fmt: skip
            behind = done["seq"]
            await until_node(node, lambda: bool(decisions(node, behind)), "a decision")
            first = decisions(node, behind)[0]
            assert first.config_version == 3, "it names what it was made under"
            assert [leg.target for leg in first.legs if leg.target] in ([], [Decimal("0.25")])
            await until_node(
                node,
                lambda: any(a.spec.quantity == QUARTER for a in armed_by(node, "btc", behind)),
                "an order of a quarter",
            )

            # A bot of a command: made, started, and gone on with by whoever leads.
            made = await said(
                node, "bot", "create", "eth", "--strategy", f"{node.folder / 'bots.py'}:Turning",
                "--symbol", "ETH/USDT", "--timeframe", "1s", "--param", "quantity=1",
                "--limit", "max_orders_per_minute=",
            )  # fmt: skip
            assert made["version"] == 1
            shown = await said(node, "bot", "show", "eth")
            assert (shown["source"], shown["bot"]["symbols"]) == ("command", ["ETH/USDT"])
            assert armed_by(node, "eth") == [], "until it is started"
            await said(node, "bot", "start", "eth", "--wait", "30")
            await until_node(node, lambda: len(armed_by(node, "eth")) > 1, "orders")
            await node.kill_all()
            seq = node.state().seq
            await until_node(other, lambda: bool(armed_by(node, "eth", seq)), "orders of the other")

            # Taking it away needs it flat.
            seen = await said(node, "bot", "remove", "eth", code=2)
            assert "may open a position" in seen or "has a position or orders" in seen
            await said(node, "bot", "drain", "eth")
            await until_node(
                other,
                lambda: node.state().bot("eth").held("ETH/USDT") < Decimal("0.01"),
                "the bot flat",
            )
            await said(node, "bot", "stop", "eth")
            await said(node, "bot", "remove", "eth")
            assert "expected: one of btc" in await said(node, "bot", "show", "eth", code=2)

            # The file decides again where a person says so.
            await said(node, "bot", "configure", "btc", "--from-file", "--wait", "30")
            shown = await said(node, "bot", "show", "btc")
            assert (shown["source"], shown["bot"]["params"]) == ("file", {"quantity": "0.5"})
            judgement = await at.ended_well(other)
            assert judgement.faults == []
            gaps = rests_until_led(node)
            assert gaps
            assert max(gaps) < PATIENCE_S

    asyncio.run(scenario())


def rests_until_led(node: Node) -> list[float]:
    """Seconds from each configuration that began the account again until somebody led it."""
    found: list[float] = []
    since_ns = 0
    for record in node.records():
        match record.fact:
            case BotConfigured(anew=True):
                since_ns = record.at_ns
            case TookOver() if since_ns:
                found.append((record.at_ns - since_ns) / NS_PER_S)
                since_ns = 0
            case _:
                pass
    return found


def test_a_change_that_cannot_be_is_refused_with_the_reason_and_nothing_else_happens(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node((BTC,), strategies=TURNING)
            await node.start()
            await until_node(node, lambda: bool(armed_by(node, "btc")), "an order")
            flip = f"{node.folder / 'bots.py'}:Turning"
            for words, told in (
                (("configure", "btc", "--symbol", "ETH/USDT"), "expected: a bot that is"),
                (("configure", "btc", "--symbol", "DOGE/USDT"), "does not list"),
                (("configure", "btc", "--param", "fast=1"), "fast"),
                (("create", "btc", "--strategy", flip, "--symbol", "BTC/USDT"), "there already"),
                (("create", "new", "--strategy", "nobody", "--symbol", "BTC/USDT"), "nobody"),
                (("remove", "btc"), "removed there"),
                (("configure", "btc", "--from-file"), "says already"),
            ):
                seen = await said(node, "bot", *words, "--wait", "30", code=2)
                assert told in seen or "may open" in seen, (words, seen)
            records = node.records()
            assert [r for r in records if isinstance(r.fact, BotConfigured)] == []
            assert len([r for r in records if _is_refusal(r.fact)]) == 7
            assert [r for r in records if isinstance(r.fact, Rested)] == [], "it never stopped"
            judgement = await at.ended_well(node)
            assert judgement.faults == []

    asyncio.run(scenario())


def _is_refusal(fact: object) -> bool:
    return isinstance(fact, CommandTaken) and bool(fact.refused)
