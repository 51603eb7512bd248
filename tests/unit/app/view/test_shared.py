"""One answer for all who ask the same: worked out once, anew after a change, no old failure."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.app.view.shared import MOST, Shared
from tests.support.exchange import on_loop


class Work:
    """Numbers its answers; the next one fails when told so."""

    def __init__(self) -> None:
        self.begun = 0
        self.fails = False
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.fails:
            raise OSError("gone")
        return number


@on_loop
async def test_who_asks_meanwhile_and_afterwards_is_given_the_same() -> None:
    shared, work = Shared[int](), Work()
    work.may_end.clear()
    asked = [asyncio.create_task(shared.answer("a", 1, work)) for _ in range(5)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    work.may_end.set()
    assert await asyncio.gather(*asked[1:]) == [1] * 4, "one gave up, the others did not"
    assert await shared.answer("a", 1, work) == 1
    assert await shared.answer("b", 1, work) == 2, "another question"
    assert await shared.answer("a", 2, work) == 3, "something has changed"


@on_loop
async def test_a_failure_is_told_to_all_who_wait_and_to_nobody_later() -> None:
    shared, work = Shared[int](), Work()
    work.fails = True
    found = await asyncio.gather(
        *(shared.answer("a", 1, work) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in found] == [OSError] * 3
    assert work.begun == 1
    work.fails = False
    assert await shared.answer("a", 1, work) == 2


@on_loop
async def test_what_nobody_asked_for_lately_is_forgotten() -> None:
    shared, work = Shared[int](), Work()
    first = await shared.answer("first", 1, work)
    for number in range(MOST - 1):
        await shared.answer(number, 1, work)
    assert await shared.answer("first", 1, work) == first
    await shared.answer("one more", 1, work)
    begun = work.begun
    assert await shared.answer("first", 1, work) == first, "asked for again before the others"
    assert await shared.answer(0, 1, work) == begun + 1


@on_loop
async def test_a_late_failure_of_an_older_answer_takes_nothing_away() -> None:
    shared, old, new = Shared[int](), Work(), Work()
    old.may_end.clear()
    old.fails = True
    waiting = asyncio.create_task(shared.answer("a", 1, old))
    await asyncio.sleep(0)
    assert await shared.answer("a", 2, new) == 1
    old.may_end.set()
    with pytest.raises(OSError, match="gone"):
        await waiting
    assert await shared.answer("a", 2, new) == 1
