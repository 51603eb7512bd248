"""Panels' queries as Grafana would send them, and which of them a Prometheus has nothing for; over
a demo, once it has been scraped for long enough.

Not here: Prometheus itself (alerting), the demo (demo_run).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp

import scripts.observability as written
from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.operations.dashboards.board import Board
from holdfast.operations.dashboards.boards import boards
from holdfast.operations.dashboards.panel import Panel
from holdfast.telemetry.catalogue import BY_NAME, names_in
from tests.support.alerting import prometheus_running
from tests.support.demo_run import Demo
from tests.support.waiting import PATIENCE_S

SCRAPE_S = 1
WINDOW = "10s"

# What a run of seconds cannot have, and why.
NOT_YET = {
    "Return in the time shown": "as much past is needed again",
    "Failover gap": "nobody failed since Prometheus looks",
}


def at_once(expr: str, window: str = "1m", span: str = "1h") -> str:
    """A query with its variables filled in: everything, over those times."""
    filled = expr.replace("$__rate_interval", window).replace("$__range", span)
    return re.sub(r"\$\{?\w+\}?", ".*", filled)


async def empty_panels(
    prometheus: str, boards: Iterable[Board], window: str
) -> list[tuple[str, Panel]]:
    """Panels, by the dashboard's title, of which no query yields a single number now.

    Args:
        window: of rates; several scrapes must lie in it.
    """
    found = []
    async with aiohttp.ClientSession(prometheus) as session:
        for board in boards:
            for panel in board.panels:
                asked = [at_once(query.expr, window, window) for query in panel.queries]
                if asked and not any([await _has_data(session, expr) for expr in asked]):
                    found.append((board.title, panel))
    return found


async def _has_data(session: aiohttp.ClientSession, expr: str) -> bool:
    async with session.get("/api/v1/query", params={"query": expr}) as answer:
        document = await answer.json()
    assert document["status"] == "success", f"{expr}: {document}"
    return any(one["value"][1] != "NaN" for one in document["data"]["result"])


async def panels_still_empty(folder: Path, demo: Demo) -> list[tuple[str, str]]:
    """Panels that have no data although they should, once no more of them get any.

    Args:
        folder: for Prometheus.
    """
    ours = boards(
        written.settings("alerting.yaml", Alerting), written.settings("slo.yaml", Objectives)
    )
    config = {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s"},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": at}]}
            for job, at in _metrics_of(demo).items()
        ],
    }
    deadline_s = time.monotonic() + PATIENCE_S
    async with prometheus_running(folder, config) as prometheus:
        while True:
            await _ask_the_api(demo.url)
            await asyncio.sleep(SCRAPE_S)
            empty = await empty_panels(prometheus, ours, WINDOW)
            left = [(title, panel.title) for title, panel in empty if _must_have_data(panel)]
            if not left or time.monotonic() > deadline_s:
                return left


def _metrics_of(demo: Demo) -> dict[str, list[str]]:
    """Where each kind of process of a demo tells its metrics, by job, as it said last."""
    nodes = [
        _last(log, r'"metrics_listening","at":"http://([^"]+)"')
        for log in sorted(demo.directory.glob("logs/node-*.log"))
    ]
    assert len(nodes) == 2
    worker = _last(demo.directory / "logs" / "worker.log", r'"metrics_port":(\d+)')
    api = _last(demo.directory / "logs" / "api.log", r'"metrics":"http://([^"]+)"')
    return {"trading": nodes, "api": [api], "worker": [f"127.0.0.1:{worker}"]}


def _last(log: Path, pattern: str) -> str:
    found: list[str] = re.findall(pattern, log.read_text(encoding="utf-8"))
    assert found, log
    return found[-1]


def _must_have_data(panel: Panel) -> bool:
    """Not what an exporter, a rule or a server has that this run does without."""
    if panel.title in NOT_YET:
        return False
    names = {name for query in panel.queries for name in names_in(at_once(query.expr))}
    emitted = {
        name
        for metric in BY_NAME.values() if not metric.optional
        for name in metric.series_names
    } | {"up"}  # fmt: skip
    return bool(names & emitted)


async def _ask_the_api(url: str) -> None:
    """So that it has something to count: answers, a stranger, and somebody who tries doors."""
    async with aiohttp.ClientSession() as session:
        for path in ("/livez", "/openapi.json", "/api/v1/accounts"):
            async with session.get(f"{url}{path}") as answer:
                await answer.read()
        async with session.get(url, headers={"Host": "elsewhere.example"}) as answer:
            await answer.read()  # that is no route of ours
        stranger = {"name": "nobody", "password": "not-his"}
        async with session.post(f"{url}/api/v1/auth/sign-in", json=stranger) as answer:
            assert answer.status in {401, 429}, await answer.text()
