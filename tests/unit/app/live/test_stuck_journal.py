"""A leader whose journal does not answer: others learn that nothing can be done from here."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from holdfast.app.live.follower import Follower
from holdfast.app.live.trader import Trader
from holdfast.cluster.timing import PROFILES
from tests.support.exchange import on_loop
from tests.support.waiting import until


@on_loop
async def test_a_commit_that_takes_half_a_lease_is_told_and_so_is_its_end() -> None:
    told: list[bool] = []
    follower: Any = SimpleNamespace(is_cut_off=False, is_stuck=False, on_reach=told.append)
    follower.tell_reach = lambda: Follower.tell_reach(follower)
    writer = SimpleNamespace(waits_s=0.0)
    timing = PROFILES["fast"]
    trader: Any = SimpleNamespace(
        config=SimpleNamespace(cluster=SimpleNamespace(timing=timing)),
        stream=SimpleNamespace(writer=writer), follower=follower,
    )  # fmt: skip
    watching = asyncio.create_task(Trader._watch_journal(trader))
    writer.waits_s = timing.ttl_s / 2 + 0.01
    await until(lambda: told == [False], "that it is stuck")
    writer.waits_s = 0.0
    await until(lambda: told == [False, True], "that it is not any more")
    watching.cancel()
