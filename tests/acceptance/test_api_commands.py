"""A bot's whole life over HTTP, on PostgreSQL: what the API is asked for, a real leader does.

Not here: the same by the command line (test_configuration), who may ask (tests/unit/api).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.domain.fact import Armed, CommandTaken, Filled
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.values import Role, Scope
from tests.acceptance.test_api import serving
from tests.support import postgres
from tests.support.node import ACCOUNT, Node, flips, until_node
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S

ACCOUNT_PATH = f"/accounts/{ACCOUNT}"
BOTS = f"{ACCOUNT_PATH}/bots"
GRID = {"low": "2999.2", "high": "2999.8", "cells": 2, "unit": "0.1"}
NEW = {
    "name": "net", "strategy": "grid", "symbols": ["ETH/USDT"], "timeframe": "1s", "params": GRID,
    "join_timeout_s": 0.6, "limits": {"max_orders_per_minute": 10_000},
}  # fmt: skip
WIDER = {**{k: v for k, v in NEW.items() if k != "name"}, "params": {**GRID, "unit": "0.2"}}


@contextmanager
def caller(node: Node) -> Iterator[httpx.Client]:
    """The API on the node's configuration, asked by a program that an administrator trusts."""
    store = node.database.platform()
    try:
        console = Console(store, "test")
        console.create("ada", Role.ADMIN, (), "seven quiet lanterns")
        token = console.create_token("ada", "test", tuple(Scope), None).secret
    finally:
        store.close()
    with (
        serving(node.folder) as (_, told),
        httpx.Client(
            base_url=f"{told['listening']}/api/v1", timeout=PATIENCE_S,
            headers={"Authorization": f"Bearer {token}"},
        ) as client,
    ):  # fmt: skip
        yield client


async def ask(client: httpx.Client, method: str, path: str, **given: Any) -> httpx.Response:
    """One request, off the loop that the exchange lives in; each its own key if it changes."""
    given.setdefault("headers", {})
    if method != "GET":
        given["headers"].setdefault("Idempotency-Key", secrets.token_hex(8))
    return await asyncio.to_thread(client.request, method, path, **given)


async def change(client: httpx.Client, method: str, path: str, **given: Any) -> dict[str, Any]:
    """Give a command; what became of it once the leader has taken it."""
    answer = await ask(client, method, path, **given)
    deadline_s = time.monotonic() + PATIENCE_S
    while answer.status_code == 202 or answer.json().get("state") == "waiting":
        assert time.monotonic() < deadline_s, answer.text
        answer = await ask(client, "GET", f"/commands/{answer.json()['command_id']}")
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    assert done["state"] == "taken", done
    return done


def units(node: Node, after_seq: int) -> set[Decimal]:
    """Quantities of what the bot bought behind a record."""
    return {
        record.fact.spec.quantity
        for record in node.records()[after_seq:]
        if isinstance(record.fact, Armed) and record.fact.bot == "net" and not record.fact.reduces
    }


@pytest.mark.slow
def test_a_bot_is_made_started_changed_and_removed_over_http(tmp_path: Path) -> None:
    async def scenario() -> None:
        with postgres.database() as store:
            await lived(tmp_path, store)

    asyncio.run(scenario())


async def lived(folder: Path, store: str) -> None:
    """From its making to its removal; afterwards nothing is doubled or lost."""
    async with scene(folder) as at:
        node = at.node(flips(["BTC/USDT"]), database=store)
        with caller(node) as client:
            await node.start()
            await until_node(node, lambda: bool(node.armed()), "a first order")

            once = {"Idempotency-Key": "made-once"}
            made = await change(client, "POST", BOTS, json=NEW, headers=once)
            again = await ask(client, "POST", BOTS, json=NEW, headers=once)
            assert again.json()["command_id"] == made["command_id"], "done only once"
            await change(client, "POST", f"{BOTS}/net/start")
            await until_node(node, lambda: bought(node), "a fill of the new bot")

            shown = await ask(client, "GET", f"{BOTS}/net")
            assert shown.json()["bot"]["condition"] == "running"
            old = {"If-Match": shown.headers["etag"]}
            put = await change(client, "PUT", f"{BOTS}/net", json=WIDER, headers={**old})
            await until_node(
                node, lambda: Decimal("0.2") in units(node, put["seq"]), "an order of 0.2"
            )
            stale = await ask(client, "PUT", f"{BOTS}/net", json=WIDER, headers={**old})
            assert stale.status_code == 412, stale.text

            shown = await ask(client, "GET", f"{BOTS}/net")
            seen = {"If-Match": shown.headers["etag"]}
            early = await ask(client, "DELETE", f"{BOTS}/net", headers={**seen})
            assert early.status_code == 409, early.text
            await change(client, "POST", f"{BOTS}/net/drain", json={"reason": "enough"})
            await until_node(node, lambda: is_flat(node), "the bot flat")
            await change(client, "POST", f"{BOTS}/net/stop", json={})
            await change(client, "DELETE", f"{BOTS}/net", headers={**seen})
            gone = await ask(client, "GET", f"{BOTS}/net")
            assert gone.status_code == 404
            orders = await ask(client, "GET", "/orders")
            assert {one["bot"] for one in orders.json()["items"]} == {"net", "flip-btc"}
        judgement = await at.ended_well(node)
        assert judgement.faults == []


@pytest.mark.slow
def test_of_two_changes_of_limits_that_wait_for_a_leader_the_second_is_refused(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with scene(tmp_path) as at:
            node = at.node(flips(["BTC/USDT"]))
            await node.start()
            with caller(node) as client:
                await until_node(node, lambda: bool(node.armed()), "a first order")
                await node.stop()
                seen = {"If-Match": (await ask(client, "GET", ACCOUNT_PATH)).headers["etag"]}
                kept = [
                    await ask(
                        client, "PUT", f"{ACCOUNT_PATH}/limits?wait_s=0", headers={**seen},
                        json={"max_order_notional": most},
                    )
                    for most in ("10000", "1000000")
                ]  # fmt: skip
                assert [answer.status_code for answer in kept] == [202, 202]
                await node.start()
                asked = [f"/commands/{answer.json()['command_id']}" for answer in kept]
                await until_node(node, lambda: len(taken(node)) == 2, "both looked at")
                found = [(await ask(client, "GET", path)).json() for path in asked]
                assert [one["state"] for one in found] == ["taken", "refused"]
                shown = (await ask(client, "GET", ACCOUNT_PATH)).json()
                assert shown["limits"]["max_order_notional"] == "10000"
            judgement = await at.ended_well(node)
            assert judgement.faults == []

    asyncio.run(scenario())


def taken(node: Node) -> list[CommandTaken]:
    """The commands that its leader looked at."""
    return [r.fact for r in node.records() if isinstance(r.fact, CommandTaken)]


def bought(node: Node) -> bool:
    """Whether something of the bot was executed."""
    return any(isinstance(r.fact, Filled) and r.fact.bot == "net" for r in node.records())


def is_flat(node: Node) -> bool:
    """Whether the bot holds nothing and has nothing resting."""
    state = node.state()
    return not state.bot("net").held("ETH/USDT") and not any(state.orders("ETH/USDT", "net"))
