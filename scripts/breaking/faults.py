"""The ten things that are broken, how each is mended, and the runbook that says so.

Not here: the cluster they are broken on.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from holdfast.app.chaos.site import Node
from scripts.breaking.cluster import Cluster, retarget

Hand = Callable[[Cluster], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One of them.

    Attributes:
        name: for people.
        alert: whose runbook it is.
        exporter: without which that alert cannot fire.
        most_s: how long is waited for it.
        live: only the exchange tells, so the doctor asks it.
    """

    name: str
    strike: Hand
    heal: Hand
    alert: str
    most_s: float = 90.0
    live: bool = False
    exporter: str = ""


async def _leader(cluster: Cluster) -> Node:
    """The node that leads, by the dashboard's word."""
    while True:
        leaders = (await cluster.overview()).get("leaders") or []
        for node in cluster.site.nodes:
            if node.name in leaders:
                return node
        await asyncio.sleep(0.2)


async def _follower(cluster: Cluster) -> Node:
    leader = await _leader(cluster)
    return next(node for node in cluster.site.nodes if node is not leader)


async def _kill_leader(cluster: Cluster) -> None:
    _signal(await _leader(cluster), signal.SIGKILL)


async def _kill_standby(cluster: Cluster) -> None:
    _signal(await _follower(cluster), signal.SIGKILL)


async def _start_nodes(cluster: Cluster) -> None:
    for node in cluster.site.nodes:
        if not node.is_running:
            assert node.child is not None
            await node.child.kill()
            cluster.begun[node.name] = node.log.stat().st_size
            await node.start()
    await retarget(cluster)


async def _crash_store(cluster: Cluster) -> None:
    assert cluster.site.store.server is not None
    await asyncio.to_thread(cluster.site.store.server.crash)


async def _start_store(cluster: Cluster) -> None:
    server = cluster.site.store.server
    assert server is not None
    server.begin()
    await asyncio.to_thread(server.await_ready)


async def _stop_redis(cluster: Cluster) -> None:
    cluster.redis.crash()


async def _start_redis(cluster: Cluster) -> None:
    cluster.redis.start()


async def _stop_exchange(cluster: Cluster) -> None:
    os.killpg(cluster.site.exchange.pid, signal.SIGSTOP)


async def _start_exchange(cluster: Cluster) -> None:
    os.killpg(cluster.site.exchange.pid, signal.SIGCONT)


async def _fill_disk(cluster: Cluster) -> None:
    assert cluster.disk is not None
    full = cluster.disk / "full"
    with full.open("wb") as file:
        there = os.statvfs(cluster.disk)
        os.posix_fallocate(file.fileno(), 0, int(there.f_bavail * there.f_frsize * 0.97))


async def _empty_disk(cluster: Cluster) -> None:
    assert cluster.disk is not None
    (cluster.disk / "full").unlink()


def _at_exchange(kind: str, **fault: Any) -> Hand:
    async def strike(cluster: Cluster) -> None:
        document = {"kind": kind, **fault}
        async with cluster.session.post(
            f"{cluster.site.admin.url}/admin/faults", json=document
        ) as answer:
            assert answer.status == 200, await answer.text()

    return strike


async def _mend_exchange(cluster: Cluster) -> None:
    async with cluster.session.delete(f"{cluster.site.admin.url}/admin/faults") as answer:
        assert answer.status == 200, await answer.text()


async def _misspell(cluster: Cluster) -> None:
    """The standby is started with a configuration in which a key is misspelt."""
    node = await _follower(cluster)
    text = node.config.read_text(encoding="utf-8")
    node.config.with_suffix(".good").write_text(text, encoding="utf-8")
    node.config.write_text(text.replace("[[accounts]]\n", "[[accounts]]\nreconcil = 1\n"))
    assert node.child is not None
    await node.child.stop()
    await node.start()


async def _correct(cluster: Cluster) -> None:
    for node in cluster.site.nodes:
        good = node.config.with_suffix(".good")
        if good.exists():
            good.replace(node.config)
    await _start_nodes(cluster)


def _signal(node: Node, number: signal.Signals) -> None:
    assert node.child is not None
    os.killpg(node.child.pid, number)


TEN = (
    Fault("the leader", _kill_leader, _start_nodes, "NodeDown"),
    Fault("the standby", _kill_standby, _start_nodes, "NodeDown"),
    Fault("the store", _crash_store, _start_store, "StoreDown", 120,
          exporter="postgres_exporter"),
    Fault("Redis", _stop_redis, _start_redis, "RedisConnectionFailed", 120,
          exporter="redis_exporter"),
    Fault("the exchange", _stop_exchange, _start_exchange, "ExchangeUnreachable", 100, live=True),
    Fault("the disk", _fill_disk, _empty_disk, "LowDiskSpace", 400, exporter="node_exporter"),
    Fault("the clock", _at_exchange("clock_offset", params={"ms": 5000}), _mend_exchange,
          "ClockSkew", 130, live=True),
    Fault("the key", _at_exchange("revoke_key"), _mend_exchange, "KeyRefused", 120,
          live=True),
    Fault("the stream", _at_exchange("stream_silence"), _mend_exchange, "StaleMarketData", 90),
    Fault("the configuration", _misspell, _correct, "NodeDown"),
)  # fmt: skip
