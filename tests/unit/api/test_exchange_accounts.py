"""Exchange accounts over HTTP: listed, added by reference and dropped, and never a secret in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_world import World, problem, world

PATH = "/api/v1/exchange-accounts"
SECOND = {
    "name": "second", "like": "main", "api_key": "env:SECOND_KEY", "api_secret": "file:/run/s",
}  # fmt: skip


async def names(made: World) -> list[str]:
    found = (await made.ask("GET", PATH, "ada")).raise_for_status().json()
    return [one["name"] for one in found["items"]]


def test_an_account_that_is_added_is_listed_and_audited_and_can_be_dropped(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with world(tmp_path) as made:
            assert await names(made) == ["main"]
            answer = await made.ask("POST", PATH, "ada", json=SECOND)
            shown: dict[str, Any] = answer.json()
            assert answer.status_code == 201
            assert shown["rest_url"] == "https://api.binance.com", "main's exchange"
            assert (shown["in_file"], shown["added_by"]) == (False, "user:ada")
            assert (shown["nodes"], shown["leader"], shown["left_out"]) == ([], None, "")
            assert await names(made) == ["main", "second"]
            audit = (await made.ask("GET", "/api/v1/audit", "ada")).json()["items"][0]
            assert audit["kind"] == "account_added"
            assert "env:SECOND_KEY" in audit["told"]
            assert (await made.ask("DELETE", f"{PATH}/second", "ada")).status_code == 204
            assert await names(made) == ["main"]

    asyncio.run(work())


def test_the_same_account_again_changes_nothing_and_another_of_its_name_is_refused(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with world(tmp_path) as made:
            await made.ask("POST", PATH, "ada", json=SECOND)
            head = made.audit_head()
            assert (await made.ask("POST", PATH, "ada", json=SECOND)).status_code == 201
            assert made.audit_head() == head
            other = {**SECOND, "api_key": "env:THIRD_KEY"}
            answer = await made.ask("POST", PATH, "ada", json=other)
            assert answer.status_code == 409
            assert "which user:ada added" in problem(answer)["detail"]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("wrong", "status", "told"),
    [
        ({"name": "main"}, 422, "more than once"),
        ({"like": "elsewhere"}, 422, "one of main"),
        ({"api_key": "env:BINANCE_API_KEY"}, 422, "more than once"),
        ({"api_secret": "env:SECOND_KEY"}, 422, "the same reference"),
        ({"name": "../x"}, 422, ""),
        ({"api_key": "AKIAsecret"}, 422, ""),
        ({"rest_url": "https://evil.example"}, 422, ""),
        ({"reconcile": "hope"}, 422, ""),
    ],
)
def test_an_account_that_cannot_be_is_refused_and_nothing_is_kept(
    tmp_path: Path, wrong: dict[str, str], status: int, told: str
) -> None:
    async def work() -> None:
        async with world(tmp_path) as made:
            answer = await made.ask("POST", PATH, "ada", json={**SECOND, **wrong})
            assert answer.status_code == status
            assert told in problem(answer)["detail"]
            assert await names(made) == ["main"]

    asyncio.run(work())


def test_what_stands_in_the_file_is_not_dropped_here(tmp_path: Path) -> None:
    async def work() -> None:
        async with world(tmp_path) as made:
            answer = await made.ask("DELETE", f"{PATH}/main", "ada")
            assert answer.status_code == 404
            assert "nodes' file" in problem(answer)["detail"]

    asyncio.run(work())
