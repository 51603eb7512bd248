"""The overview of who may see an account as a whole, a bot of it, or nothing.

Not here: lists (test_lists).
"""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.live.members import Node
from holdfast.app.view.model import Model
from holdfast.app.view.prices import Seen
from holdfast.app.view.reads import ViewReads
from holdfast.config import Account, Config
from holdfast.domain.fact import BotStarted, BotStopped
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.identity.values import Grant, Principal, Role
from tests.support.exchange import on_loop
from tests.support.report_stream import ACCOUNT, BEGIN, ns, opening, write

CONFIG = '{"strategy":"s","symbol":"BTC/USDT"}'


def viewer(*grants: Grant) -> Principal:
    return Principal(
        user_id="2", name="vera", role=Role.VIEWER, scopes=Role.VIEWER.scopes, grants=grants
    )


async def reads_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ViewReads:
    """Of an account that node-1 leads, with fresh prices, whose bot `two` has failed."""
    database = SqliteDatabase(folder / "journal.db")
    at_ns = ns(BEGIN) + 1
    started = BotStarted(bot="one", config_version=2, config=CONFIG, anchor_ns=0)
    failed = BotStopped(bot="two", reason="it raised", failed=True)
    await asyncio.to_thread(write, database, [opening(), (at_ns, (started, failed))])
    model = Model(Config(database_url=f"sqlite:///{database.name}"), database)
    await model.journals.look()
    node = Node(
        name="node-1", boot_id="b1", pid=1, version="1", is_live=True, leads=(ACCOUNT,)
    )  # fmt: skip
    monkeypatch.setattr(model.nodes, "_seen", (node,))
    model.last["BTC/USDT"] = Seen(Decimal(50_000), time.time_ns(), time.monotonic())
    nothing: Any = None
    return ViewReads(model, nothing, nothing, nothing, folder)


@on_loop
async def test_who_has_single_bots_can_follow_on_from_the_overview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = await reads_of(tmp_path, monkeypatch)
    (seq,) = [followed.state.seq for followed in reads._model.journals.accounts.values()]
    overview = await reads.overview(viewer(Grant(ACCOUNT, "one")))
    assert overview.accounts == ()
    assert overview.positions == {ACCOUNT: seq}
    assert (await reads.overview(viewer(Grant("other")))).positions == {}


@on_loop
async def test_the_sentence_is_of_the_bots_of_who_has_no_whole_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = await reads_of(tmp_path, monkeypatch)

    async def sentence(*grants: Grant) -> str:
        return (await reads.overview(viewer(*grants))).sentence

    assert (await sentence(Grant(ACCOUNT))).startswith("two failed")
    assert (await sentence(Grant(ACCOUNT, "two"))).startswith("two failed")
    assert (await sentence(Grant(ACCOUNT, "one"))).startswith("Trading normally. node-1 leads.")
    assert (await sentence()).startswith("No account and no bot is yours")
    monkeypatch.setattr(reads._model.nodes, "_seen", ())
    assert (await sentence(Grant(ACCOUNT, "one"))).startswith("Nobody leads main.")


@on_loop
async def test_an_account_that_was_dropped_is_history_and_nobody_misses_its_leader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = await reads_of(tmp_path, monkeypatch)
    model, who = reads._model, viewer(Grant(ACCOUNT))
    monkeypatch.setattr(model.nodes, "_seen", ())
    model.configure(model.config, dropped={ACCOUNT})
    of_the_file = await reads.overview(who)
    assert of_the_file.sentence.startswith("Nobody leads main.")
    model.configure(Config(account=Account(name="other")), dropped={ACCOUNT})
    overview = await reads.overview(who)
    assert "main" not in overview.sentence
    assert (overview.accounts, await reads.accounts(who)) == ((), ())
    assert (await reads.account(who, ACCOUNT)).account.name == ACCOUNT, "what was stays to be seen"
