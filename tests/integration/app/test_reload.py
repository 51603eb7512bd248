"""SIGHUP to real processes: what takes effect, what is named instead, and what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp

from holdfast.app.identity import at_machine
from holdfast.app.settings import AT_START, BY_COMMAND
from holdfast.journal.database import database_at
from holdfast.platform.identity.values import Role
from tests.support.node import flips, until_node
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S, until

PASSWORD = "read it again with care"


def without_terminal() -> None:
    """In the child: a terminal that closes is another wish, and a runner may ignore SIGHUP."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_node_takes_the_level_of_its_log_in_every_process_and_trades_on(tmp_path: Path) -> None:
    asyncio.run(_node(tmp_path))


async def _node(folder: Path) -> None:
    async with scene(folder) as made:
        node = made.node(flips(("BTC/USDT",)))
        text = node.config.read_text(encoding="utf-8")
        node.config.write_text(f'log_level = "error"\n{text}')
        await node.start(before=without_terminal)
        await until_node(node, lambda: len(node.armed()) >= 2, "orders")
        assert not node.logged("order_placed")
        before = node.children()

        node.config.write_text(f'log_level = "loud"\n{text}')
        node.send(signal.SIGHUP)
        await until_node(node, lambda: bool(node.logged("reload_refused")), "a refusal")

        written = text.replace('name = "flip-btc"', 'name = "flip-other"')
        node.config.write_text(f'deployment = "other"\n{written}')
        node.send(signal.SIGHUP)
        await until_node(node, lambda: bool(node.logged("order_placed")), "the account's own lines")
        (told,) = node.logged("reloaded")
        steps = {one["setting"]: one["takes_effect"] for one in node.logged("reload_pending")}
        assert told["taken"] == {"log_level": '"info"'}
        assert told["pending"] == len(steps)
        assert steps == {"deployment": AT_START, "bots[0].name": BY_COMMAND}
        assert node.children() == before
        assert await node.stop() == 0


def test_an_api_answers_with_what_it_took_and_what_waits(tmp_path: Path) -> None:
    asyncio.run(_api(tmp_path))


async def _api(folder: Path) -> None:
    file, log = folder / "holdfast.toml", folder / "api.log"
    url = f"sqlite:///{folder}/journal.db"
    lines = f'database_url = "{url}"\nstate_dir = "{folder}"\n'
    file.write_text(f'log_level = "warning"\n{lines}')
    with log.open("wb") as told:
        api = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "holdfast", "api", "--config", str(file), "--json",
            stdout=asyncio.subprocess.PIPE, stderr=told, preexec_fn=without_terminal,
            env={**os.environ, "PORT": "0", "METRICS_PORT": "0"},
        )  # fmt: skip
    try:
        assert api.stdout is not None
        begun = await asyncio.wait_for(api.stdout.readline(), PATIENCE_S)
        with at_machine(database_at(url, folder), "test") as console:
            console.create("ada", Role.ADMIN, (), PASSWORD)
        at = f"{json.loads(begun)['listening']}/api/v1"
        file.write_text(f'log_level = "info"\ndeployment = "other"\n{lines}')
        assert await _answered(at) == (
            '"warning"', {"log_level": "with SIGHUP (`systemctl reload`), while it runs",
                          "deployment": AT_START},
        )  # fmt: skip
        api.send_signal(signal.SIGHUP)
        await until(lambda: b'"reloaded"' in log.read_bytes(), "the file read again", every_s=0.05)
        assert await _answered(at) == ('"info"', {"deployment": AT_START})
    finally:
        api.terminate()
        assert await asyncio.wait_for(api.wait(), PATIENCE_S) == 0


async def _answered(at: str) -> tuple[str, dict[str, str]]:
    """The level of the log in effect, and how each setting that waits takes effect."""
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        body = {"name": "ada", "password": PASSWORD}
        async with session.post(f"{at}/auth/sign-in", json=body) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(f"{at}/configuration", headers=headers) as answer:
            told: dict[str, Any] = await answer.json()
    holds = {one["key"]: one["value"] for one in told["settings"]}
    return holds["log_level"], {one["key"]: one["takes_effect"] for one in told["pending"]}
