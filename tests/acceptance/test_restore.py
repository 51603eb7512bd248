"""A backup that lacks the last records is taken up by a person's word, and trading goes on.

As docs/on-call/disaster.md has it: real nodes, a real exchange that knows what the journal lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from pathlib import Path

from holdfast.app.demo.audit import Kind
from holdfast.domain.fact import Armed, Restored
from holdfast.domain.order import client_order_id, deployment_tag
from holdfast.journal.database import database_at
from holdfast.journal.high_water import HighWater
from tests.support import warm
from tests.support.backups import backup, put_back
from tests.support.ledger_check import Judgement
from tests.support.node import ACCOUNT, BotLine, Node, until_armed, until_node
from tests.support.pulse import SYMBOLS
from tests.support.scene import scene

TURNING = '''
from decimal import Decimal

from holdfast.strategy import FLAT, Strategy, Target, View, Wish


class Turning(Strategy):
    """Buy at one bar, sell at the next; what a fee leaves is no position."""

    def decide(self, now: View) -> Wish:
        if now.position.quantity > Decimal("0.01"):
            return FLAT
        # What was sold in the lost time is spent; of another episode it is not.
        return Target(quantity=Decimal("0.5"), episode=str(now.time_ns // 2_000_000_000))
'''
BOTS = tuple(BotLine(f"bot-{n}", symbol, "Turning") for n, symbol in enumerate(SYMBOLS[:3]))
FAST = '[cluster]\nprofile = "fast"\n'


async def _step(node: Node) -> tuple[int, str]:
    """`holdfast db restored`: its exit code, and what it said."""
    said = node.folder / "step.log"
    said.write_text("")
    words = ("db", "restored", "--config", str(node.config), "--reason", "a test", "--yes")
    process = await warm.start(words, {**os.environ, **node.secrets()}, said)
    return await process.wait(), said.read_text()


def _ids(node: Node) -> set[str]:
    """Of the orders in the backup that was made last."""
    facts = (record.fact for record in database_at(f"sqlite:///{node.folder}/backup.db").read(ACCOUNT))
    return {fact.cid for fact in facts if isinstance(fact, Armed)}


async def _refused(node: Node) -> None:
    await node.start()
    assert await node.ended() == 1, node.said()
    assert "journal behind" in node.said()
    assert "`holdfast db restored`" in node.said()


def _faults(found: Judgement, lost: Collection[str]) -> list[str]:
    """The faults, but that lost orders have no row, which nothing can make good."""
    known = tuple(f"{Kind.LOST}: {cid}: order" for cid in lost)
    return [fault for fault in found.faults if not fault.startswith(known)]


async def _taken_up(node: Node) -> Restored:
    """The step, a start, and orders after `resume`."""
    code, said = await _step(node)
    assert code == 0, said
    begun = len(node.logged("trading"))
    await node.start()
    await until_node(node, lambda: len(node.logged("trading")) > begun, "a leader")
    (told,) = (r.fact for r in node.records() if isinstance(r.fact, Restored))
    assert "restored from a backup" in node.state().halted
    before = len(node.armed())
    node.command("resume", {})
    await until_armed(node, before + 6)
    return told


def test_a_backup_that_lacks_the_last_orders_is_taken_up_and_no_id_is_used_twice(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with scene(tmp_path) as at:
            node = at.node(BOTS, strategies=TURNING)
            node.config.write_text(node.config.read_text() + FAST)
            await node.start()
            await until_armed(node, 6)
            copy = backup(node)
            kept = _ids(node)
            await until_armed(node, len(kept) + 8)
            code, said = await _step(node)
            assert code in {2, 3}, said  # a node lives, or at the least writes
            await node.kill_all()
            lost = {one.cid: one for one in node.armed() if one.cid not in kept}

            put_back(node, copy)
            await _refused(node)
            first = await _taken_up(node)
            await node.kill_all()
            lost |= {one.cid: one for one in node.armed() if one.cid not in kept}

            # The same backup again: nothing in it, or beside it, tells of the first time.
            put_back(node, copy)
            HighWater.beside(node.journal, ACCOUNT).path.unlink()
            second = await _taken_up(node)
            async with node.at_rest():
                found = await at.judged(node, lambda one: not _faults(one, lost))
            assert _faults(found, lost) == [], "each trade is booked once, and balances are equal"

            assert 1 < first.generation < second.generation
            assert (first.lost > 0, second.lost, second.reason) == (True, 0, "a test")
            anew = [one for one in node.armed() if one.cid not in kept]
            assert [one.cid for one in anew] == [
                client_order_id(
                    tag=deployment_tag("holdfast"), account=ACCOUNT,
                    generation=second.generation, intent_id=one.intent_id, n=one.n,
                )
                for one in anew
            ]  # fmt: skip
            assert lost.keys().isdisjoint(one.cid for one in anew)

    asyncio.run(run())
