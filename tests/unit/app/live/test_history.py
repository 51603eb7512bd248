"""Bars that a bot has not seen: where they begin, holes in the stream, a symbol kept back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from holdfast.app.live import history
from holdfast.app.live.history import LONGEST_HISTORY_BARS, History
from holdfast.domain.event import BarClosed
from holdfast.domain.market import NS_PER_S, Bar
from holdfast.engine.bot import BotRuntime
from holdfast.errors import RetryableError
from holdfast.strategy import FLAT, Setup, Strategy, View, Wish
from holdfast.strategy.play import bars_of
from tests.support.engine_world import FREE_LIMITS
from tests.support.waiting import until

MINUTE_NS = 60 * NS_PER_S
BOTH = ("BTC/USDT", "ETH/USDT")
BTC = bars_of(range(100, 400))
ETH = bars_of(range(10, 310), symbol="ETH/USDT")


class Hourly(Strategy):
    """Waits for two whole hours of the last symbol."""

    def setup(self, on: Setup) -> None:
        self.hour = on.bars("1h", on.symbols[-1]).sma(2)

    def decide(self, now: View) -> Wish:
        return FLAT


class Shelf:
    """The exchange's bars: all that closed by `now_ns`; it is silent about some symbols."""

    def __init__(self, *bars: Bar) -> None:
        self.stored = bars
        self.now_ns = 0
        self.silent: set[str] = set()
        self.asked: list[tuple[str, int]] = []

    async def bars(self, symbol: str, timeframe_s: int, since_ns: int) -> list[Bar]:
        assert timeframe_s == 60
        self.asked.append((symbol, since_ns))
        await asyncio.sleep(0)
        if symbol in self.silent:
            raise RetryableError("silent")
        return [
            bar
            for bar in self.stored
            if bar.symbol == symbol and bar.open_ns >= since_ns and bar.close_ns <= self.now_ns
        ]

    def stream(
        self, symbols: tuple[str, ...], timeframe_s: int, traded: tuple[str, ...] = ()
    ) -> AsyncIterator[object]:
        raise NotImplementedError


class Desk:
    """A bot, and a history that feeds it; `decided` are the closes that it would decide at."""

    def __init__(self, shelf: Shelf, symbols: tuple[str, ...] = BOTH, anchor_ns: int = 0) -> None:
        self.bot = BotRuntime(
            "bot", Hourly(), symbols=symbols, timeframe_s=60, limits=FREE_LIMITS
        )
        self.shelf = shelf
        self.taken: list[Bar] = []
        self.decided: list[int] = []
        self.history = History(
            shelf,
            anchor_ns=lambda _bot: anchor_ns,
            now_ns=lambda: shelf.now_ns,
            is_live=lambda: True,
            take=self.take,
        )

    def take(self, event: BarClosed) -> None:
        before = self.bot.bars.get(event.bar.symbol)
        if self.bot.take(event.bar) and event.live:
            self.decided.append(self.bot.decides_ns)
        if self.bot.bars.get(event.bar.symbol) is not before:
            self.taken.append(event.bar)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.history.run())
        yield
        task.cancel()

    def seen(self, symbol: str) -> list[Bar]:
        return [bar for bar in self.taken if bar.symbol == symbol]


def hear(desk: Desk, bars: Iterable[Bar]) -> None:
    for bar in bars:
        desk.shelf.now_ns = max(desk.shelf.now_ns, bar.close_ns)
        desk.history.heard(bar, [desk.bot])


def test_a_new_bot_is_fed_what_its_longest_timeframe_needs_and_no_more() -> None:
    shelf = Shelf(*BTC, *ETH)
    shelf.now_ns = BTC[299].close_ns + 20 * NS_PER_S
    desk = Desk(shelf)
    asyncio.run(desk.history.catch_up(desk.bot))
    assert desk.bot.warmup_bars == 179
    assert desk.seen("BTC/USDT") == list(BTC[121:])
    assert desk.seen("ETH/USDT") == list(ETH[121:])
    assert desk.decided == [BTC[299].close_ns], "only at the newest, when it is in for both"


