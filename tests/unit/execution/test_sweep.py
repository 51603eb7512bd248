"""The sweep's loop ends when it is told to, at whatever moment that is."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.exchange import on_loop
from tests.support.execution_world import world

TURNS = 20


@pytest.mark.parametrize("turns", range(6))
def test_a_cancel_that_comes_together_with_news_is_not_swallowed(turns: int) -> None:
    @on_loop
    async def run() -> None:
        at = await world()
        loop = asyncio.create_task(at.sweep.run())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        at.sweep.hurry()
        for _ in range(turns):
            await asyncio.sleep(0)
        loop.cancel()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        ended = loop.done()
        loop.cancel()
        await asyncio.wait({loop})
        assert ended

    run()
