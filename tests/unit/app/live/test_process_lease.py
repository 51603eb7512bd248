"""When an account's process begins to lead: what is wanted is not enough, the lease has to run, and
a key has to be taken."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from holdfast.app.live import process, upkeep
from holdfast.cluster.board import LocalBoard, Wanted
from tests.support.exchange import on_loop

SHOWN_WITHIN_S = 2.0  # how late an exchange may show in balances what it did


@on_loop
async def test_a_wish_that_a_hanging_keeper_left_is_not_taken_up_before_the_lease_runs() -> None:
    board = LocalBoard(lambda: 100)
    board.want("main", Wanted.LEAD)
    board.lease(50)  # ran out
    life: Any = SimpleNamespace(board=board, account="main")
    keys: Any = SimpleNamespace(is_awaited=False)
    waiting = asyncio.create_task(process._until_it_may_lead(life, keys))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    board.lease(150)
    async with asyncio.timeout(5):
        await waiting


@on_loop
async def test_who_has_no_key_that_is_taken_yet_leads_when_he_has_one() -> None:
    board = LocalBoard(lambda: 100)
    board.want("main", Wanted.LEAD)
    board.lease(150)
    life: Any = SimpleNamespace(board=board, account="main")
    keys: Any = SimpleNamespace(is_awaited=True)
    waiting = asyncio.create_task(process._until_it_may_lead(life, keys))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    keys.is_awaited = False
    async with asyncio.timeout(5):
        await waiting


def test_balances_are_compared_again_only_when_what_shows_late_has_shown() -> None:
    assert upkeep.COMPARE_SOON_S > SHOWN_WITHIN_S
