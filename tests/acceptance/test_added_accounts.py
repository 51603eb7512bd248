"""An exchange account that is added beside running nodes, traded on, and dropped again.

Not here: several accounts of a file (test_accounts), when each node has its turn
(tests/unit/app/live/test_added.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.app.accounts import add_at_machine, drop_at_machine
from holdfast.app.live.configuring import ask
from holdfast.app.live.members import nodes as members
from holdfast.app.live.operator import account_state
from holdfast.app.live.operator import ask as command
from holdfast.config import Bot, WrittenLimits, load
from holdfast.domain.fact import Armed
from holdfast.errors import ConfigError, RejectedError
from tests.acceptance.test_failover import pair
from tests.support.exchange import open_account
from tests.support.ledger_check import Judgement
from tests.support.node import FUNDS, ORDERS_PER_MINUTE, Node, flips, until_armed, until_node
from tests.support.postgres import database
from tests.support.pulse import PulseFlow
from tests.support.scene import Scene, scene
from tests.support.waiting import PATIENCE_S

NAME = "second"


def add(at: Scene, node: Node, *, key: str = "") -> None:
    """Another account of the exchange, with its key in a file that nodes can read."""
    made = open_account(at.running, FUNDS)
    (node.folder / "second.key").write_text(key or made.api_key)
    (node.folder / "second.secret").write_text(made.secret)
    wanted = {
        "name": NAME, "like": "main",
        "api_key": f"file:{node.folder}/second.key",
        "api_secret": f"file:{node.folder}/second.secret",
    }  # fmt: skip
    add_at_machine(load(node.config), wanted, by="test")


def have_it(node: Node) -> list[str]:
    """The boot ids of nodes that may lead the added account."""
    return [one.boot_id for one in members(load(node.config)) if NAME in one.accounts]


def is_led(node: Node) -> bool:
    return any(NAME in one.leads and one.is_live for one in members(load(node.config)))


async def until_seen(node: Node, holds: Callable[[], bool], what: str) -> None:
    """As `until_node`, of what is asked outside of this loop."""
    deadline_s = time.monotonic() + 2 * PATIENCE_S
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline_s, f"{what}; it said {node.said()[-2000:]}"


def armed(node: Node) -> int:
    return sum(isinstance(record.fact, Armed) for record in node.database.read(NAME))


def trade(node: Node) -> None:
    """A bot on the added account, made and started by command."""
    limits = WrittenLimits(max_orders_per_minute=ORDERS_PER_MINUTE)
    bot = Bot(
        name="flip", account=NAME, strategy=f"{node.folder}/bots.py:Flip", symbols=("BTC/USDT",),
        timeframe="1s", params={"quantity": Decimal("0.4")}, limits=limits,
    )  # fmt: skip
    by, wait_s = "test", PATIENCE_S
    ask.limit(node.database, NAME, limits, by=by, wait_s=wait_s)
    ask.create(node.database, NAME, bot, by=by, wait_s=wait_s)
    command(node.database, NAME, "start", {"bot": "flip"}, by=by, wait_s=wait_s)


def test_a_node_trades_an_account_that_was_added_and_leaves_it_when_it_is_dropped(
    tmp_path: Path,
) -> None:
    async def run() -> tuple[Judgement, Node]:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at:
            node = at.node(flips(("BTC/USDT",)))
            await node.start()
            await until_armed(node, 2)
            add(at, node)
            await until_seen(node, lambda: is_led(node), "the added account is led")
            before = len(node.armed())
            await asyncio.to_thread(trade, node)
            await until_node(node, lambda: armed(node) >= 2, "orders of the added account")
            await until_armed(node, before + 2)  # and the other goes on
            with pytest.raises(RejectedError, match="bot flip runs"):
                drop_at_machine(load(node.config), NAME, by="test")
            for verb, told in (
                ("halt", {"level": "flatten", "reason": "it goes"}), ("stop", {"bot": "flip"})
            ):  # fmt: skip
                await asyncio.to_thread(
                    command, node.database, NAME, verb, told, by="test", wait_s=PATIENCE_S
                )

            def dropped() -> bool:
                try:
                    drop_at_machine(load(node.config), NAME, by="test")
                except RejectedError:
                    return False
                return True

            await until_seen(node, dropped, "nothing goes on any more")
            await until_seen(node, lambda: not have_it(node), "the node is without it")
            await until_armed(node, len(node.armed()) + 2)
            return await at.ended_well(node), node

    judged, node = asyncio.run(run())

    assert judged.faults == []
    state = account_state(node.database, NAME)
    assert not state.live
    assert not state.elsewhere("flip", ()), "nothing but dust is left"
    assert len(node.logged("accounts_changed")) == 2


def test_of_two_nodes_one_trades_on_while_the_other_begins_anew(tmp_path: Path) -> None:
    async def run(url: str) -> Judgement:
        flow = PulseFlow(("BTC/USDT",))
        async with scene(tmp_path, flow=flow) as at, pair(at, database=url) as both:
            leader, _standby = both
            add(at, leader)
            await until_seen(leader, lambda: bool(have_it(leader)), "one node has it")
            first = await asyncio.to_thread(have_it, leader)
            assert len(first) == 1, "the other waits for its turn"
            await until_armed(leader, len(leader.armed()) + 2)
            await until_seen(leader, lambda: len(have_it(leader)) == 2, "both have it")
            await until_armed(leader, len(leader.armed()) + 2)
            return await at.ended_well(leader)

    with database() as url:
        assert asyncio.run(run(url)).faults == []


def test_an_account_whose_key_no_node_can_read_is_led_by_none_and_costs_the_others_nothing(
    tmp_path: Path,
) -> None:
    async def run() -> tuple[Judgement, str]:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at:
            node = at.node(flips(("BTC/USDT",)))
            await node.start()
            await until_armed(node, 2)
            add(at, node)
            (node.folder / "second.key").unlink()
            await until_seen(node, lambda: bool(have_it(node)), "the node has it")
            await until_armed(node, len(node.armed()) + 4)
            assert not await asyncio.to_thread(is_led, node)
            await asyncio.to_thread(drop_at_machine, load(node.config), NAME, by="test")
            await until_seen(node, lambda: not have_it(node), "the node is without it")
            return await at.ended_well(node), node.said()

    judged, said = asyncio.run(run())

    assert judged.faults == []
    assert "second.key" in said


def test_an_account_that_does_not_go_with_the_others_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at:
            node = at.node(flips(("BTC/USDT",)))
            config = load(node.config)
            good = {"name": NAME, "like": "main", "api_key": "env:A", "api_secret": "env:B"}
            for wrong, why in (
                ({"name": "main"}, "more than once"),
                ({"name": "No Name"}, "a name of letters and digits"),
                ({"like": "elsewhere"}, "that of one of main"),
                ({"api_key": config.account.api_key}, "more than once"),
                ({"api_key": "env:B"}, "the same reference"),
                ({"api_key": "ABCDEFGH"}, "references such as"),
            ):
                with pytest.raises(ConfigError, match=why):
                    add_at_machine(config, {**good, **wrong}, by="test")

    asyncio.run(run())
