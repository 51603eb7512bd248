"""Operators' guards on a trading node: halts of each level, draining, and a review of the books.

Real processes. Not here: what each of them stops and when (tests/unit/engine/test_halts).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

import holdfast
from holdfast.domain.fact import (
    Armed,
    Draining,
    EmergencyMerged,
    ForeignOrder,
    Halted,
    Liquidated,
    Resumed,
)
from holdfast.journal.record import Record
from tests.support.node import ACCOUNT, BotLine, Node, until_node
from tests.support.scene import Scene, scene
from tests.support.waiting import PATIENCE_S

DUST = Decimal("0.01")
TURNING = '''
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy, Target, View, Wish


class Turning(Strategy):
    """Buy at one bar, sell at the next; what a fee leaves is no position."""

    def decide(self, now: View) -> Wish:
        if now.position.quantity > Decimal("0.01"):
            return FLAT
        episode = str(now.time_ns // 2_000_000_000)  # what a halt sold is spent, another is not
        return Target(quantity=Decimal("0.5"), episode=episode)
'''
BTC = BotLine("btc", "BTC/USDT", "Turning")
ETH = BotLine("eth", "ETH/USDT", "Turning")


async def said(node: Node, *words: str, code: int = 0) -> Any:
    """What a verb answers about the node's account, as JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", *words, "--json", "--account", ACCOUNT,
        "--database", f"sqlite:///{node.journal}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == code, out
    return msgspec.json.decode(out)


def entries_while_held(records: list[Record]) -> list[Armed]:
    """Attempts that add exposure and stand behind the record of a halt or drain of their bot."""
    held: set[str] = set()
    found = []
    for record in records:
        match record.fact:
            case Halted(bot=bot) | Draining(bot=bot, on=True):
                held.add(bot)
            case Resumed(bot=bot) | Draining(bot=bot, on=False):
                held.discard(bot)
            case Armed(bot=bot, reduces=False) as armed if held & {bot, ""}:
                found.append(armed)
    return found


async def filled(node: Node, more: int) -> None:
    """Return when so many fills more are booked."""
    before = node.state().counters.fills
    await until_node(node, lambda: node.state().counters.fills >= before + more, "fills")


