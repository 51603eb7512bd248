"""A real node's start and its end: what cannot work is refused before anything is traded.

A key, a bot or a symbol that is not as it should be is named with what was seen, what was expected
and what to do; who comes second stands by; an exchange that is down is waited for; SIGTERM lets an
order finish. Not here: strategies (test_broken_strategies), journals (test_broken_journals).
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

from holdfast.app.demo.audit import Kind
from holdfast.app.live.trader import STOP_TIMEOUT_S
from holdfast.domain.fact import AttemptMoved
from holdfast.domain.order import AttemptState
from tests.support.node import QUOTER, BotLine, flips, until_armed, until_node
from tests.support.ports import reserved_port
from tests.support.pulse import SYMBOLS
from tests.support.scene import Scene, in_a_scene, scene, together

HEALTHY = BotLine("healthy", "ETH/USDT")
TIMED_OUT = "TimeoutError"


def test_what_cannot_work_is_refused_before_anything_is_traded(tmp_path: Path) -> None:
    async def refused(at: Scene, name: str, bot: BotLine, *said: str) -> None:
        node = at.node((bot,), name)
        await node.start()
        await node.ends_with(2, "seen: ", "expected: ", *said)
        assert await at.requests(node) == [] or node.armed() == []

    async def wrong_key(at: Scene) -> None:
        node = at.node((HEALTHY,), "key")
        await node.start(environ={"NODE_SECRET": "not the secret"})
        await node.ends_with(2, "the exchange refuses this key", "do: check api_key")

    async def all_kinds(at: Scene) -> None:
        cross = {"fast": "50", "slow": "20"}
        await together(
            refused(at, "unknown", BotLine("b", "DOGE/USDT"), "does not list", "DOGE/USDT"),
            refused(at, "range", BotLine("b", "BTC/USDT", "sma_cross", cross), "fast=50"),
            refused(at, "name", BotLine("b", "BTC/USDT", "sma_cross", {"fsat": "5"}), "'fsat'"),
            refused(at, "strategy", BotLine("b", "BTC/USDT", "no_such"), "'no_such'"),
            refused(at, "class", BotLine("b", "BTC/USDT", "Flop"), "no strategy 'Flop'"),
            wrong_key(at),
        )

    in_a_scene(tmp_path, all_kinds)


def test_a_bot_that_is_gone_from_the_file_leaves_nothing_to_nobody(tmp_path: Path) -> None:
    """What rests would go on filling, and no halt would reach it."""

    async def run(at: Scene) -> None:
        node = at.node((QUOTER, HEALTHY))
        await node.start()
        await until_node(
            node, lambda: any(o.is_working for o in node.state().live.values()), "a bid that rests"
        )
        assert await node.stop() == 0
        node.configure(at.running, (HEALTHY,))
        await node.start()
        await node.ends_with(
            2, f"bot {QUOTER.name} in no configuration any more", QUOTER.symbol, "do: put it"
        )
        node.configure(at.running, (QUOTER, HEALTHY))
        await node.start()
        assert (await at.ended_well(node)).faults == []

    in_a_scene(tmp_path, run)


def test_a_second_node_on_the_same_journal_stands_by(tmp_path: Path) -> None:
    async def run(at: Scene) -> None:
        node = at.node(flips(SYMBOLS[1:5]))
        await node.start()
        await until_armed(node, 2)
        second = node.sibling("second")
        at.nodes.append(second)
        await second.start()

        await until_node(second, lambda: bool(second.logged("following")), "a standby")
        before = len(node.armed())
        await until_armed(node, before + 2)
        assert second.logged("trading") == []
        assert await second.stop() == 0
        assert (await at.ended_well(node)).faults == []

    in_a_scene(tmp_path, run)


def test_an_exchange_that_is_down_is_waited_for_at_the_start_and_in_the_middle(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "exchange"

    async def run(port: int) -> None:
        async with scene(tmp_path, port=port, seed=3, state_dir=kept) as at:
            node = at.node((*flips(SYMBOLS[1:3]), QUOTER))
        await node.start()
        try:
            await until_node(node, lambda: bool(node.logged("start_wait")), "a node that waits")
            async with scene(tmp_path, port=port, seed=3, state_dir=kept) as at:
                await until_armed(node, 6)
            before = len(node.armed())
            await asyncio.sleep(4)
            async with scene(tmp_path, port=port, seed=3, state_dir=kept) as at:
                await until_armed(node, before + 6)
                found = await at.ended_well(node)
        finally:
            await node.end()
        assert found.faults == []

    with reserved_port() as port:
        asyncio.run(run(port))


def test_sigterm_in_the_middle_of_an_order_lets_it_finish_and_sends_no_other(
    tmp_path: Path,
) -> None:
    async def run(at: Scene) -> None:
        node = at.node(flips(SYMBOLS[:4]))
        await node.start()
        await until_armed(node, 4)
        await at.fault("delay_reply", method="POST", delay_ms=400)
        sent = len(await at.orders(node))
        while len(await at.orders(node)) == sent:
            await asyncio.sleep(0.01)
        began_s = time.monotonic()
        assert await node.stop() == 0
        was_slow = time.monotonic() - began_s >= STOP_TIMEOUT_S

        stopping = next(line for line in node.logged("stopping") if line["process"] == "main")
        stopped_ms = datetime.fromisoformat(stopping["timestamp"]).timestamp() * 1000
        signed_ms = [int(row["params"]["timestamp"]) for row in await at.orders(node)]
        assert max(signed_ms) <= stopped_ms
        # The reply was waited for, and not in vain: nothing is left without an outcome, and what
        # was not sent is known.
        assert not node.logged("close_hung")
        live = node.state().live.items()
        left = {cid for cid, order in live if order.state is AttemptState.ARMED}
        assert was_slow or not left
        # What the machine was too slow for is settled by the next start: an order that came late,
        # a reply that was waited for to the end of its time, what it got no turn for until then.
        moves = [r.fact for r in node.records() if isinstance(r.fact, AttemptMoved)]
        late = {m.cid for m in moves if m.state is AttemptState.REJECTED or m.code == TIMED_OUT}
        late |= left
        found = (await at.judge(node)).faults
        if not late:
            assert found == []
            return
        # Missing are late ones alone, with the amounts that they moved, until the next start.
        excused = (f"{Kind.DIFFERENCE}: ", *(f"{Kind.LOST}: {cid}: " for cid in late),
                   *(f"attempt {cid} is " for cid in late))  # fmt: skip
        assert [fault for fault in found if not fault.startswith(excused)] == []
        await node.start()
        assert (await at.ended_well(node)).faults == []

    in_a_scene(tmp_path, run)
