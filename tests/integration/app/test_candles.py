"""Candles of the past are asked of the exchange once for all processes; those of now never kept.

On a real exchange of this machine, and a real Redis. Not here: the cache alone.
"""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

import pytest

from holdfast.app.view.candles import Candles, Found
from holdfast.errors import PlatformError
from holdfast.platform.cache.redis import RedisCache
from holdfast.venues.binance.endpoints import Endpoints
from tests.support.exchange import local_exchange, on_loop
from tests.support.redis import redis_url
from tests.support.waiting import PATIENCE_S

NS_PER_S = 1_000_000_000


@on_loop
async def test_what_has_closed_is_answered_without_the_exchange_and_what_is_now_is_not() -> None:
    cache = RedisCache(redis_url(), f"test-{uuid4().hex}")
    first, second = Candles(cache), Candles(cache)
    async with local_exchange() as (exchange, _):
        endpoints = Endpoints(rest_url=exchange.url)
        until_ns = await _some_closed(first, endpoints)
        told = await _past(first, endpoints, until_ns)
        await first.close()
    assert told[0]
    assert await _past(second, endpoints, until_ns) == told
    with pytest.raises(PlatformError):
        await second.find(endpoints, "BTC/USDT", 1, None, 5)
    await second.close()
    await cache.close()


async def _past(candles: Candles, endpoints: Endpoints, until_ns: int) -> Found:
    return await candles.find(endpoints, "BTC/USDT", 1, until_ns, 5)


async def _some_closed(candles: Candles, endpoints: Endpoints) -> int:
    """A moment with a closed bar before it, long enough ago."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        bars, _ = await candles.find(endpoints, "BTC/USDT", 1, None, 5)
        if bars and bars[0].close_ns + NS_PER_S <= time.time_ns():
            return bars[0].close_ns
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.05)