def test_halts_of_each_level_stop_a_node_that_trades_and_can_be_given_again(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node((BTC, ETH), strategies=TURNING)
            await node.start()
            await filled(node, 4)
            for level in ("flatten", "cancel"):
                await said(node, "halt", "--level", level, "--reason", "a test")
                if level == "flatten":
                    await until_node(node, lambda: is_flat(node), "flat")
                    named = {"account": ACCOUNT, "database": f"sqlite:///{node.journal}"}
                    assert holdfast.wait_for_trades_to_complete(PATIENCE_S, **named)
                    assert not holdfast.is_trading_active(**named)
                await node.kill_all()
                await node.start()
                status = await said(node, "account", "status")
                assert (status["halt"], status["trades"]) == (level, False)
                await said(node, "resume")
                await filled(node, 2)
            await said(node, "bot", "drain", "btc")
            await until_node(node, lambda: is_flat(node, "btc"), "flat")
            judgement = await at.ended_well(node)
            assert entries_while_held(node.records()) == []
            assert judgement.faults == []

    asyncio.run(scenario())


def is_flat(node: Node, bot: str = "") -> bool:
    """Whether nothing is held that can be sold, by a bot or by all."""
    bots = node.state().bots
    chosen = [bots[bot]] if bot else list(bots.values())
    held = [p.quantity for each in chosen for p in each.positions.values()]
    return all(quantity < DUST for quantity in held)


def test_a_trade_by_hand_is_booked_kept_in_quarantine_and_released_by_a_review(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node((BTC,), strategies=TURNING, settings='reconcile = "quarantine"')
            await node.start()
            await filled(node, 2)
            await by_hand(at, node)
            first = await said(node, "reconcile", code=1)
            assert first["agreed"] is False
            assert list(first["quarantine"]) == ["BTC/USDT"]
            second = await said(node, "reconcile", "--reason", "that was me")
            assert (second["agreed"], second["released"]) == (True, ["BTC/USDT"])
            await filled(node, 2)
            assert await node.stop() == 0
            strangers = [f for f in node.records() if getattr(f.fact, "bot", None) == ""]
            assert strangers, "the trade by hand is in the books"

    asyncio.run(scenario())


HOLDING = '''
from decimal import Decimal

from holdfast.strategy import Percent, Strategy, Target, View, Wish


class Holding(Strategy):
    """Buys once, with a stop that is never reached."""

    def decide(self, now: View) -> Wish:
        return Target(quantity=Decimal("0.5"), stop=Percent(10), band=Decimal("0.01"))
'''


def test_without_its_journal_an_account_is_flattened_and_the_journal_learns_it_when_it_is_back(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            bot = BotLine("holding", "BTC/USDT", "Holding")
            node = at.node((bot,), strategies=HOLDING)
            await node.start()
            await said(
                node, "bot", "create", "other", "--strategy",
                f"{node.folder / 'bots.py'}:Holding", "--symbol", "ETH/USDT", "--timeframe", "1s",
            )  # fmt: skip
            await said(node, "bot", "start", "other", "--wait", "30")
            await until_node(node, lambda: has_stop(node, 2), "positions with their stops")
            held_here = await emergency(node, code=2)
            assert held_here == b"", "a node trades it: the journal's own flatten is the way"
            await node.kill_all()
            away = node.journal.rename(node.folder / "away.db")
            told = msgspec.json.decode(await emergency(node))
            left = {"BTC/USDT": "0", "ETH/USDT": "0"}
            assert told == {"account": ACCOUNT, "left": left, "flat": True}
            away.rename(node.journal)
            await node.start()
            await until_node(node, lambda: bool(merged(node)), "the merge")
            state = node.state()
            assert is_flat(node)
            assert state.halted
            assert state.bots["holding"].positions["BTC/USDT"].pnl(Decimal(0)) < 0
            sold = [f.fact for f in node.records() if isinstance(f.fact, Liquidated)]
            assert {one.bot for one in sold} == {"holding", "other"}
            await said(node, "resume")
            await said(node, "reconcile")
            assert is_flat(node), "the wish was sold, and counts as spent"
            assert await node.stop() == 0

    asyncio.run(scenario())


def test_who_led_through_the_loss_of_the_journal_books_what_was_sold_without_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node((BotLine("holding", "BTC/USDT", "Holding"),), strategies=HOLDING)
            await node.start()
            await until_node(node, lambda: has_stop(node), "a position with its stop")
            with closing(sqlite3.connect(node.journal, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")  # the node can write nothing
                # Who sells finds nothing. The file stays where it is: renamed while it is open, it
                # would have another log of its writes than the node has.
                gone = {"DATABASE_URL": f"sqlite:///{node.folder}/gone.db"}
                assert msgspec.json.decode(await emergency(node, environ=gone))["flat"] is True
                other.execute("ROLLBACK")
            await until_node(node, lambda: bool(merged(node)), "the merge")
            await until_node(node, lambda: is_flat(node), "the sale in the books")
            state = node.state()
            assert state.halted
            assert not [f for f in node.records() if isinstance(f.fact, ForeignOrder)]
            await said(node, "resume")
            assert (await said(node, "reconcile"))["agreed"] is True
            assert is_flat(node), "the wish was sold, and counts as spent"
            assert await node.stop() == 0

    asyncio.run(scenario())


def has_stop(node: Node, count: int = 1) -> bool:
    """Whether the stops of so many positions rest."""
    return sum(bool(o.exit) and o.is_working for o in node.state().live.values()) >= count


def merged(node: Node) -> list[Record]:
    """The records that say what was done without the journal."""
    return [record for record in node.records() if isinstance(record.fact, EmergencyMerged)]


async def emergency(
    node: Node, *, code: int = 0, environ: Mapping[str, str] | None = None
) -> bytes:
    """What the verb says at the node's host."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "holdfast", "halt", "--level", "flatten", "--emergency", "--yes",
        "--json", cwd=node.folder, env={**os.environ, **node.secrets(), **(environ or {})},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == code, out
    return out


async def by_hand(at: Scene, node: Node) -> None:
    """The account's owner buys in the exchange's own web page."""
    order = {"apiKey": node.key, "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
    await at.admin("POST", "orders", {**order, "quantity": "0.7"})
