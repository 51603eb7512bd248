"""Connections to Redis: the one place where they are made, to a server or to whoever leads.

Behind Sentinels a new connection asks them who leads now, so that a client follows a failover by
connecting anew, which it does anyway when its server is gone. A password by reference
(`?password_from=file:…`) is read for each connection, and asked for anew when it is refused. Not
here: addresses (config.redis).
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from redis.asyncio.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    ConnectionPool,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthorizationError
from redis.exceptions import ConnectionError as NotConnectedError

from holdfast.config.database import PASSWORD_FROM
from holdfast.config.redis import sentinels_in
from holdfast.errors import PlatformError
from holdfast.secrets.candidates import candidates

Pool = TypeVar("Pool", bound=ConnectionPool)


def redis_pool(
    url: str, *, client_name: str, answer_s: float, most: int | None = None, **options: Any
) -> ConnectionPool:
    """Connections to Redis, which nothing is tried on twice but by the caller. Opens none yet.

    Args:
        url: `redis://`, `rediss://`, `unix://`, or `redis+sentinel://one:26379,two/NAME/0`; each
            with `password_from`, a reference to the password, where it has none itself.
        answer_s: how long its user waits for an answer at most. The Sentinels share it: one that
            is cut off leaves time to ask the next.
        most: connections at once; who comes then waits for one for up to `answer_s`.
        options: of each connection, as redis-py has them.

    Raises:
        ValueError: the address cannot be understood; its words may quote it, with its password.
    """
    options = {"retry": Retry(NoBackoff(), 0), "client_name": client_name, **options}
    found = sentinels_in(url)
    waiting: dict[str, Any] = {} if most is None else {"max_connections": most, "timeout": answer_s}
    if found is None:
        plain = ConnectionPool if most is None else BlockingConnectionPool
        # What the address says, such as its database, wins.
        return _by_reference(plain(**{**waiting, **options, **parse_url(url)}))
    patience_s = answer_s / (len(found.hosts) + 1)
    own = dict(found.own)
    reference = own.pop(PASSWORD_FROM, "")
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        found.hosts,
        sentinel_kwargs={
            "socket_timeout": patience_s, "socket_connect_timeout": patience_s,
            "retry": Retry(NoBackoff(), 0), **own,
        },
    )  # fmt: skip
    if reference:
        for one in sentinel.sentinels:
            one.connection_pool.connection_kwargs[PASSWORD_FROM] = reference
            _by_reference(one.connection_pool)
    leader = {**parse_url(found.leader_url), **options}
    del leader["host"]  # which the Sentinels know
    followed = _Followed if most is None else _WaitingFollowed
    return _by_reference(
        followed(found.service, sentinel, **waiting, **leader)  # type: ignore[no-untyped-call]
    )


def _by_reference(pool: Pool) -> Pool:
    """Have connections of a pool read their password where they are told of a reference to it."""
    if PASSWORD_FROM in pool.connection_kwargs:
        pool.connection_class = _referring(pool.connection_class)
    return pool


class _Referring(AbstractConnection):
    """A connection that is let in with a password by reference, whichever version is taken."""

    def __init__(self, *, password_from: str, **options: Any) -> None:
        super().__init__(**options)
        self._password_from = password_from

    async def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = True
    ) -> None:
        if self.is_connected:
            return
        refusal = NotConnectedError("no password")
        trying = candidates(self._password_from, purpose="Redis's password")
        try:
            while (password := await asyncio.to_thread(next, trying, None)) is not None:
                self.password = password.reveal()
                try:
                    await super().connect_check_health(check_health, retry_socket_connect)
                except NotConnectedError as error:
                    if not is_refusal(error):
                        raise
                    refusal = error
                else:
                    return
        except PlatformError as error:  # users of Redis know what to do without it
            raise NotConnectedError(str(error)) from error
        raise refusal


def is_refusal(error: BaseException) -> bool:
    """Whether a server did not let us in; the driver wraps some of what it hears as it connects."""
    kinds = AuthenticationError | AuthorizationError
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)


def _referring(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    return type(f"Referring{kind.__name__}", (_Referring, kind), {})


class _Followed(SentinelConnectionPool):
    """Connections to the leader; those to the Sentinels end with them."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:  # else it has only found another leader
            for one in self.sentinel_manager.sentinels:
                await one.aclose()


class _WaitingFollowed(_Followed, BlockingConnectionPool):
    """The same, and who comes when all are in use waits."""
