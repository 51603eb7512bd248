"""Who leads, as the lease store tells it: what is old says nothing of now.

Not here: telling it to readers (test_feeds).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from holdfast.app.view import journals as journals_module
from holdfast.app.view.cluster import LOOK_S, MISSED, Nodes
from holdfast.app.view.model import Model
from holdfast.app.view.sentence import Tone
from holdfast.cluster.port import Claim, Member, Seen, View
from holdfast.cluster.timing import Timing
from holdfast.config import Config
from holdfast.config.cluster import Cluster
from holdfast.errors import RetryableError
from holdfast.journal.database import SqliteDatabase
from tests.support.exchange import on_loop
from tests.support.report_stream import ACCOUNT, opening, write

NODE = Member(
    boot_id="b1", node="node-1", host="h", pid=1, started=0, version="1", accounts=(ACCOUNT,)
)
LED = View((Seen(NODE, 1),), (Claim(ACCOUNT, "b1", 1),))


async def _refuses() -> View:
    raise RetryableError("seen: no answer")


async def _hangs() -> View:
    return await asyncio.Event().wait()  # type: ignore[return-value]


class Store:
    """Answers once, and then as it is told to."""

    def __init__(self, then: Callable[[], Awaitable[View]]) -> None:
        self._then = then
        self._asked = 0

    async def view(self) -> View:
        self._asked += 1
        return LED if self._asked == 1 else await self._then()

    async def close(self) -> None:
        pass


@asynccontextmanager
async def watching(nodes: Nodes) -> AsyncIterator[None]:
    running = asyncio.create_task(nodes.run())
    try:
        await asyncio.sleep(0.1)
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def model_of(folder: Path) -> Model:
    """Of a journal that was read, with two bots; nodes renew ten times a second."""
    database = SqliteDatabase(folder / "journal.db")
    await asyncio.to_thread(write, database, [opening()])
    times = Timing(renew_s=0.1, ttl_s=0.8, call_s=0.1)
    config = Config(database_url=f"sqlite:///{database.name}", cluster=Cluster(times=times))
    model = Model(config, database)
    await model.journals.look()
    return model


@pytest.mark.parametrize("then", [_refuses, _hangs])
@on_loop
async def test_nobody_leads_by_what_a_store_said_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: Callable[[], Awaitable[View]]
) -> None:
    monkeypatch.setattr("holdfast.app.view.cluster.lease_store_at", lambda *_: Store(then))
    model = await model_of(tmp_path)
    accounts = list(model.journals.accounts.values())
    async with watching(model.nodes):
        assert model.nodes.leader_of(ACCOUNT) == "node-1"
        await asyncio.sleep(MISSED * model.config.cluster.timing.renew_s + LOOK_S)
        assert model.nodes.leader_of(ACCOUNT) is None
        assert [(node.name, node.is_live) for node in model.nodes.all] == [("node-1", False)]
        sentence, tone = model.says(accounts)
        assert tone is Tone.BAD
        assert "who leads is not known" in sentence


@on_loop
async def test_a_journal_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals_module, "PATIENCE_S", 0.2)
    model = await model_of(tmp_path)
    accounts = list(model.journals.accounts.values())
    assert "Nobody leads" in model.says(accounts)[0]

    def gone() -> None:
        raise RetryableError("seen: no answer")

    monkeypatch.setattr(model.journals._tail, "heads", gone)
    await asyncio.sleep(0.25)
    await model.journals.look()
    sentence, tone = model.says(accounts)
    assert (tone, "journal was not read" in sentence) == (Tone.BAD, True)
