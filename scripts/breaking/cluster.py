"""What is broken: an exchange, two nodes, an API, PostgreSQL, Redis and Prometheus, on this host.

Not here: breaking it (faults), looking at it (watch).
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from holdfast.app.chaos.site import Site, running_site
from holdfast.app.demo.processes import Child
from holdfast.app.identity import at_machine
from holdfast.platform.identity.values import Role
from scripts.verify.runner import REPOSITORY, tool
from tests.support.redis import RedisServer

RULES: Final = REPOSITORY / "deploy" / "observability" / "prometheus" / "rules"
SCRAPE_S: Final = {"trading": 10, "api": 15}
"""As deploy/observability/prometheus/prometheus.yml has it."""

DISK_BYTES: Final = 700 * 1024**2
USER: Final = "breaker"
PASSWORD: Final = "break ten things with care"
START_S: Final = 90.0


@dataclass
class Cluster:
    """All of it, running.

    Attributes:
        config: of the API and of the doctor, who reach the store directly.
        begun: where in its log each node's last start stands.
        disk: a small file system of its own, where they write; None without root.
    """

    site: Site
    folder: Path
    config: Path
    redis: RedisServer
    api: Child
    api_url: str
    prometheus_url: str
    session: aiohttp.ClientSession
    token: str
    disk: Path | None
    begun: dict[str, int] = field(default_factory=dict)

    async def ask(self, url: str, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an answer; status 0 where there is none."""
        try:
            async with self.session.get(url, **more) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, None

    async def overview(self) -> dict[str, Any]:
        """The first screen of the dashboard; empty while it does not answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        status, body = await self.ask(f"{self.api_url}/api/v1/overview", headers=headers)
        if status == 401:  # a run takes longer than a token lasts
            await self.sign_in()
        return body if status == 200 else {}

    async def sign_in(self) -> None:
        """Get a token, or another one."""
        body = {"name": USER, "password": PASSWORD}
        at = f"{self.api_url}/api/v1/auth/sign-in"
        with suppress(aiohttp.ClientError, TimeoutError, KeyError):  # it is asked again
            async with self.session.post(at, json=body) as answer:
                self.token = (await answer.json())["access_token"]

    async def alerts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Alerts by name and state, `pending` or `firing`."""
        status, body = await self.ask(f"{self.prometheus_url}/api/v1/alerts")
        found = body["data"]["alerts"] if status == 200 else []
        return {(one["labels"]["alertname"], one["state"]): one for one in found}

    @property
    def environ(self) -> dict[str, str]:
        """For whoever looks at this cluster from the command line."""
        passed = {
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME"} or name.startswith("PYTHON")
        }
        return {**passed, "REDIS_URL": self.redis.url, "PORT": "0", "METRICS_PORT": "0"}


@asynccontextmanager
async def running(folder: Path, seed: int) -> AsyncIterator[Cluster]:
    """Start it, until the block ends."""
    redis = RedisServer()
    with _small_disk(folder / "disk") as disk:
        async with running_site(
            folder, store="postgres", leases="journal", profile="standard", nodes=2,
            between_hosts=False, seed=seed, say=print,
        ) as site, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            config = _config(folder, site, disk or folder / "disk")
            environ = {"REDIS_URL": redis.url, "PORT": "0", "METRICS_PORT": "0"}
            words = ["api", "--config", str(config), "--json"]
            api = await Child.start("api", words, folder / "api.log", environ=environ)
            try:
                told = json.loads(await api._process.stdout.readline())  # type: ignore[union-attr]
                targets = {
                    "trading": await _targets(site, {}),
                    "api": [told["metrics"].removeprefix("http://")],
                }
                prometheus, url = _prometheus(folder, targets)
                try:
                    made = Cluster(
                        site, folder, config, redis, api, told["listening"], url, session, "", disk
                    )
                    with at_machine(site.store.database, "breaking") as console:
                        console.create(USER, Role.ADMIN, (), PASSWORD)
                    yield made
                finally:
                    prometheus.kill()
                    prometheus.wait()
            finally:
                await api.kill()
    redis.stop()


def _config(folder: Path, site: Site, state: Path) -> Path:
    """The first node's, with the store reached directly and a folder of its own to write."""
    node = site.nodes[0]
    text = node.config.read_text(encoding="utf-8").replace(str(node.folder), str(state))
    begun, ended = text.index("database_url"), text.index("\nstate_dir")
    path = folder / "operator.toml"
    path.write_text(
        f"{text[:begun]}database_url = {json.dumps(site.store.url)}{text[ended:]}", encoding="utf-8"
    )
    return path


async def _targets(site: Site, begun: Mapping[str, int]) -> list[str]:
    """Where each node tells its metrics since it was started last."""
    nodes = []
    deadline_s = time.monotonic() + START_S
    for node in site.nodes:
        while not (at := _listening(node.log, begun.get(node.name, 0))):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{node.name} told no address of its metrics; see {node.log}")
            await asyncio.sleep(0.1)
        nodes.append(at.removeprefix("http://"))
    return nodes


def _listening(log: Path, begun: int) -> str:
    """Where a node says that it tells its metrics, from a place in its log on; empty before."""
    for line in log.read_bytes()[begun:].splitlines():
        if b'"metrics_listening"' in line:
            return str(json.loads(line)["at"])
    return ""


def _prometheus(
    folder: Path, targets: dict[str, list[str]]
) -> tuple[subprocess.Popen[bytes], str]:
    """Prometheus with the committed rules, which scrapes as often as the committed configuration.

    A node that starts again takes the next free port, so the file of targets may be written again.
    """
    for job, addresses in targets.items():
        (folder / f"{job}.json").write_text(json.dumps([{"targets": addresses}]))
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s", "scrape_timeout": "5s"},
        "rule_files": [f"{RULES}/*.yml"],
        "scrape_configs": [
            {
                "job_name": job, "scrape_interval": f"{SCRAPE_S[job]}s",
                "file_sd_configs": [{"files": [str(folder / f"{job}.json")],
                                     "refresh_interval": "1s"}],
            }
            for job in targets
        ],
    }))  # fmt: skip
    port = _free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(tool("prometheus")), f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    return process, f"http://127.0.0.1:{port}"


async def retarget(cluster: Cluster) -> None:
    """Tell Prometheus where the nodes are by now."""
    found = await _targets(cluster.site, cluster.begun)
    (cluster.folder / "trading.json").write_text(json.dumps([{"targets": found}]))


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system that can be filled without harm; None where nobody may make one."""
    folder.mkdir(parents=True)
    made = os.geteuid() == 0 and not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "holdfast", str(folder)],
        capture_output=True, check=False,
    ).returncode  # fmt: skip
    try:
        yield folder if made else None
    finally:
        if made:
            with suppress(OSError):
                subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
