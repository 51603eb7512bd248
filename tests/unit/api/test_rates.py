"""How often somebody may ask: the same rule in memory and in Redis, and without Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from holdfast.api.ports import Rate
from holdfast.api.rates import MemoryRates
from holdfast.app.web.redis_rates import AGAIN_S, RedisRates
from tests.support.redis import RedisServer

RATE = Rate(5, 1.0)
ANSWER_S = 30.0
"""However slow the machine: a server that answers late would be taken for one that is gone."""


def _each(work: Callable[[MemoryRates | RedisRates], Awaitable[None]], kind: str) -> None:
    async def run() -> None:
        if kind == "memory":
            await work(MemoryRates())
            return
        server = RedisServer()
        rates = RedisRates(server.url, "test", answer_s=ANSWER_S)
        try:
            await work(rates)
        finally:
            await rates.close()
            server.stop()

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_a_burst_is_let_through_and_then_one_per_share(kind: str) -> None:
    async def work(rates: MemoryRates | RedisRates) -> None:
        begun_s = time.monotonic()
        found = [await rates.spend("tom", RATE) for _ in range(9)]
        let_through = found.count(0)
        # What went by meanwhile has paid for some more, and for no more than that.
        assert 5 <= let_through <= 5 + (time.monotonic() - begun_s) * 5 + 1
        assert all(0 < wait_s <= 1 for wait_s in found if wait_s)
        assert await rates.spend("bea", RATE) == 0
        await asyncio.sleep(max(found) + 0.01)
        assert await rates.spend("tom", RATE) == 0

    _each(work, kind)


def test_many_at_once_are_counted_once_each() -> None:
    async def work(rates: MemoryRates | RedisRates) -> None:
        found = await asyncio.gather(*(rates.spend("tom", Rate(20, 600.0)) for _ in range(60)))
        assert found.count(0) == 20

    _each(work, "redis")


def test_two_processes_share_what_is_counted_in_redis() -> None:
    async def run() -> None:
        server = RedisServer()
        one, other = (RedisRates(server.url, "test", answer_s=ANSWER_S) for _ in range(2))
        try:
            found = [await rates.spend("tom", Rate(4, 600.0)) for rates in (one, other) * 3]
            assert found.count(0) == 4
        finally:
            await one.close()
            await other.close()
            server.stop()

    asyncio.run(run())


def test_without_redis_each_process_counts_for_itself_and_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    now_s = [1000.0]

    async def run() -> None:
        server = RedisServer()
        rates = RedisRates(server.url, "test", lambda: now_s[0])
        try:
            assert await rates.spend("tom", RATE) == 0
            server.crash()
            found = [await rates.spend("tom", RATE) for _ in range(7)]
            assert found.count(0) == 5, "limited, and let through"
            with pytest.raises(OSError, match="Redis"):
                await rates.ask()
            server.start()
            now_s[0] += AGAIN_S
            assert await rates.spend("tom", RATE) == 0
            await rates.ask()
        finally:
            await rates.close()
            server.stop()

    asyncio.run(run())
    said = [r.msg["action"] for r in caplog.records if isinstance(r.msg, dict)]
    assert [action for action in said if action.startswith("redis")] == ["redis_gone", "redis_back"]


def test_strangers_do_not_fill_the_memory() -> None:
    now_s = [0.0]
    rates = MemoryRates(lambda: now_s[0])

    async def run() -> None:
        for number in range(20_000):
            now_s[0] += 0.01
            await rates.spend(f"address {number}", RATE)

    asyncio.run(run())
    assert len(rates._paid_until_s) < 5000
