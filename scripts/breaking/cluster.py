"""What is broken: an exchange, two nodes, an API, PostgreSQL, Redis and a disk, on this host.

Not here: breaking it (faults), Prometheus and exporters (observers), looking at it (watch).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from holdfast.app.chaos.site import Site, running_site
from holdfast.app.demo.processes import Child
from holdfast.app.identity import at_machine
from holdfast.platform.identity.values import Role
from scripts.breaking.observers import JOBS, aim, exporters, prometheus
from tests.support.redis import RedisServer

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
        lacks: exporters that are not here.
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
    lacks: frozenset[str]
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
    async with AsyncExitStack() as stack:
        redis = RedisServer()
        stack.callback(redis.stop)
        disk = stack.enter_context(_small_disk(folder))
        site = await stack.enter_async_context(running_site(
            folder, store="postgres", leases="journal", profile="standard", nodes=2,
            between_hosts=False, seed=seed, say=print,
        ))  # fmt: skip
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))
        )
        config = _config(folder, site, disk or folder / "disk")
        environ = {"REDIS_URL": redis.url, "PORT": "0", "METRICS_PORT": "0"}
        words = ["api", "--config", str(config), "--json"]
        api = await Child.start("api", words, folder / "api.log", environ=environ)
        stack.push_async_callback(api.kill)
        told = json.loads(await api._process.stdout.readline())  # type: ignore[union-attr]
        beside = stack.enter_context(exporters(folder, redis.url, site.store.url))
        targets = {
            "trading": await _targets(site, {}),
            "api": [told["metrics"].removeprefix("http://")],
            **beside,
        }
        url = stack.enter_context(prometheus(folder / "prometheus", targets))
        lacks = frozenset(name for job, (name, _) in JOBS.items() if job not in beside)
        with at_machine(site.store.database, "breaking") as console:
            console.create(USER, Role.ADMIN, (), PASSWORD)
        yield Cluster(
            site, folder, config, redis, api, told["listening"], url, session, "", disk, lacks
        )


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


async def retarget(cluster: Cluster) -> None:
    """Tell Prometheus where the nodes are by now."""
    aim(cluster.folder / "prometheus", "trading", await _targets(cluster.site, cluster.begun))


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system that can be filled without harm; None where nobody may make one.

    On a disk, if only in a file: nobody is warned of file systems in memory.
    """
    at, image = folder / "disk", folder / "disk.image"
    at.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    made = os.geteuid() == 0 and all(
        not subprocess.run(command, capture_output=True, check=False).returncode
        for command in (
            [_system("mkfs.ext4"), "-q", "-m", "0", str(image)],
            [_system("mount"), "-o", "loop", str(image), str(at)],
        )
    )
    try:
        yield at if made else None
    finally:
        if made:
            subprocess.run([_system("umount"), "--lazy", str(at)], check=False)


def _system(program: str) -> str:
    """Where Debian keeps what only root needs; `false`, which fails, where it is not."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return shutil.which(program, path=path) or "false"
