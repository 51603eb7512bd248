"""A standby: what it does when the journal goes where it cannot follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from holdfast.app.live import follower as module
from holdfast.app.live.follower import Follower, OutgrownError, following
from holdfast.app.live.watch import Watch
from holdfast.config import Config, load
from holdfast.config.cluster import Cluster
from holdfast.domain.event import Event, QuoteSeen, Ticked
from holdfast.domain.fact import BotStarted, Opened
from holdfast.domain.market import NS_PER_S
from holdfast.domain.order import deployment_tag
from holdfast.errors import RetryableError
from holdfast.journal.record import Record
from holdfast.journal.writer import JournalWriter
from holdfast.simulation.loop import VirtualLoop
from holdfast.venues.port import ThrottledError, UnaskedError
from tests.support.exchange import on_loop
from tests.support.node import ACCOUNT, Node, flips
from tests.support.scene import scene
from tests.support.waiting import PATIENCE_S, until


@asynccontextmanager
async def unstarted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *symbols: str
) -> AsyncIterator[tuple[Node, Config]]:
    """An exchange, a node that was not started, and what it would be started with."""
    async with scene(folder) as made:
        node = made.node(flips(symbols or ("BTC/USDT",)))
        monkeypatch.setenv("NODE_KEY", node.key)
        monkeypatch.setenv("NODE_SECRET", "of-the-account")
        yield node, load(node.config, {}).for_account(ACCOUNT)


def test_a_bot_that_begins_elsewhere_is_followed_anew_and_nothing_behind_it_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with unstarted(tmp_path, monkeypatch) as (node, config), following(
            config, Watch(), {}
        ) as follower:
            (bot,) = follower.bots
            assert bot.first_bar is not None
            begun = BotStarted(
                bot=bot.name, config_version=1, config=follower.text(bot),
                anchor_ns=bot.first_bar.open_ns + NS_PER_S,
            )  # fmt: skip
            opened = Opened(
                account=ACCOUNT, deployment=deployment_tag("holdfast"), generation=1,
                reporting="USDT",
            )  # fmt: skip
            store = node.database.store()
            leader = JournalWriter(store, await store.acquire(ACCOUNT, "another"))
            await leader.append(opened, begun, begun)
            with pytest.raises(ExceptionGroup) as caught:
                await asyncio.wait_for(follower.run(), PATIENCE_S)
            assert caught.group_contains(OutgrownError)
            await store.close()

    asyncio.run(run())


def test_a_standby_has_its_lines_open_before_it_is_asked_to_lead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        both = unstarted(tmp_path, monkeypatch, "BTC/USDT", "ETH/USDT")
        async with both as (_, config), following(config, Watch(), {}) as follower:
            # Once for orders; and for open orders and trades of each symbol, side by side.
            assert len(follower.venue._queries._idle) == 2 * 2

    asyncio.run(run())


def timed(monkeypatch: pytest.MonkeyPatch) -> tuple[VirtualLoop, Any]:
    """A loop in virtual time, and a follower of which only what samples the clock is made."""
    loop = VirtualLoop()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=loop.time))
    follower: Any = Follower.__new__(Follower)
    follower.config = Config(cluster=Cluster(profile="fast"))
    follower.counts = SimpleNamespace(answered=lambda *_: None)
    follower.clock = SimpleNamespace(take=lambda _sample: None)
    follower.on_exchange = follower.on_reach = lambda _well: None
    follower.is_cut_off = follower.is_stuck = False
    follower._owning = asyncio.Event()
    return loop, follower


def test_who_leads_learns_of_a_cut_within_its_lease_and_asks_only_where_nothing_answers_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In virtual time, where a question takes none."""
    loop, follower = timed(monkeypatch)
    asked_s: list[float] = []
    is_cut = False

    async def ask() -> None:
        asked_s.append(loop.time())
        if is_cut:
            raise RetryableError("seen: no answer")
        follower._answered("market", "", 0.0)

    async def course() -> None:
        nonlocal is_cut
        sampling = asyncio.create_task(follower._sample_clock())
        await asyncio.sleep(8.04)
        assert len(asked_s) == 10, "a standby, once in each time of a lease"
        follower._owning.set()
        await asyncio.sleep(8.0)
        assert len(asked_s) == 10 + 20 - 1, "twice as often, from its next question on"
        for _ in range(10):
            follower._answered("order", "", 0.1)
            await asyncio.sleep(0.3)
        assert len(asked_s) == 29, "orders were answered"
        for _ in range(20):
            follower._answered("order", "", 0.1)
            await asyncio.sleep(0.3)
        assert len(asked_s) == 30, "its connection must not go cold"
        follower._answered("order", "", 0.1)
        is_cut = True
        await asyncio.sleep(0.75)
        assert not follower.is_cut_off
        await asyncio.sleep(0.5)
        assert follower.is_cut_off
        is_cut = False
        follower._owning.clear()
        await asyncio.sleep(2.0)
        assert not follower.is_cut_off
        is_cut = True
        count = len(asked_s)
        while len(asked_s) == count:
            await asyncio.sleep(0.01)
        assert not follower.is_cut_off, "a standby is not cut off by one question that failed"
        await asyncio.sleep(0.85)
        assert follower.is_cut_off
        sampling.cancel()

    follower.venue = SimpleNamespace(time=ask)
    with closing(loop):
        loop.run_until_complete(course())