def test_a_bot_that_is_known_begins_at_its_anchor_but_not_before_the_longest_history() -> None:
    shelf = Shelf(*BTC)
    shelf.now_ns = BTC[299].close_ns
    desk = Desk(shelf, ("BTC/USDT",), anchor_ns=BTC[10].open_ns)
    asyncio.run(desk.history.catch_up(desk.bot))
    assert desk.taken[0] == BTC[10]
    shelf.now_ns += 10 * LONGEST_HISTORY_BARS * MINUTE_NS
    fresh = Desk(shelf, ("BTC/USDT",), anchor_ns=BTC[10].open_ns)
    asyncio.run(fresh.history.catch_up(fresh.bot))
    assert shelf.asked[-1][1] == shelf.now_ns - LONGEST_HISTORY_BARS * MINUTE_NS


def test_a_bar_that_does_not_follow_the_last_one_comes_with_those_between() -> None:
    async def run() -> Desk:
        desk = Desk(Shelf(*BTC), ("BTC/USDT",))
        async with desk.running():
            hear(desk, (*BTC[:130], *BTC[133:135]))
            assert desk.taken == list(BTC[:130])
            await until(lambda: desk.taken == list(BTC[:135]), "the bars that were missed")
            hear(desk, BTC[135:137])
        return desk

    desk = asyncio.run(run())
    assert desk.taken == list(BTC[:137])
    assert desk.shelf.asked == [("BTC/USDT", BTC[129].close_ns)]
    assert desk.decided[-3:] == [BTC[134].close_ns, BTC[135].close_ns, BTC[136].close_ns]


def test_a_symbol_that_is_not_told_is_asked_for_again_and_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "LONGEST_PAUSE_S", 0.001)
    monkeypatch.setattr(history, "PAUSE_S", 0.001)

    async def run() -> Desk:
        desk = Desk(Shelf(*BTC, *ETH))
        async with desk.running():
            hear(desk, (*BTC[:5], *ETH[:5]))
            desk.shelf.silent.add("ETH/USDT")
            hear(desk, (*BTC[7:9], *ETH[7:9]))
            asked = desk.shelf.asked
            await until(lambda: asked.count(("ETH/USDT", ETH[4].close_ns)) > 2, "asked again")
            assert desk.seen("BTC/USDT") == list(BTC[:9])
            assert desk.seen("ETH/USDT") == list(ETH[:5])
            desk.shelf.silent.clear()
            await until(lambda: desk.seen("ETH/USDT") == list(ETH[:9]), "told at last")
        return desk

    asyncio.run(run())


def test_after_an_interruption_every_symbol_is_asked_for() -> None:
    async def run() -> Desk:
        desk = Desk(Shelf(*BTC, *ETH))
        async with desk.running():
            hear(desk, (*BTC[:5], *ETH[:5]))
            desk.shelf.now_ns = BTC[8].close_ns
            desk.history.may_miss([desk.bot])
            await until(lambda: len(desk.taken) == 18, "what closed meanwhile")
        return desk

    desk = asyncio.run(run())
    assert {symbol for symbol, _ in desk.shelf.asked} == set(BOTH)


def test_while_one_symbol_waits_to_be_asked_for_again_another_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "PAUSE_S", 3600.0)

    async def run() -> None:
        desk = Desk(Shelf(*BTC, *ETH))
        async with desk.running():
            hear(desk, (*BTC[:5], *ETH[:5]))
            desk.shelf.silent.add("ETH/USDT")
            hear(desk, ETH[7:9])
            await until(lambda: desk.shelf.asked == [("ETH/USDT", ETH[4].close_ns)], "asked once")
            hear(desk, BTC[7:9])
            await until(lambda: desk.seen("BTC/USDT") == list(BTC[:9]), "what the other missed")

    asyncio.run(run())


def test_a_symbol_that_keeps_its_bot_waiting_is_told_once_and_once_that_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    desk = Desk(Shelf(*BTC, *ETH))

    def close(at: int, *symbols: str) -> None:
        """A close at which only these symbols have a bar; the others are waited for in vain."""
        hear(desk, [bar for bar in (BTC[at], ETH[at]) if bar.symbol in symbols])
        desk.bot.join()

    def told() -> list[tuple[str, str]]:
        records = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
        return [(one["action"], one["symbol"]) for one in records if "silent" in one["action"]]

    for at in range(3):
        close(at, *BOTH)
    assert told() == []
    for at in range(3, 8):
        close(at, "BTC/USDT")
    assert told() == [("silent", "ETH/USDT")]
    for at in range(8, 11):
        desk.take(BarClosed(ETH[at]))  # it was asked for
        close(at, "BTC/USDT")
    assert told() == [("silent", "ETH/USDT"), ("silent_over", "ETH/USDT")]
