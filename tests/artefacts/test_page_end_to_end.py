"""The whole way of a page: a cluster that is killed, Prometheus, Alertmanager, and who is called.

All of it is real, with the rules and the tree that are delivered; only their times are a tenth, so
that nobody waits for a minute. `HOLDFAST_ALERT_PACE=1` takes them as they are. Not here: each alert
by itself (test_alert_cases), each route (test_alertmanager).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml
from aiohttp import web

import scripts.observability as written
from holdfast.operations.alerts.artefacts import alert_documents
from holdfast.operations.alerts.settings import Alerting, Channels, Objectives, Webhook
from tests.support.alerting import alertmanager_running, prometheus_running
from tests.support.node import Node, flips, until_node
from tests.support.operations_tools import operations_tool
from tests.support.scene import Scene, scene
from tests.support.waiting import until

PACE: Final = float(os.environ.get("HOLDFAST_ALERT_PACE", "10"))
"""How many times faster than delivered everything is scraped, evaluated, waited and grouped."""

SCRAPE_S: Final = 10
_TIMES: Final = frozenset({"interval", "for", "keep_firing_for", "group_wait", "group_interval"})


class Pages(list[dict[str, Any]]):
    """What somebody was called with: alerts, each with the moment of its arrival."""

    def paged(self) -> dict[str, float]:
        """When each P0 arrived first, by its name."""
        urgent = [
            one for one in self
            if one["labels"]["severity"] == "P0" and one["status"] == "firing"
        ]
        return {one["labels"]["alertname"]: one["at_s"] for one in reversed(urgent)}


@pytest.mark.slow
def test_whoever_is_on_call_is_paged_when_leader_and_standby_are_killed(tmp_path: Path) -> None:
    operations_tool("prometheus"), operations_tool("alertmanager")
    took = asyncio.run(_page(tmp_path))
    # Scrape, two evaluations, what it waits for, and what the group waits for.
    at_most_s = (SCRAPE_S + 2 * 10 + 30 + 10) / PACE
    print(f"paged after {took} s, at {PACE:g} times the pace; at most {at_most_s:g} s and the load")
    # Of one outage; what follows is held back unless it came first, on a machine that is busy.
    assert set(took) <= {"TradingBotDown", "NoLeader", "EngineAvailabilityBurn"}


async def _page(folder: Path) -> dict[str, float]:
    """After how many seconds each P0 arrived."""
    async with AsyncExitStack() as stack:
        at = await stack.enter_async_context(scene(folder / "nodes"))
        nodes = await _pair(at)
        url, pages = await stack.enter_async_context(_listening())
        tree, rules = _delivered(folder, url)
        manager = await stack.enter_async_context(alertmanager_running(folder, tree))
        config = _prometheus(rules, manager, [_metrics(node) for node in nodes])
        prometheus = await stack.enter_async_context(prometheus_running(folder, config))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await _until_value(session, prometheus, "sum(trading_leader)", "1")
        await _until_value(session, prometheus, "sum(trading_standby_ready)", "1")
        await _until_value(session, prometheus, 'absent(ALERTS{severity="P0"})', "1")
        pages.clear()  # before the first scrape nothing answers, which is told if it takes long

        killed_s = time.monotonic()
        await asyncio.gather(*(node.kill_all() for node in nodes))
        await until(lambda: "TradingBotDown" in pages.paged(), lambda: str(pages), every_s=0.02)
        for page in {one["annotations"]["runbook_url"] for one in pages}:
            assert (written.REPOSITORY / page).exists()
        return {name: round(at_s - killed_s, 1) for name, at_s in pages.paged().items()}


async def _pair(at: Scene) -> tuple[Node, Node]:
    """Two nodes of one cluster, which serve their metrics; either of them leads."""
    first = at.node(flips(("BTC/USDT",)), settings='[cluster]\nprofile = "fast"\n')
    second = first.sibling("second")
    at.nodes.append(second)
    for node in (first, second):
        await node.start(environ={"METRICS_PORT": "0"})
    for node in (first, second):
        await until_node(node, partial(_serves, node), "its metrics")
    return first, second


def _serves(node: Node) -> bool:
    return bool(node.logged("metrics_listening"))


def _metrics(node: Node) -> str:
    """Where its metrics are, `host:port`."""
    return str(node.logged("metrics_listening")[-1]["at"]).removeprefix("http://")


@asynccontextmanager
async def _listening() -> AsyncIterator[tuple[str, Pages]]:
    """A webhook of ours; its address, and what came."""
    pages = Pages()

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        pages.extend({**alert, "at_s": time.monotonic()} for alert in body["alerts"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/alerts", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/alerts", pages
    finally:
        await runner.cleanup()


def _delivered(folder: Path, url: str) -> tuple[dict[str, Any], list[str]]:
    """The Alertmanager's tree with the webhook as its only channel, and the files of rules."""
    alerting = written.settings("alerting.yaml", Alerting)
    hours = alerting.channels.business_hours
    channels = Channels(business_hours=hours, webhook=Webhook(url=url))
    documents = alert_documents(
        Alerting(runbooks=alerting.runbooks, thresholds=alerting.thresholds, channels=channels),
        written.settings("slo.yaml", Objectives),
    )
    tree = documents.pop("alertmanager/alertmanager.yml")
    shutil.copytree(written.TARGET / "alertmanager" / "templates", folder / "templates")
    for path, document in documents.items():
        (folder / Path(path).name).write_text(yaml.safe_dump(_faster(document)))
    return _faster(tree), [str(folder / Path(path).name) for path in documents]


def _prometheus(rules: list[str], manager: str, targets: list[str]) -> dict[str, Any]:
    every = f"{1000 * SCRAPE_S / PACE:.0f}ms"
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "rule_files": rules,
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [manager.removeprefix("http://")]}]}]
        },
        "scrape_configs": [{"job_name": "trading", "static_configs": [{"targets": targets}]}],
    }


def _faster(value: Any) -> Any:
    """The same with its times divided; windows of expressions are as they were."""
    if isinstance(value, dict):
        return {
            key: _divided(one) if key in _TIMES else _faster(one) for key, one in value.items()
        }
    return [_faster(one) for one in value] if isinstance(value, list) else value


def _divided(time_: str) -> str:
    found = re.fullmatch(r"(\d+)(s|m|h)", time_)
    assert found is not None, time_
    return f"{1000 * int(found[1]) * {'s': 1, 'm': 60, 'h': 3600}[found[2]] / PACE:.0f}ms"


async def _until_value(
    session: aiohttp.ClientSession, prometheus: str, query: str, value: str
) -> None:
    """Return when Prometheus answers a query with one series of this value."""
    found: list[Any] = []
    for _ in range(1500):
        async with session.get(f"{prometheus}/api/v1/query", params={"query": query}) as answer:
            found = (await answer.json())["data"]["result"]
        if [one["value"][1] for one in found] == [value]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{query} is not {value}, but {found}")
