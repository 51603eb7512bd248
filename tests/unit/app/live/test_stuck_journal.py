"""A leader whose journal does not answer: others learn that nothing can be done from here."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.app.live.follower import Follower
from holdfast.app.live.journal_watch import JournalWatch
from holdfast.cluster.timing import PROFILES
from tests.support.exchange import on_loop
from tests.support.waiting import until

TIMING = PROFILES["fast"]


def watched(told: list[bool]) -> Any:
    """A leader whose watch over its journal may run, and what `told` is told of it."""
    config = SimpleNamespace(cluster=SimpleNamespace(timing=TIMING))
    follower: Any = SimpleNamespace(
        config=config, is_cut_off=False, is_stuck=False, on_reach=told.append, answered_s=0.0
    )
    follower.tell_reach = lambda: Follower.tell_reach(follower)
    writer: Any = SimpleNamespace(waits_s=0.0)
    return SimpleNamespace(
        follower=follower, writer=writer, journal=JournalWatch(follower, writer)
    )


@on_loop
async def test_a_commit_that_takes_half_a_lease_is_told_and_so_is_its_end() -> None:
    told: list[bool] = []
    trader = watched(told)
    watching = asyncio.create_task(trader.journal.run())
    trader.writer.waits_s = TIMING.ttl_s / 2 + 0.01
    await until(lambda: told == [False], "that it is stuck")
    trader.writer.waits_s = 0.0
    await until(lambda: told == [False, True], "that it is not any more")
    watching.cancel()


@on_loop
async def test_a_commit_that_comes_back_is_told_at_once() -> None:
    told: list[bool] = []
    trader = watched(told)
    trader.journal.answers()
    assert told == [], "that it answers is no news"
    watching = asyncio.create_task(trader.journal.run())
    trader.writer.waits_s = TIMING.ttl_s / 2 + 0.01
    await until(lambda: told == [False], "that it is stuck")
    trader.journal.answers()
    assert told == [False, True]
    watching.cancel()


@on_loop
async def test_a_process_that_stood_still_blames_neither_journal_nor_exchange() -> None:
    told: list[bool] = []
    trader = watched(told)
    watching = asyncio.create_task(trader.journal.run())
    began_s = trader.follower.answered_s = time.monotonic()
    await asyncio.sleep(TIMING.ttl_s / 4)
    time.sleep(TIMING.ttl_s)
    trader.writer.waits_s = TIMING.ttl_s  # a commit was under way all the time
    await asyncio.sleep(TIMING.ttl_s / 20)
    assert told == []
    assert trader.follower.answered_s - began_s == pytest.approx(TIMING.ttl_s, rel=0.35)
    trader.writer.waits_s += TIMING.ttl_s / 2  # and still is
    await until(lambda: told == [False], "that it is stuck")
    watching.cancel()


@on_loop
async def test_an_answer_that_came_after_a_standstill_is_not_told_later_than_it_came() -> None:
    trader = watched([])
    watching = asyncio.create_task(trader.journal.run())
    await asyncio.sleep(TIMING.ttl_s / 4)
    time.sleep(TIMING.ttl_s)
    trader.follower.answered_s = time.monotonic()  # it was in the socket all the time
    await asyncio.sleep(TIMING.ttl_s / 20)
    assert trader.follower.answered_s <= time.monotonic()
    watching.cancel()
