"""A real Prometheus scrapes real nodes and a real API: all that is declared is there, and no more.

Not here: rules and alerts (tests/artefacts), a worker's numbers (tests/acceptance/test_jobs).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from holdfast.telemetry.catalogue.metric import Emitter
from tests.support.alerting import prometheus_running
from tests.support.node import QUOTER, Node, flips, until_armed, until_node
from tests.support.operations_tools import operations_tool
from tests.support.pulse import PulseFlow
from tests.support.scene import Scene, scene
from tests.support.scraped import faults, missing
from tests.support.waiting import PATIENCE_S

FAST = '[cluster]\nprofile = "fast"\n'
SCRAPE_S = 0.2


class Prometheus:
    """Questions to it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str, **params: str | float) -> Any:
        """What its HTTP API answers."""
        async with self._session.get(f"{self._url}/api/v1/{path}", params=params) as answer:
            told = msgspec.json.decode(await answer.read())
            assert told["status"] == "success", told
            return told["data"]

    async def value(self, query: str) -> float | None:
        """Of an expression with one series; None without any."""
        found = (await self.get("query", query=query))["result"]
        return float(found[0]["value"][1]) if found else None

    async def until_value(self, query: str, value: float) -> None:
        """Return when it is so."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (found := await self.value(query)) != value:
            assert time.monotonic() < deadline_s, f"{query} is {found}, expected {value}"
            await asyncio.sleep(SCRAPE_S)

    async def samples(self, query: str) -> dict[str, list[tuple[float, float]]]:
        """Each sample of the last minutes as it was scraped, by instance: when, and its value."""
        found = (await self.get("query", query=f"{query}[5m]"))["result"]
        return {
            one["metric"]["instance"]: [(at_s, float(value)) for at_s, value in one["values"]]
            for one in found
        }


@pytest.mark.slow
def test_every_metric_has_series_and_a_killed_leader_is_never_counted_beside_the_next(
    tmp_path: Path,
) -> None:
    operations_tool("prometheus")
    asyncio.run(_scraped(tmp_path))


async def _scraped(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        at = await stack.enter_async_context(scene(folder, flow=PulseFlow(("BTC/USDT",))))
        nodes = await _pair(at)
        api = await stack.enter_async_context(_api(nodes[0]))
        targets = [*map(_metrics, nodes), api["metrics"].removeprefix("http://")]
        config = {
            "global": {"scrape_interval": f"{int(SCRAPE_S * 1000)}ms", "scrape_timeout": "200ms"},
            "scrape_configs": [{"job_name": "x", "static_configs": [{"targets": targets}]}],
        }
        url = await stack.enter_async_context(prometheus_running(folder, config))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        prometheus = Prometheus(session, url)

        body = {"name": "nobody", "password": "wrong, and long enough"}
        async with session.post(f"{api['listening']}/api/v1/auth/sign-in", json=body) as refused:
            assert refused.status == 401, await refused.text()
        await until_armed(nodes[0], 2)
        await _all_there(prometheus)
        for target in targets:
            async with session.get(f"http://{target}/metrics") as page:
                assert list(faults(await page.text())) == []
        await _killed(prometheus, nodes)


async def _all_there(prometheus: Prometheus) -> None:
    emitters = Emitter.LEADER, Emitter.NODE, Emitter.API
    deadline_s = time.monotonic() + PATIENCE_S
    while lacking := missing(await prometheus.get("label/__name__/values"), *emitters):
        assert time.monotonic() < deadline_s, lacking
        await asyncio.sleep(SCRAPE_S)


async def _killed(prometheus: Prometheus, nodes: tuple[Node, Node]) -> None:
    """Whoever leads is killed; the other leads then, and never did both at one moment."""
    await prometheus.until_value("sum(trading_leader)", 1)
    await prometheus.until_value("count(trading_leader)", 2)
    await prometheus.until_value("sum(trading_standby_ready)", 1)
    # On a machine this busy the lease of a second may have changed hands by itself.
    leads = await prometheus.value(f'trading_leader{{instance="{_metrics(nodes[0])}"}}')
    leader, standby = nodes if leads else nodes[::-1]
    before = await prometheus.value("max(trading_epoch)") or 0
    await leader.kill_all()
    await prometheus.until_value(f'trading_leader{{instance="{_metrics(standby)}"}}', 1)
    await prometheus.until_value("sum(trading_leader)", 1)
    await prometheus.until_value(f"max(trading_epoch) > bool {before}", 1)
    gaps = 'sum(cluster_failover_gap_seconds_count{phase="ready"})'
    await prometheus.until_value(f"{gaps} > bool 0", 1)
    found = await prometheus.samples("trading_leader")
    old, new = found[_metrics(leader)], found[_metrics(standby)]
    assert [at_s for at_s, leads in new if leads and _led(old, at_s)] == []


def _led(samples: list[tuple[float, float]], at_s: float) -> bool:
    """Whether a node said that it leads both before this moment and after it."""
    before = [leads for sampled_s, leads in samples if sampled_s <= at_s]
    after = [leads for sampled_s, leads in samples if sampled_s >= at_s]
    return bool(before and after and before[-1] and after[0])


async def _pair(at: Scene) -> tuple[Node, Node]:
    """A leader that trades, and a standby that is warm; both serve their metrics."""
    leader = at.node((*flips(("BTC/USDT",)), QUOTER), settings=FAST)
    standby = leader.sibling("standby")
    at.nodes.append(standby)
    for node in (leader, standby):
        await node.start(environ={"METRICS_PORT": "0"})
        await until_node(node, partial(_serves, node), "its metrics")
        await until_armed(leader, 1)
    await until_node(standby, lambda: bool(standby.logged("following")), "a warm standby")
    return leader, standby


def _serves(node: Node) -> bool:
    return bool(node.logged("metrics_listening"))


def _metrics(node: Node) -> str:
    """Where its metrics are, `host:port`."""
    return str(node.logged("metrics_listening")[-1]["at"]).removeprefix("http://")


@asynccontextmanager
async def _api(node: Node) -> AsyncIterator[dict[str, str]]:
    """The API beside a node; where it listens."""
    with (node.folder / "api.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast", "api", "--json", "--config", str(node.config),
            stdout=asyncio.subprocess.PIPE, stderr=log,
            env={**os.environ, **node.secrets(), "PORT": "0", "METRICS_PORT": "0"},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE_S):
                told = await process.stdout.readline()
            yield msgspec.json.decode(told)
        finally:
            process.kill()
            await process.wait()
