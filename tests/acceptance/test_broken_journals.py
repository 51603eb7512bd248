"""Journals that are not as they should be: a clear message, the documented exit code, nothing lost.

Damaged, cut, newer, behind, lost, or without space. Not here: a backup that is gone on from
(test_restore).
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from holdfast.domain.order import deployment_tag
from tests.support.backups import backup, put_back
from tests.support.node import QUOTER, BotLine, Node, flips, until_armed, until_node
from tests.support.pulse import SYMBOLS
from tests.support.scene import Scene, in_a_scene, together

FOUR = flips(SYMBOLS[1:5])  # four orders with every bar: a journal is soon there


async def _traded(at: Scene, name: str, bots: tuple[BotLine, ...] = FOUR) -> Node:
    """A node that has traded and was stopped; all of its journal is in the one file."""
    node = at.node(bots, name)
    await node.start()
    await until_armed(node, 3)
    assert await node.stop() == 0
    put_back(node, backup(node))
    return node


def test_a_journal_that_is_damaged_cut_or_newer_is_refused_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    def garble(node: Node) -> None:
        with node.journal.open("r+b") as file:
            file.seek(4096)
            file.write(random.Random(7).randbytes(node.journal.stat().st_size // 2))

    def cut(node: Node) -> None:
        os.truncate(node.journal, node.journal.stat().st_size // 2)

    def renew(node: Node) -> None:
        with closing(sqlite3.connect(node.journal)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.execute("UPDATE compatibility SET oldest = '9999'")
            connection.commit()

    async def refused(
        at: Scene, name: str, harm: Callable[[Node], None], code: int, *said: str
    ) -> None:
        node = await _traded(at, name)
        sent = len(await at.requests(node))
        harm(node)
        harmed = node.journal.read_bytes()
        await node.start()
        await node.ends_with(code, "seen: ", "expected: ", *said)
        assert node.journal.read_bytes() == harmed
        assert len(await at.requests(node)) == sent

    async def all_kinds(at: Scene) -> None:
        await together(
            refused(at, "garbled", garble, 1, "journal.db"),
            refused(at, "cut", cut, 1, "journal.db"),
            refused(at, "newer", renew, 2, "9999"),
        )

    in_a_scene(tmp_path, all_kinds)


async def _set_back(at: Scene, name: str, bots: tuple[BotLine, ...], settings: str = "") -> Node:
    """A stopped node whose journal is an older copy than what it did at the exchange."""
    node = at.node(bots, name, settings=settings)
    await node.start()
    await until_armed(node, 4)
    assert await node.stop() == 0
    older = backup(node)
    await node.start()
    await until_armed(node, 10)
    assert await node.stop() == 0
    put_back(node, older)
    return node


def test_a_journal_behind_its_high_water_mark_is_refused(tmp_path: Path) -> None:
    async def run(at: Scene) -> None:
        node = await _set_back(at, "behind", FOUR)
        await node.start()
        await node.ends_with(1, "journal behind", "find the newer journal")

    in_a_scene(tmp_path, run)


def test_a_journal_behind_the_exchange_is_refused_whatever_the_policy(tmp_path: Path) -> None:
    """Without the mark only the exchange can tell: its orders carry our tag and have no row.

    What such a journal would decide next may carry ids that were used already, so nothing is sent.
    """

    async def refused(
        at: Scene, name: str, bots: tuple[BotLine, ...], policy: str, *, is_empty: bool = False
    ) -> None:
        node = await _set_back(at, name, bots, f'reconcile = "{policy}"')
        if is_empty:
            node.lose_journal()
        for mark in node.folder.glob("*.highwater"):
            mark.unlink()
        sent = len(await at.orders(node))
        await node.start()
        await node.ends_with(1, "journal behind exchange", "find the newer journal")
        assert len(await at.orders(node)) == sent
        assert "journal behind exchange" in node.state().halted

    async def all_kinds(at: Scene) -> None:
        await together(
            refused(at, "resting", (QUOTER,), "halt"),
            refused(at, "filled", FOUR, "halt"),
            refused(at, "adopting", FOUR, "adopt"),
            refused(at, "ignoring", FOUR, "ignore"),
            refused(at, "empty", FOUR, "ignore", is_empty=True),
        )

    in_a_scene(tmp_path, all_kinds)


def test_after_a_journal_that_is_lost_a_new_one_goes_on_once_a_person_has_looked(
    tmp_path: Path,
) -> None:
    """As docs/on-call/disaster.md has it: another name, halted before it begins."""

    async def run(at: Scene) -> None:
        node = at.node(FOUR)
        await node.start()
        await until_armed(node, 4)
        await node.kill_all()

        node.lose_journal()
        node.config.write_text(f'deployment = "again"\n{node.config.read_text()}')
        node.command("halt", {"reason": "a new journal"})
        await node.start()
        await until_node(node, lambda: node.state().halted == "a new journal", "its halt")
        await until_node(node, lambda: bool(node.logged("order_refused")), "what bots wish")
        assert node.armed() == []
        assert node.state().holdings, "what the exchange shows is what the new one begins with"
        assert node.state().deployment != deployment_tag("holdfast")

        node.command("resume", {})
        await until_armed(node, 4)
        assert (await at.ended_well(node)).faults == []

    in_a_scene(tmp_path, run)


def test_a_full_disk_stops_new_orders_and_loses_nothing_and_trading_goes_on_with_space(
    tmp_path: Path,
) -> None:
    """A limit on the size of its files is to the process what a full disk is."""

    async def run(at: Scene) -> None:
        node = at.node((*flips(SYMBOLS[1:4]), QUOTER))
        await node.start()
        await until_armed(node, 8)
        child = node.child_pid()
        wal = node.journal.with_name("journal.db-wal")
        _, hard = resource.prlimit(child, resource.RLIMIT_FSIZE)
        resource.prlimit(child, resource.RLIMIT_FSIZE, (wal.stat().st_size + 1, hard))
        # What finds it full is the next order, or the news of orders that were on their way.
        await until_node(
            node,
            lambda: bool(node.logged("arm_failed") or node.logged("record_wait")),
            "a journal that takes nothing",
        )
        before = len(node.armed())
        await asyncio.sleep(2.5)  # bars go by
        # Nothing more was armed, and what was sent had been armed before.
        assert len(node.armed()) == before
        sent = {row["params"]["newClientOrderId"] for row in await at.orders(node)}
        assert sent <= {attempt.cid for attempt in node.armed()}

        resource.prlimit(child, resource.RLIMIT_FSIZE, (hard, hard))
        await until_armed(node, before + 6)
        assert node.child_pid() == child, "it waited for space, it did not start again"
        assert (await at.ended_well(node)).faults == []

    in_a_scene(tmp_path, run)
