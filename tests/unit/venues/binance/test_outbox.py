"""What waits for a reader: in order, replaced where that is meant, and never without bound."""

from __future__ import annotations

import asyncio
import random

import pytest

from holdfast.venues.binance.feed import FeedLostError, Outbox, jittered_pause_s
from tests.support.waiting import PATIENCE_S


def test_items_come_out_in_order_and_a_replaced_one_in_its_old_place() -> None:
    async def scenario() -> None:
        outbox: Outbox[str] = Outbox(10)
        outbox.put("first")
        outbox.put("quote-1", instead_of="quote")
        outbox.put("second")
        outbox.put("quote-2", instead_of="quote")
        assert [await outbox.get() for _ in range(3)] == ["first", "quote-2", "second"]
        outbox.put("quote-3", instead_of="quote")
        assert await outbox.get() == "quote-3"

    asyncio.run(scenario())


def test_an_item_that_came_while_nobody_waited_is_there_at_once() -> None:
    async def scenario() -> None:
        outbox: Outbox[int] = Outbox(10)
        waiting = asyncio.ensure_future(outbox.get())
        await asyncio.sleep(0)
        outbox.put(1)
        outbox.put(2)
        assert await waiting == 1
        assert await asyncio.wait_for(outbox.get(), PATIENCE_S) == 2

    asyncio.run(scenario())


def test_a_reader_too_far_behind_costs_the_feed_its_connection() -> None:
    async def scenario() -> None:
        outbox: Outbox[int] = Outbox(2)
        outbox.put(1)
        outbox.put(2)
        with pytest.raises(FeedLostError, match="2 events"):
            outbox.put(3)
        outbox.put(4)
        assert await outbox.get() == 4

    asyncio.run(scenario())


def test_what_is_there_can_be_read_after_the_end() -> None:
    async def scenario() -> None:
        outbox: Outbox[int] = Outbox(2)
        outbox.put(1)
        outbox.end()
        assert [await outbox.get(), await outbox.get()] == [1, None]

    asyncio.run(scenario())


def test_pauses_double_with_jitter_up_to_a_longest_one() -> None:
    source = random.Random(1)
    pauses = [jittered_pause_s(attempt, source) for attempt in range(20)]
    assert all(
        longest / 2 <= pause <= longest
        for pause, longest in zip(
            pauses, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4] + [10.0] * 14, strict=True
        )
    )
