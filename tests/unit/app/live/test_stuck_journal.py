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
from holdfast.errors import RetryableError
from holdfast.journal.memory import MemoryStore
from holdfast.journal.writer import JournalWriter
from tests.support.exchange import on_loop
from tests.support.journal_facts import armed
from tests.support.waiting import until

TIMING = PROFILES["fast"]


def watched(told: list[bool]) -> Any:
    """A leader whose watch over its journal may run, and what `told` is told of it."""
    config = SimpleNamespace(cluster=SimpleNamespace(timing=TIMING))
    follower: Any = SimpleNamespace(
        config=config, is_cut_off=False, is_stuck=False, on_reach=told.append, answered_s=0.0
    )
    follower.tell_reach = lambda: Follower.tell_reach(follower)
    writer: Any = SimpleNamespace(fails_s=0.0)
    return SimpleNamespace(
        follower=follower, writer=writer, journal=JournalWatch(follower, writer)
    )


async def refusing(told: list[bool]) -> tuple[JournalWriter, asyncio.Task[None]]:
    """The writer of a journal that refuses each commit at once, and the watch that looks at it."""

    def refuse(*_: object) -> None:
        raise RetryableError("no room")

    store = MemoryStore()
    writer = JournalWriter(store, await store.acquire("main", "a"))
    store.commit_at_once = refuse  # type: ignore[assignment]
    watch = JournalWatch(watched(told).follower, writer)
    return writer, asyncio.create_task(watch.run())


@on_loop
async def test_a_commit_that_takes_half_a_lease_is_told_and_so_is_its_end() -> None:
    told: list[bool] = []
    trader = watched(told)
    watching = asyncio.create_task(trader.journal.run())
    trader.writer.fails_s = TIMING.ttl_s / 2 + 0.01
    await until(lambda: told == [False], "that it is stuck")
    trader.writer.fails_s = 0.0
    await until(lambda: told == [False, True], "that it is not any more")
    watching.cancel()


@on_loop
async def test_commits_that_are_all_refused_at_once_count_as_one_that_does_not_come_back(
) -> None:
    told: list[bool] = []
    writer, watching = await refusing(told)
    began_s = time.monotonic()

    def tried() -> bool:
        future = writer.append(armed(1), flush=True)
        assert isinstance(future.exception(), RetryableError)
        return told == [False]

    await until(tried, "that it is stuck")
    assert time.monotonic() - began_s >= TIMING.ttl_s / 2
    watching.cancel()


@on_loop
async def test_one_commit_that_was_refused_and_nothing_after_it_says_nothing() -> None:
    told: list[bool] = []
    writer, watching = await refusing(told)
    assert writer.append(armed(1), flush=True).exception() is not None
    await asyncio.sleep(TIMING.ttl_s)
    assert told == []
    watching.cancel()


@on_loop
async def test_a_commit_refused_before_a_standstill_and_one_after_it_say_nothing() -> None:
    told: list[bool] = []
    writer, watching = await refusing(told)
    await asyncio.sleep(TIMING.ttl_s / 4)
    assert writer.append(armed(1), flush=True).exception() is not None
    time.sleep(2 * TIMING.ttl_s)
    assert writer.append(armed(1), flush=True).exception() is not None
    await asyncio.sleep(0.6 * TIMING.ttl_s)
    assert told == []
    watching.cancel()


@on_loop
async def test_a_commit_that_comes_back_is_told_at_once() -> None:
    told: list[bool] = []
    trader = watched(told)
    trader.journal.answers()
    assert told == [], "that it answers is no news"
    watching = asyncio.create_task(trader.journal.run())
    trader.writer.fails_s = TIMING.ttl_s / 2 + 0.01
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
    trader.writer.fails_s = TIMING.ttl_s  # a commit was under way all the time
    await asyncio.sleep(TIMING.ttl_s / 20)
    assert told == []
    assert trader.follower.answered_s - began_s == pytest.approx(TIMING.ttl_s, rel=0.35)
    trader.writer.fails_s += TIMING.ttl_s / 2  # and still is
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
