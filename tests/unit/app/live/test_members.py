"""An account that is moved by plan, as whoever asked for it waits: another may ask meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from holdfast.app.live import members
from holdfast.app.live.opening import open_stream
from holdfast.cluster.memory import MemoryLeases
from holdfast.cluster.port import Claim
from holdfast.config import Config
from holdfast.domain.fact import AnyFact, Reconciled, Rested, TookOver
from holdfast.errors import ConfigError, UnreachableError
from holdfast.journal.database import SqliteDatabase
from holdfast.journal.record import Record
from tests.support.exchange import on_loop
from tests.support.leases import member
from tests.support.waiting import PATIENCE_S

NODE = members.Node("b", "b", 1, "0.1.0", is_live=True, leads=())


@asynccontextmanager
async def cluster(tmp_path: Path, *names: str) -> AsyncIterator[tuple[MemoryLeases, Config]]:
    """Members that renew, of which the first leads, and a journal that nobody writes."""
    path, store = tmp_path / "journal.db", MemoryLeases()
    stream = await open_stream(
        SqliteDatabase(path), account="main", deployment="test", reporting="USDT"
    )
    await stream.close()
    for name in names:
        await store.join(member(name))
    await store.take(names[0], (await store.view()).claims, None)

    async def renew() -> None:
        while True:
            for name in names:
                await store.renew(name)
            await asyncio.sleep(0.01)

    renewing = asyncio.create_task(renew())
    try:
        yield store, Config(database_url=f"sqlite:///{path}", state_dir=str(tmp_path))
    finally:
        renewing.cancel()


async def claim_of(store: MemoryLeases) -> Claim:
    return (await store.view()).claims[0]


async def planned(store: MemoryLeases, wanted: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await claim_of(store)).wanted != wanted:
            await asyncio.sleep(0.01)


@on_loop
async def test_who_waits_is_told_when_somebody_plans_otherwise_whose_plan_stays(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, "a", "b", "c") as (store, config):
        asked = members._hand_over(store, config, "main", "b", PATIENCE_S)
        first = asyncio.create_task(asked)
        await planned(store, "b")
        await store.plan("main", "c")
        with pytest.raises(UnreachableError, match="planned otherwise"):
            await asyncio.wait_for(first, PATIENCE_S)
        assert (await claim_of(store)).wanted == "c"


@on_loop
async def test_who_gives_up_waiting_calls_its_own_plan_off_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a", "b", "c") as (store, config):
        with pytest.raises(UnreachableError, match="not led by b within"):
            await members._hand_over(store, config, "main", "b", 0.1)
        assert (await claim_of(store)).wanted == ""

        async def late(_store: MemoryLeases, _account: str) -> Claim:
            return Claim("main", "a", 1, wanted="b")

        monkeypatch.setattr(members, "_claim_of", late)  # the other plan came after this look
        waiting = asyncio.create_task(members._hand_over(store, config, "main", "b", 0.5))
        await planned(store, "b")
        await store.plan("main", "c")
        with pytest.raises(UnreachableError, match="not led by b within"):
            await waiting
        assert (await claim_of(store)).wanted == "c"


def written(*facts: AnyFact) -> list[Record]:
    """A record each millisecond."""
    return [Record(1, seq, 1, seq * 1_000_000, fact) for seq, fact in enumerate(facts, 1)]


def took_over(node: str) -> TookOver:
    return TookOver(node=f"{node}:9", boot_id="9-1", version="0.1.0")


RESTED, READY = Rested(boot_id="1-1", why="handover"), Reconciled(agreed=True)


def test_an_account_has_moved_when_the_node_that_was_asked_for_is_ready() -> None:
    moved = written(RESTED, took_over("b"), READY)
    assert members._done("main", NODE, moved[:2]) is None
    assert members._done("main", NODE, moved) == members.Handover("main", "b", 2, 2.0)
    assert members._done("main", NODE, written(RESTED, took_over("c"), READY)) is None


def test_the_gap_is_that_of_the_last_move_whoever_led_before() -> None:
    by_c_first = written(RESTED, took_over("c"), READY, RESTED, took_over("b"), READY)
    assert members._done("main", NODE, by_c_first) == members.Handover("main", "b", 5, 2.0)
    c_died = written(RESTED, took_over("c"), READY, took_over("b"), READY)
    assert members._done("main", NODE, c_died) == members.Handover("main", "b", 4, None)


def test_a_node_without_a_name_is_known_by_its_machine_and_process() -> None:
    unnamed = members.Node("host-7", "x", 7, "0.1.0", is_live=True, leads=())
    assert members._is_by(took_over("host"), unnamed)
    assert not members._is_by(took_over("other"), unnamed)


def a_node(name: str, version: str, *leads: str) -> members.Node:
    return members.Node(name, f"{name}-1", 1, version, True, leads, accounts=("main",))


def test_a_version_stands_for_its_nodes_where_no_node_is_called_so() -> None:
    old, new, newer = a_node("a", "0.1.0", "main"), a_node("b", "0.2.0"), a_node("c", "0.2.0")
    heirs = members._heirs([old, new, newer], "main", "0.2.0")
    assert (heirs.plan, set(heirs.nodes)) == ("any:0.2.0", {"b-1", "c-1"})
    called_so = a_node("0.2.0", "0.1.0")
    assert members._heirs([old, new, called_so], "main", "0.2.0").plan == "0.2.0-1"
    with pytest.raises(ConfigError, match=r"a, version 0.1.0, leads main already"):
        members._heirs([old, new], "main", "0.1.0")
    with pytest.raises(ConfigError, match=r"expected: one of a \(0.1.0\), b \(0.2.0\)"):
        members._heirs([old, new], "main", "0.3.0")
    with pytest.raises(ConfigError, match="none of that version which may lead other"):
        members._heirs([old, new], "other", "0.2.0")


@on_loop
async def test_who_asks_for_a_version_is_told_which_node_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cluster(tmp_path, "a", "b") as (store, config):
        found = await members._nodes(store, config, 0.05)
        versions = {"a": "0.1.0", "b": "0.2.0"}
        found = [msgspec.structs.replace(one, version=versions[one.name]) for one in found]

        async def nodes(_store: MemoryLeases, _config: Config) -> list[members.Node]:
            return found

        monkeypatch.setattr(members, "_nodes", nodes)
        asked = members._hand_over(store, config, "main", "0.2.0", PATIENCE_S)
        waiting = asyncio.create_task(asked)
        await planned(store, "any:0.2.0")
        assert await store.plan("main", "b", instead_of="any:0.2.0")
        moved = written(RESTED, took_over("b"), READY)
        monkeypatch.setattr(SqliteDatabase, "read", lambda *_: moved)
        assert (await asyncio.wait_for(waiting, PATIENCE_S)).node == "b"
        monkeypatch.setattr(SqliteDatabase, "read", lambda *_: [])
        with pytest.raises(UnreachableError, match=r"not led by a node of version 0.2.0"):
            await members._hand_over(store, config, "main", "0.2.0", 0.1)
        assert (await claim_of(store)).wanted == ""
