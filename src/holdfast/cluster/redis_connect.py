"""Connections to Redis: the one place where they are made, to a server or to whoever leads.

Behind Sentinels a new connection asks them who leads now, so that a client follows a failover by
connecting anew, which it does anyway when its server is gone. Not here: addresses (config.redis).
"""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import BlockingConnectionPool, ConnectionPool, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from holdfast.config.redis import sentinels_in


def redis_pool(
    url: str, *, client_name: str, answer_s: float, most: int | None = None, **options: Any
) -> ConnectionPool:
    """Connections to Redis, which nothing is tried on twice but by the caller. Opens none yet.

    Args:
        url: `redis://`, `rediss://`, `unix://`, or `redis+sentinel://one:26379,two/NAME/0`.
        answer_s: how long its user waits for an answer at most. The Sentinels share it: one that
            is cut off leaves time to ask the next.
        most: connections at once; who comes then waits for one for up to `answer_s`.
        options: of each connection, as redis-py has them.

    Raises:
        ValueError: the address cannot be understood; its words may quote it, with its password.
    """
    options = {"retry": Retry(NoBackoff(), 0), "client_name": client_name, **options}
    found = sentinels_in(url)
    waiting = {} if most is None else {"max_connections": most, "timeout": answer_s}
    if found is None:
        plain = ConnectionPool if most is None else BlockingConnectionPool
        return plain.from_url(url, **waiting, **options)
    patience_s = answer_s / (len(found.hosts) + 1)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        found.hosts,
        sentinel_kwargs={
            "socket_timeout": patience_s, "socket_connect_timeout": patience_s,
            "retry": Retry(NoBackoff(), 0), **found.own,
        },
    )  # fmt: skip
    leader = {**parse_url(found.leader_url), **options}
    del leader["host"]  # which the Sentinels know
    followed = _Followed if most is None else _WaitingFollowed
    return followed(  # type: ignore[no-untyped-call]
        found.service, sentinel, **waiting, **leader
    )


class _Followed(SentinelConnectionPool):
    """Connections to the leader; those to the Sentinels end with them."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:  # else it has only found another leader
            for one in self.sentinel_manager.sentinels:
                await one.aclose()


class _WaitingFollowed(_Followed, BlockingConnectionPool):
    """The same, and who comes when all are in use waits."""
