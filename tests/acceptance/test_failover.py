"""Two real nodes on one journal: one trades, and the other goes on when it cannot.

Not here: who should lead (tests/unit/cluster), many rounds of it (holdfast chaos).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.domain.fact import TookOver
from tests.support.ledger_check import Judgement
from tests.support.node import QUOTER, Node, Scene, flips, scene, until_armed, until_node
from tests.support.pulse import PulseFlow

FAST = '[cluster]\nprofile = "fast"\n'


@asynccontextmanager
async def pair(at: Scene) -> AsyncIterator[tuple[Node, Node]]:
    """A leader that trades, and a standby that is warm."""
    leader = at.node((*flips(("BTC/USDT",)), QUOTER), settings=FAST)
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


@pytest.mark.parametrize("ends", [killed, stopped, its_account_killed])
def test_the_standby_goes_on_and_nothing_is_doubled_or_lost(
    tmp_path: Path, ends: Callable[[Node, Node], Awaitable[None]]
) -> None:
    async def failed_over() -> tuple[Judgement, float, list[TookOver]]:
        async with scene(tmp_path, flow=PulseFlow(("BTC/USDT",))) as at, pair(at) as nodes:
            leader, standby = nodes
            armed, began_s = len(leader.armed()), time.monotonic()
            await ends(leader, standby)
            await until_node(standby, lambda: bool(standby.logged("trading")), "it leads")
            gap_s = time.monotonic() - began_s
            await until_armed(standby, armed + 4)
            return await at.ended_well(standby), gap_s, takeovers(standby)

    judged, gap_s, epochs = asyncio.run(failed_over())

    assert judged.faults == []
    assert len({epoch.boot_id for epoch in epochs}) >= 2
    print(f"gap {gap_s:.3f} s")
