"""Dashboards against a real run: a demo trades, a real Prometheus scrapes it, and panels have data.

Not here: that queries are valid (tests/artefacts/test_dashboards).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest

import scripts.observability as written
from holdfast.operations.alerts.settings import Alerting, Objectives
from holdfast.operations.dashboards.boards import boards
from holdfast.operations.dashboards.panel import Panel
from holdfast.telemetry.catalogue import BY_NAME, names_in
from tests.support.alerting import prometheus_running
from tests.support.dashboards import at_once, empty_panels
from tests.support.operations_tools import operations_tool
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.slow

BOARDS = boards(
    written.settings("alerting.yaml", Alerting), written.settings("slo.yaml", Objectives)
)
SCRAPE_S = 1
WINDOW = "10s"

# What a run of seconds cannot have, and why.
NOT_YET = {
    "Return in the time shown": "as much past is needed again",
    "Failover gap": "nobody failed",
}


def test_no_panel_is_empty_after_a_demo_has_traded(tmp_path: Path) -> None:
    operations_tool("prometheus")
    with demo_beside_api_and_worker(tmp_path / "demo") as targets:
        left = asyncio.run(still_empty(tmp_path, targets))
    assert left == []


async def still_empty(folder: Path, targets: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Panels that have no data although they should, once no more of them get any."""
    config = {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s"},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": at}]} for job, at in targets.items()
        ],
    }
    deadline_s = time.monotonic() + PATIENCE_S
    async with prometheus_running(folder, config) as prometheus:
        while True:
            await ask_the_api(folder)
            empty = await empty_panels(prometheus, BOARDS, WINDOW)
            left = [(title, panel.title) for title, panel in empty if must_have_data(panel)]
            if not left or time.monotonic() > deadline_s:
                return left
            await asyncio.sleep(SCRAPE_S)


def must_have_data(panel: Panel) -> bool:
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


@contextmanager
def demo_beside_api_and_worker(directory: Path) -> Iterator[dict[str, list[str]]]:
    """A demo that trades, with an API and a worker on its journal; their metrics, by job."""
    words = ["demo", "--headless", "--no-dashboard", "--dir", str(directory)]
    config = ["--config", str(directory / "holdfast.toml")]
    with ExitStack() as running:
        # Killed with -9 it takes its children along, and need not bring its orders to an end.
        demo = running.enter_context(
            started(words, directory.parent / "demo.err", ended_by=signal.SIGKILL)
        )
        awaited(demo, directory.parent / "demo.err", r"\d+ orders, [1-9]\d* fills")
        api_err, worker_err = directory.parent / "api.err", directory.parent / "worker.err"
        api = running.enter_context(started(["api", "--json", *config], api_err, PORT="0"))
        assert api.stdout is not None
        told = json.loads(api.stdout.readline())
        (directory.parent / "api.url").write_text(told["listening"])
        worker = running.enter_context(started(["worker", *config], worker_err))
        port = awaited(worker, worker_err, r'"metrics_port":\s*(\d+)')
        nodes = [
            address
            for log in sorted(directory.glob("logs/node-*.log"))
            for address in re.findall(
                r'"metrics_listening","at":"http://([^"]+)"', log.read_text(encoding="utf-8")
            )
        ]
        assert len(nodes) == 2
        yield {
            "trading": nodes,
            "api": [told["metrics"].removeprefix("http://")],
            "worker": [f"127.0.0.1:{port}"],
        }


@contextmanager
def started(
    words: list[str], told: Path, *, ended_by: int = signal.SIGTERM, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A verb of ours, from now until the context ends."""
    with told.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words], stdout=subprocess.PIPE, stderr=err,
            text=True, env={**os.environ, **environment},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(ended_by)
            try:
                process.wait(PATIENCE_S)
            finally:
                process.kill()
                process.communicate()


def awaited(process: subprocess.Popen[str], told: Path, pattern: str) -> str:
    """What a process says, as soon as it has; its first group, if it has one."""
    deadline_s = time.monotonic() + PATIENCE_S
    while (found := re.search(pattern, told.read_text())) is None:
        assert process.poll() is None, told.read_text()
        assert time.monotonic() < deadline_s, told.read_text()
        time.sleep(0.1)
    return found[found.re.groups]


async def ask_the_api(folder: Path) -> None:
    """So that it has something to count: answers, a stranger, and somebody who tries doors."""
    url = (folder / "api.url").read_text()
    async with aiohttp.ClientSession() as session:
        for path in ("/livez", "/openapi.json", "/api/v1/accounts"):
            async with session.get(f"{url}{path}") as answer:
                await answer.read()
        async with session.get(url, headers={"Host": "elsewhere.example"}) as answer:
            await answer.read()  # that is no route of ours
        stranger = {"name": "nobody", "password": "not-his"}
        async with session.post(f"{url}/api/v1/auth/sign-in", json=stranger) as answer:
            assert answer.status in {401, 429}, await answer.text()
