"""The images, built for real and run as the compose files run them: an exchange, two nodes, an API.

It takes minutes, so it is run when it is asked for. Not here: names of images (test_images), the
compose files themselves (test_compose).
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import BASE, Engine, make_base
from tests.support.waiting import PATIENCE_S

MOST_MB = 450
"""What may stand on the base image: 170 MB of it are Polars."""

NODE_PORT, OTHER_PORT, METRICS_PORT, API_PORT, EXCHANGE_PORT = 19191, 19192, 19193, 18080, 18900
MADE_OF = {"VERSION": "0.0.1-test", "GIT_SHA": "0123456789ab", "BUILD_TIME": "2026-01-31T12:00:00Z"}

CONFIG = f"""
deployment = "images"
state_dir = "/var/lib/holdfast"
database_url = "sqlite:////var/lib/holdfast/journal.db"
[account]
api_key = "file:/var/lib/holdfast/key"
api_secret = "file:/var/lib/holdfast/secret"
[account.venue]
rest_url = "http://127.0.0.1:{EXCHANGE_PORT}"
stream_url = "ws://127.0.0.1:{EXCHANGE_PORT}/stream"
ws_api_url = "ws://127.0.0.1:{EXCHANGE_PORT}/ws-api/v3"
[api]
hosts = ["localhost", "127.0.0.1"]
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    found = Engine()
    make_base(found, tmp_path_factory.mktemp("base"))
    for target in ("node", "api", "exchange"):
        found.build(target, f"holdfast-{target}:test", MADE_OF)
    return found


def until(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, what()
        time.sleep(0.5)


def got(url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


@pytest.mark.slow
def test_an_image_is_small_and_nobody_in_particular(engine: Engine) -> None:
    added_mb = engine.size_mb("holdfast-node:test") - engine.size_mb(BASE)
    assert added_mb <= MOST_MB
    asked = ("run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024",
             "--ulimit", "nproc=1024:1024", "--no-healthcheck")  # fmt: skip
    told = json.loads(engine.run(*asked, "holdfast-node:test", "--version", "--json"))
    assert (told["release"], told["git_sha"]) == ("0.0.1-test", "0123456789ab")
    assert told["build_time"] == "2026-01-31T12:00:00Z"
    inside = "id -u; command -v gcc pip uv node; find / -xdev -perm -4000 -user 10001 2>&-; true"
    assert engine.run(*asked, "--entrypoint", "sh", "holdfast-node:test", "-c", inside) == "10001"


@pytest.mark.slow
def test_the_essential_parts_run_and_a_node_hands_over_when_it_is_stopped(
    engine: Engine, tmp_path: Path
) -> None:
    folder, market = tmp_path / "state", tmp_path / "market"
    for each in (folder, market):
        each.mkdir()
        os.chown(each, 10001, 10001)
    exchange = ["exchange", "serve", "--port", str(EXCHANGE_PORT), "--synthetic", "--rate", "5"]
    with engine.running("holdfast-exchange:test", "hf-exchange", market, *exchange):
        until(lambda: reached(f"http://127.0.0.1:{EXCHANGE_PORT}/api/v3/ping"),
              lambda: engine.logs("hf-exchange"))  # fmt: skip
        made = got(f"http://127.0.0.1:{EXCHANGE_PORT}/admin/accounts", {"balances": {"USDT": "1"}})
        for name, text in (("key", made["apiKey"]), ("secret", made["secret"]),
                           ("holdfast.toml", CONFIG)):  # fmt: skip
            (folder / name).write_text(text, encoding="utf-8")
        config = ("--config", "/var/lib/holdfast/holdfast.toml")
        node = ("holdfast-node:test", "hf-node-1", folder, "node", *config)
        other = ("holdfast-node:test", "hf-node-2", folder, "node", *config)
        with engine.running(*node, METRICS_PORT=str(NODE_PORT)):
            until(lambda: "trading" in engine.logs("hf-node-1"), lambda: engine.logs("hf-node-1"))
            api = ("holdfast-api:test", "hf-api", folder, "api", *config)
            with (
                engine.running(*other, METRICS_PORT=str(OTHER_PORT)),
                engine.running(*api, PORT=str(API_PORT), METRICS_PORT=str(METRICS_PORT)),
            ):
                base = f"http://127.0.0.1:{API_PORT}"
                until(lambda: reached(f"{base}/ready"), lambda: engine.logs("hf-api"))
                assert got(f"{base}/health")["git_sha"] == "0123456789ab"
                until(lambda: "following" in engine.logs("hf-node-2"),
                      lambda: engine.logs("hf-node-2"))  # fmt: skip
                assert engine.stop("hf-node-1", within_s=30) == 0
                until(lambda: "trading" in engine.logs("hf-node-2"),
                      lambda: engine.logs("hf-node-2"))  # fmt: skip


def reached(url: str) -> bool:
    try:
        got(url)
    except OSError:
        return False
    return True
