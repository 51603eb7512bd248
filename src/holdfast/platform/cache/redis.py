"""The cache in Redis: quick or not at all. A server that dies costs one short wait, and is told.

Not here: what is kept (results).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from holdfast.cluster.redis_connect import redis_pool
from holdfast.config.redis import EXPECTED
from holdfast.errors import ConfigError
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.meter import Meter
from holdfast.telemetry.metrics import RedisMetrics

T = TypeVar("T")

CALL_S: Final = 0.25
AGAIN_S: Final = 1.0
"""How long nobody asks a server that did not answer."""

log = get_logger("platform.cache")


class RedisCache:
    """Answers under `holdfast:<deployment>:cache:`. Belongs to one event loop.

    Attributes:
        is_up: whether the server answered when it was asked last.

    Raises:
        ConfigError: the address cannot be understood.
    """

    def __init__(
        self,
        url: str,
        deployment: str = "holdfast",
        *,
        now_s: Callable[[], float] = time.monotonic,
        meter: Meter | None = None,
    ) -> None:
        try:
            pool = redis_pool(
                url, client_name="holdfast-cache", answer_s=CALL_S,
                socket_timeout=CALL_S, socket_connect_timeout=CALL_S,
            )  # fmt: skip
        except ValueError:
            raise ConfigError(
                "seen: an address of Redis that the driver does not understand; expected: "
                f"{EXPECTED}; do: correct REDIS_URL"
            ) from None  # its words may quote the address, and its password with it
        self._redis = Redis.from_pool(pool)
        self._prefix = f"holdfast:{deployment}:cache:"
        self._metrics = RedisMetrics(meter or Meter(), "cache")
        self._now_s = now_s
        self._again_s = 0.0
        self.is_up = True

    async def get(self, key: str) -> bytes | None:
        """What was kept; None when it is not there, or the server does not answer."""
        return await self._asked(lambda: self._redis.get(self._prefix + key))

    async def put(self, key: str, value: bytes, expiry_s: float) -> None:
        """Keep it, if the server answers."""
        expiry_ms = max(1, round(expiry_s * 1000))
        await self._asked(lambda: self._redis.set(self._prefix + key, value, px=expiry_ms))

    async def ping(self) -> bool:
        """Whether the server answers now; asks it at once."""
        self._again_s = 0.0
        await self._asked(lambda: self._redis.exists(self._prefix))
        return self.is_up

    async def close(self) -> None:
        """Release the connections; may be called twice."""
        await self._redis.aclose()

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        if self._now_s() < self._again_s:
            return None
        try:
            with self._metrics.call():
                found = await ask()
        except (RedisError, OSError, TimeoutError) as error:
            self._again_s = self._now_s() + AGAIN_S
            if self.is_up:
                log.warning("the cache does not answer: nothing is cached meanwhile",
                            action="cache_away", why=type(error).__name__)  # fmt: skip
            self.is_up = False
            return None
        if not self.is_up:
            log.info("the cache answers again", action="cache_back")
        self.is_up = True
        return found
