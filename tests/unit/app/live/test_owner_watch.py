"""A leader's lock: taken again where it was lost, and given up to who keeps it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast.app.live.owner_watch import LOOKS, hold
from holdfast.errors import FencedError, RetryableError
from tests.support.exchange import on_loop
from tests.support.waiting import until


class ScriptedOwner:
    """Answers each look with what is next; then it is held."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.looks = 0

    def hold(self) -> None:
        self.looks += 1
        if self.answers and (answer := self.answers.pop(0)) is not None:
            raise answer

    def release(self) -> None:
        """Nothing."""


@on_loop
async def test_who_only_asks_for_the_lock_ends_no_leader() -> None:
    asks = [FencedError("another's")] * (LOOKS - 1)
    owner = ScriptedOwner(*asks, None, *asks, RetryableError("no server"), None)
    holding = asyncio.create_task(hold(owner, 0.0))
    await until(lambda: owner.looks > 2 * LOOKS + 2, "looks")
    holding.cancel()
    assert (await asyncio.gather(holding, return_exceptions=True))[0].__class__ is (
        asyncio.CancelledError
    )


@on_loop
async def test_who_keeps_the_lock_has_displaced_its_leader() -> None:
    owner: Any = ScriptedOwner(*[FencedError("another's")] * LOOKS)
    with pytest.raises(FencedError, match="another's"):
        await hold(owner, 0.0)
