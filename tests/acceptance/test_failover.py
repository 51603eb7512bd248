"""Two real nodes on one journal: one trades, and the other goes on when it cannot.

Not here: who should lead (tests/unit/cluster), many rounds of it (holdfast chaos).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from holdfast.app.live.members import Handover, hand_over
from holdfast.config import load
from holdfast.domain.fact import TookOver
from tests.support.ledger_check import Judgement
from tests.support.node import QUOTER, Node, flips, until_armed, until_node
from tests.support.pulse import PulseFlow
from tests.support.scene import Scene, scene
from tests.support.waiting import PATIENCE_S

FAST = '[cluster]\nprofile = "fast"\n'
STANDARD = '[cluster]\nprofile = "standard"\n'


@asynccontextmanager
async def pair(
    at: Scene, profile: str = FAST, *, database: str = ""
) -> AsyncIterator[tuple[Node, Node]]:
    """A leader that trades, and a standby that is warm."""
    leader = at.node((*flips(("BTC/USDT",)), QUOTER), settings=profile, database=database)
    standby = leader.sibling("standby")
    at.nodes.append(standby)
    await leader.start()
    await until_armed(leader, 2)
    await standby.start()
    await until_node(standby, lambda: bool(standby.logged("following")), "a warm standby")
    await asyncio.sleep(0.5)
    yield leader, standby


def takeovers(node: Node) -> list[TookOver]:
    """Every epoch's beginning, oldest first."""
    return [record.fact for record in node.records() if isinstance(record.fact, TookOver)]


def warm(node: Node) -> bool:
    """Whether it follows, and does not lead."""
    last = [*node.logged("following"), *node.logged("trading")]
    newest = max(last, key=lambda line: str(line["timestamp"]), default={"action": ""})
    return newest["action"] == "following"


async def killed(leader: Node, _standby: Node) -> None:
    await leader.kill_all()


async def paused(leader: Node, standby: Node) -> None:
    """Stopped in the middle of whatever it does, and woken when another leads."""
    before = len(takeovers(leader))
    leader.send_all(signal.SIGSTOP)
    await until_node(standby, lambda: len(takeovers(standby)) > before, "the standby leads")
    await until_armed(standby, len(standby.armed()) + 2)
    leader.send_all(signal.SIGCONT)


async def stopped(leader: Node, _standby: Node) -> None:
    assert await leader.stop() == 0


async def its_account_killed(leader: Node, _standby: Node) -> None:
    os.kill(leader.child_pid(), signal.SIGKILL)


@pytest.mark.parametrize("ends", [killed, paused, stopped, its_account_killed])
def test_the_standby_goes_on_and_nothing_is_doubled_or_lost(
    tmp_path: Path, ends: Callable[[Node, Node], Awaitable[None]]
) -> None:
    async def failed_over() -> tuple[Judgement, list[TookOver]]:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at, pair(at) as nodes:
            leader, standby = nodes
            armed = len(leader.armed())
            await ends(leader, standby)
            await until_node(standby, lambda: bool(standby.logged("trading")), "it leads")
            await until_armed(standby, armed + 4)
            return await at.ended_well(standby), takeovers(standby)

    judged, epochs = asyncio.run(failed_over())

    assert judged.faults == []
    assert len({epoch.boot_id for epoch in epochs}) >= 2


def test_an_account_is_handed_to_a_named_node_and_back(tmp_path: Path) -> None:
    async def handed() -> tuple[Judgement, list[Handover]]:
        # A lease that no busy machine lets run out: who leads is moved by hand alone here.
        flow = PulseFlow(("BTC/USDT",))
        async with scene(tmp_path, flow=flow) as at, pair(at, STANDARD) as nodes:
            config = load(nodes[0].config)
            names = {str(node.logged("joined")[0]["node"]): node for node in nodes}
            moved = []
            for name, node in reversed(names.items()):
                await until_node(node, partial(warm, node), "a warm standby")
                moved.append(
                    await asyncio.to_thread(hand_over, config, "main", name, PATIENCE_S)
                )
                await until_armed(nodes[0], len(nodes[0].armed()) + 2)
            await nodes[1].stop()
            return await at.ended_well(nodes[0]), moved

    judged, moved = asyncio.run(handed())

    assert judged.faults == []
    assert all(one.gap_ms is not None and 0 < one.gap_ms < 10_000 for one in moved)
