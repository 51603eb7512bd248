"""A real Prometheus and a real Alertmanager on free ports of this machine, for one test.

Not here: their configurations.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.operations_tools import operations_tool
from tests.support.ports import reserved_port
from tests.support.waiting import PATIENCE_S


@asynccontextmanager
async def alertmanager_running(folder: Path, config: Mapping[str, Any]) -> AsyncIterator[str]:
    """An Alertmanager with this configuration; its address."""
    file = _written(folder, "alertmanager", config)
    words = [
        f"--config.file={file}", f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",
    ]  # fmt: skip
    async with _running("alertmanager", words, folder) as url:
        yield url


@asynccontextmanager
async def prometheus_running(folder: Path, config: Mapping[str, Any]) -> AsyncIterator[str]:
    """A Prometheus with this configuration, which tells alerts at once; its address."""
    file = _written(folder, "prometheus", config)
    words = [
        f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus'}",
        "--rules.alert.resend-delay=1s",
    ]  # fmt: skip
    async with _running("prometheus", words, folder) as url:
        yield url


def _written(folder: Path, name: str, config: Mapping[str, Any]) -> Path:
    file = folder / f"{name}.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    return file


@asynccontextmanager
async def _running(program: str, words: Sequence[str], folder: Path) -> AsyncIterator[str]:
    """It answers when the context begins, and is ended with it."""
    log = folder / f"{program}.log"
    with reserved_port() as port, log.open("wb") as told:
        process = await asyncio.create_subprocess_exec(
            str(operations_tool(program)), *words, f"--web.listen-address=127.0.0.1:{port}",
            stdout=told, stderr=told,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
                while not await _is_ready(session, f"{url}/-/ready"):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.05)
            yield url
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