def test_who_has_no_room_to_ask_takes_its_exchange_for_cut_off_as_little_as_its_exchange_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, follower = timed(monkeypatch)
    why: RetryableError = UnaskedError("seen: no rate budget")

    async def ask() -> None:
        raise why

    async def course() -> None:
        nonlocal why
        sampling = asyncio.create_task(follower._sample_clock())
        for _ in range(600):
            await asyncio.sleep(0.1)
            assert not follower.is_cut_off, "nothing was asked"
        why = ThrottledError("seen: HTTP 418")
        await asyncio.sleep(2.0)
        assert follower.is_cut_off, "another address may not be banned"
        sampling.cancel()

    follower._owning.set()
    follower.venue = SimpleNamespace(time=ask)
    with closing(loop):
        loop.run_until_complete(course())


def test_whether_the_exchange_answers_is_told_from_the_first_question_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    async def run() -> None:
        async with unstarted(tmp_path, monkeypatch) as (_, config):
            nowhere = msgspec.structs.replace(config.account.venue, rest_url="http://127.0.0.1:1")
            account = msgspec.structs.replace(config.account, venue=nowhere)
            cut = msgspec.structs.replace(config, account=account)
            with pytest.raises(RetryableError):
                async with following(cut, Watch(), {}, None, told.append):
                    pytest.fail("nothing answers there")
            assert told == [False]
            async with following(config, Watch(), {}, None, told.append):
                assert told == [False, True]

    asyncio.run(run())


def test_a_journal_that_cannot_be_read_is_told_once_and_not_at_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    def gone() -> list[Record]:
        nonlocal asked
        asked += 1
        raise RetryableError("seen: no server; expected: one; do: start it")

    async def run() -> None:
        async with unstarted(tmp_path, monkeypatch) as (_, config), following(
            config, Watch(), {}
        ) as follower:
            follower.fold.tail.since = lambda known, _most=0: (known, gone())  # type: ignore[assignment]
            looking = asyncio.create_task(follower._follow_journal())
            await until(lambda: asked > 5, "several looks")
            looking.cancel()

    asyncio.run(run())
    assert caplog.text.count("follow_wait") == 1


def test_what_the_exchange_sends_without_a_time_is_stamped_with_its_clock_and_not_the_machine_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []

    async def run() -> None:
        async with unstarted(tmp_path, monkeypatch) as (_, config), following(
            config, Watch(), {}
        ) as follower:
            monkeypatch.setattr(follower.clock, "earliest_ms", lambda: 7)
            monkeypatch.setattr(follower, "take", told.append)
            (bot,) = follower.bots
            hearing = asyncio.create_task(follower._follow_market(bot.timeframe_s))
            await until(lambda: any(isinstance(e, QuoteSeen) for e in told), "a quote")
            hearing.cancel()

    asyncio.run(run())
    assert {e.quote.at_ns for e in told if isinstance(e, QuoteSeen)} == {7_000_000}


@on_loop
async def test_time_passes_for_the_engine_that_may_act_by_the_exchange_s_clock() -> None:
    told: list[Event] = []
    follower: Any = SimpleNamespace(now_ns=lambda: 7, take=told.append, _owning=asyncio.Event())
    ticking = asyncio.create_task(Follower._tick(follower))
    await asyncio.sleep(0)  # its first turn
    assert not told, "nothing is due in a standby"
    follower._owning.set()
    await until(lambda: bool(told), "a tick")
    ticking.cancel()
    assert told[0] == Ticked(7)
