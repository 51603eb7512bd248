"""Health says what is so, in time, and nothing of it to strangers that is not theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import UnreachableError
from tests.support.api_world import World, world


class Probe:
    """A dependency that answers, fails or hangs."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.hangs = False
        self.asked = 0

    async def ask(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(60)
        if self.fails is not None:
            raise self.fails


def within(folder: Path, work: Callable[[World], Awaitable[None]], **ports: Any) -> None:
    async def run() -> None:
        async with world(folder, **ports) as made:
            await work(made)

    asyncio.run(run())


def test_well_is_well_with_all_fields_that_tools_go_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_GIT_SHA", "3f2a91c")
    monkeypatch.setenv("HOLDFAST_BUILD_TIME", "2026-01-31T12:00:00Z")

    async def work(made: World) -> None:
        made.reads.conditions_told["last_order_at"] = datetime.now(UTC) - timedelta(seconds=7)
        for path in ("/health", "/api/health"):
            found = await made.client.get(path)
            body = found.json()
            assert found.status_code == 200
            assert body["status"] == "ok"
            assert body["services"] == {
                "database": "ok", "redis": "off", "exchange_apis": "ok",
            }  # fmt: skip
            assert set(body["checks"]) == {
                "database", "redis", "external_apis", "disk_space", "memory",
            }  # fmt: skip
            assert 7 <= body["seconds_since_last_order"] < 60
            assert body["exchange_connected"] is True
            assert body["redis_connected"] is None
            assert body["uptime"] >= 0
            assert body["version"]
            assert (body["git_sha"], body["build_time"]) == ("3f2a91c", "2026-01-31T12:00:00Z")
            assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
        assert (await made.client.get("/ready")).json() == {"ready": True}
        assert (await made.client.get("/health/redis")).json()["status"] == "off"

    within(tmp_path, work)


def test_without_the_database_it_is_down_and_alive(tmp_path: Path) -> None:
    database = Probe()
    database.fails = UnreachableError("seen: postgresql://holdfast@db.internal does not answer")

    async def work(made: World) -> None:
        for path, status in (
            ("/health", 503), ("/api/health", 503), ("/health/db", 503), ("/ready", 503),
            ("/livez", 200), ("/health/redis", 200),
        ):  # fmt: skip
            response = await made.client.get(path)
            assert response.status_code == status, path
            assert "db.internal" not in response.text
        _, details = await made.api.checkup.detailed()
        assert "db.internal" in details["database"]["why"]  # operators see it

    within(tmp_path, work, database=database)


def test_without_redis_or_the_exchange_it_goes_on_and_says_so(tmp_path: Path) -> None:
    redis = Probe()
    redis.fails = OSError("connection refused")

    async def work(made: World) -> None:
        made.reads.conditions_told["exchange_connected"] = False
        response = await made.client.get("/health")
        assert response.status_code == 200
        body = response.json()
        assert body["status"] == "degraded"
        assert body["redis_connected"] is False
        assert body["services"]["exchange_apis"] == "down"
        assert (await made.client.get("/health/redis")).status_code == 503
        assert (await made.client.get("/ready")).status_code == 200

    within(tmp_path, work, redis=redis)


def test_what_hangs_is_not_waited_for_and_is_asked_once_by_many(tmp_path: Path) -> None:
    database = Probe()
    database.hangs = True

    async def work(made: World) -> None:
        begun_s = time.monotonic()
        found = await asyncio.gather(*(made.client.get("/ready") for _ in range(20)))
        assert {response.status_code for response in found} == {503}
        assert database.asked <= 2
        assert time.monotonic() - begun_s < 10

    within(tmp_path, work, database=database)
