"""The nodes and their lease store, and Redis where there is one.

Not here: electing (the room of the same name), the journal's database (store).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from holdfast import __version__
from holdfast.app.live.members import Node, nodes
from holdfast.cluster.open import lease_file_at, lease_url_beside
from holdfast.config import Config
from holdfast.config.api import redis_url
from holdfast.config.jobs import broker_url
from holdfast.config.redis import is_redis
from holdfast.errors import ConfigError, PlatformError
from holdfast.operations.doctor.finding import Finding, Grade, fail, failed, ok, skip, warn

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

ASK_S: Final = 2.0
_SQLITE: Final = "sqlite:///"


def cluster(config: Config) -> Iterator[Finding]:
    """Who lives, who leads, and whether anybody could go on; watches for a few renewals."""
    url = config.cluster.lease_url or lease_url_beside(config.database_url)
    file = lease_file_at(url)
    if file is not None and not file.exists():  # to open it would make it
        yield skip(
            "nodes", "no node has run with this configuration since this machine was started"
        )
        return
    try:
        # A little more than what a renewal that fails once takes.
        members = nodes(config, 2.5 * config.cluster.timing.renew_s)
    except PlatformError as error:
        yield failed("leases", error, "make the lease store reachable: without it nobody leads")
        return
    yield ok("leases", f"kept in {_kind(url)}")
    yield from judged(members, [account.name for account in config.all_accounts])


def judged(members: Sequence[Node], accounts: Sequence[str]) -> Iterator[Finding]:
    """What is to be said of the nodes that were seen."""
    live = [node for node in members if node.is_live]
    stale = [node.name for node in members if not node.is_live]
    if stale:
        yield warn(
            "stale nodes", f"{', '.join(stale)}: entered, and renewed nothing while watched",
            "look whether it hangs; one that ended is forgotten by the others by itself",
        )  # fmt: skip
    if not live:
        yield skip("nodes", "none runs now; start one with `holdfast node`")
        return
    led = {account for node in live for account in node.leads}
    for account in accounts:
        if account not in led:
            yield fail(
                "leader", "no live node leads it",
                "look at the nodes' logs: a key or a journal that they lack keeps them from it",
            ).of(account)  # fmt: skip
    names = ", ".join(f"{n.name} leads {', '.join(n.leads) or 'nothing'}" for n in live)
    if len(live) == 1:
        yield warn("nodes", f"{names}; no other node stands by", "start a second node")
    else:
        yield ok("nodes", names)
    versions = sorted({node.version for node in live})
    if versions != [__version__]:
        yield warn(
            "node versions", f"nodes run {', '.join(versions)}, this program is {__version__}",
            "finish the roll-out; then `holdfast db finalize`",
        )  # fmt: skip


def redis(config: Config) -> Iterator[Finding]:
    """Each Redis server that something refers to, asked once."""
    try:
        used = {
            "leases": config.cluster.lease_url,
            "jobs": broker_url(config.jobs),
            "rates and cache": redis_url(config.api),
        }
    except ConfigError as error:
        yield failed("redis", error, "correct the address")
        return
    servers: dict[str, list[str]] = {}
    for purpose, url in used.items():
        if is_redis(url):
            servers.setdefault(url, []).append(purpose)
    if not servers:
        yield skip("redis", "nothing refers to a Redis server")
    for url, purposes in servers.items():
        yield _server(url, purposes)


def _server(url: str, purposes: list[str]) -> Finding:
    check = f"redis {', '.join(purposes)}"
    try:
        from redis import RedisError  # noqa: PLC0415  # an optional extra

        from holdfast.cluster.redis_connect import redis_pool  # noqa: PLC0415
    except ImportError:
        return fail(check, "its driver is not installed", "pip install 'holdfast[redis]'")
    try:
        pool = redis_pool(
            url, client_name="holdfast-doctor", answer_s=ASK_S,
            socket_timeout=ASK_S, socket_connect_timeout=ASK_S,
        )  # fmt: skip
        took_ms, told = asyncio.run(_asked(pool))
    except (RedisError, OSError, ValueError) as error:
        seen = f"it does not answer ({type(error).__name__})"
        do = "start it, or correct its address"
        if "leases" not in purposes:
            return warn(check, f"{seen}; trading goes on without it", do)
        seen = f"{seen}, and nobody leads without it"
        return Finding(check, Grade.FAIL, seen, do, is_unreachable=True)
    version = told.get("redis_version", "?")
    seen = f"{version}, {took_ms:.1f} ms away"
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and {"leases", "jobs"} & set(purposes):
        return warn(
            check, f"{seen}; it forgets when it is full ({policy})",
            "set maxmemory-policy noeviction: leases and jobs must not be dropped",
        )  # fmt: skip
    return ok(check, seen)


async def _asked(pool: ConnectionPool) -> tuple[float, dict[str, Any]]:
    """How long a server took to answer, in milliseconds, and what it says of itself."""
    from redis.asyncio import Redis  # noqa: PLC0415  # an optional extra

    async with Redis.from_pool(pool) as server:
        # Below the prefix of all keys of ours: a server may let us see no others.
        await server.get("holdfast:ping")
        begun_s = time.perf_counter()
        await server.get("holdfast:ping")
        took_ms = (time.perf_counter() - begun_s) * 1000
        return took_ms, await server.info("memory") | await server.info("server")


def _kind(url: str) -> str:
    if url.startswith(_SQLITE):
        return "a file of this host"
    return "PostgreSQL" if url.startswith("postgres") else "Redis"
