"""How often somebody may ask, counted for all processes in Redis; alone while it is gone.

Not here: the same in memory (api.rates).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from holdfast.api.ports import Rate
from holdfast.api.rates import MemoryRates
from holdfast.cluster.redis_connect import redis_pool
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.meter import Meter
from holdfast.telemetry.metrics import RedisMetrics

log = get_logger("app.web.rates")

DATABASE: Final = 1
"""Of the server: what is counted here may be lost without a word."""

ANSWER_S: Final = 0.25
"""A server that takes longer is gone: nobody's request waits for it."""

CONNECTIONS: Final = 8
AGAIN_S: Final = 2.0
_PREFIX: Final = "holdfast:rate:"

# The generic cell rate algorithm, by the server's clock, in one step.
_SPEND: Final = """
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local period = tonumber(ARGV[1])
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + tonumber(ARGV[2])
local wait = paid - now - period
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], tostring(paid), 'PX', math.ceil(paid - now) + 1)
return 0
"""


class RedisRates:
    """A `Rates` of all processes of an installation.

    While the server does not answer, each process counts for itself, and asks again now and then:
    nobody is refused, and nobody let through without limit, because of Redis.

    Args:
        url: with any database; `DATABASE` is used.
        deployment: whose callers are counted; several may share a server.
        answer_s: a server that takes longer is gone.
    """

    def __init__(
        self,
        url: str,
        deployment: str,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        meter: Meter | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        pool = redis_pool(
            url, client_name="holdfast-rates", answer_s=answer_s, most=CONNECTIONS,
            db=DATABASE, socket_timeout=answer_s, socket_connect_timeout=answer_s,
        )  # fmt: skip
        self._redis: Redis = Redis.from_pool(pool)
        self._spend = self._redis.register_script(_SPEND)
        self._metrics = RedisMetrics(meter or Meter(), "rates")
        self._prefix = f"{_PREFIX}{deployment}:"
        self._alone = MemoryRates(clock_s)
        self._clock_s = clock_s
        self._again_s = 0.0

    async def spend(self, key: str, rate: Rate) -> float:
        """Take one; 0 when there was one, else after how many seconds there is."""
        if self._clock_s() < self._again_s:
            return await self._alone.spend(key, rate)
        period_ms = rate.period_s * 1000
        try:
            with self._metrics.call():
                wait_ms = await self._spend(
                    keys=[self._prefix + key], args=[period_ms, period_ms / rate.amount]
                )
        except (RedisError, OSError) as error:
            if not self._again_s:
                log.warning(
                    "rates are counted in this process alone", action="redis_gone", why=str(error)
                )
            self._again_s = self._clock_s() + AGAIN_S
            return await self._alone.spend(key, rate)
        if self._again_s:
            self._again_s = 0.0
            log.info("rates are counted in Redis again", action="redis_back")
        return float(wait_ms) / 1000

    async def ask(self) -> None:
        """Return when the server answers; a probe of health.

        Raises:
            OSError: it does not.
        """
        try:
            await self._redis.get(f"{_PREFIX}ping")
        except RedisError as error:
            raise OSError(f"Redis: {type(error).__name__}") from error

    async def close(self) -> None:
        """Release connections; may be called twice."""
        await self._redis.aclose()
