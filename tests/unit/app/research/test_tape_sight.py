"""What a strategy sees in a backtest over recorded trades and books: what was known, and as live.

Not here: what its orders come to (test_tape_backtest).
"""

from __future__ import annotations

import gzip
import heapq
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.research.front import backtest
from holdfast.domain.event import BarClosed, BookSeen, Ticked, TradeSeen
from holdfast.domain.market import Trade
from holdfast.engine.bot import BotRuntime
from holdfast.errors import ConfigError
from holdfast.lab.result import Result
from holdfast.market.orderbook import Diff, OrderBook, Snapshot
from holdfast.strategy import KEEP, Setup, Strategy, Target, View, Wish
from tests.support.books import MS, BookByHand, halved, raw_book
from tests.support.engine_world import World
from tests.support.recordings import recording
from tests.support.tape_runs import RAW, Often, S, on_tape, prints, table

D = Decimal


def test_at_each_moment_it_sees_the_book_and_the_trade_that_were_known_before_it() -> None:
    log: list[Any] = []
    on_tape(Often(looks=True, every="200ms", log=log), depth=recording(RAW), depth_fallback=True)
    book = BookByHand(recording(RAW))
    begins_ms = book.changes[0]["E"]
    for earlier, later in pairwise(one[0] for one in log):
        # A second without a trade has no bar, and its close, at which bars ask, asks nobody.
        assert later - earlier == 200 * MS or (earlier + 200 * MS) % S == 0
    at = -1
    for at_ns, bids, asks, price, quantity in log:
        while at + 1 < len(prints()) and prints()[at + 1].at_ms * MS < at_ns:
            at += 1
        assert (price, quantity) == (prints()[at].price, prints()[at].quantity)
        if at_ns // MS <= begins_ms + 1000:
            continue
        sides = book.at((at_ns - 1) // MS)
        for shown, side, reverse in ((bids, "bids", True), (asks, "asks", False)):
            levels = ((p, q) for p, q in sides[side].items() if q)
            best = heapq.nlargest(7, levels) if reverse else heapq.nsmallest(7, levels)
            assert shown == tuple(best), at_ns
    assert len(log) > 1500


def test_what_is_recorded_later_changes_nothing_earlier(tmp_path: Path) -> None:
    lines = gzip.decompress(recording(RAW).read_bytes()).splitlines(keepends=True)
    cut = len(lines) // 2
    while b'"e":"trade"' not in lines[cut]:
        cut += 1
    told_ms = int(lines[cut].split(b'"T":')[1][:13])
    rest = [line for line in lines[cut:] if b'"e":"trade"' not in line or b'"m":true' in line]
    changed = tmp_path / "changed.gz"
    changed.write_bytes(gzip.compress(b"".join([*lines[:cut], *map(halved, rest)]), 1))
    runs: list[Result] = []
    logs: list[list[Any]] = []
    for path in (recording(RAW), changed):
        logs.append([])
        strategy = Often(looks=True, every="500ms", log=logs[-1])
        runs.append(on_tape(strategy, trades=path, depth=path, depth_fallback=True))
    early = [[one for one in found.executions if one.at_ns < told_ms * MS] for found in runs]
    assert early[0] == early[1]
    assert len(early[0]) > 60
    assert runs[0].executions != runs[1].executions
    seen = [[one for one in log if one[0] <= told_ms * MS] for log in logs]
    assert seen[0] == seen[1]
    assert logs[0] != logs[1]


def test_live_the_engine_shows_the_same_at_each_moment() -> None:
    """The events of a live engine in the order of the market: what is decided on is the same."""
    late: list[Any] = []
    on_tape(Often(looks=True, every="500ms", log=late), depth=recording(RAW), depth_fallback=True)
    live: list[Any] = []
    strategy = Often(looks=True, trades=False, every="500ms", log=live)
    runtime = BotRuntime(
        "live", strategy, symbols=["BTC/USDT"], timeframe_s=1, limits=World().bots[0].limits
    )
    world = World(runtime)
    for event in live_events():
        world.engine.step(event)
    expected = {at_ns: seen for at_ns, *seen in late}
    compared = [(seen, expected[at_ns]) for at_ns, *seen in live if at_ns in expected]
    assert len(compared) > 600
    assert all(seen == other for seen, other in compared)


def live_events() -> list[Any]:
    """Trades, books, bars and ticks as a node is told them, at the exchange's times."""
    events: list[tuple[int, int, Any]] = [
        (one.at_ms * MS, 2, TradeSeen(Trade(one.at_ms * MS, "BTC/USDT", one.price, one.quantity,
                                            buyer_is_maker=one.sold)))
        for one in prints()
    ]  # fmt: skip
    book = OrderBook("BTC/USDT")
    waiting = None
    for kind, message in raw_book(recording(RAW)):
        if kind == "snapshot":
            sides = [tuple((D(p), D(q)) for p, q in message[side]) for side in ("bids", "asks")]
            waiting = Snapshot(message["lastUpdateId"], *sides)
            continue
        sides = [tuple((D(p), D(q)) for p, q in message[side]) for side in "ba"]
        diff = Diff(message["E"] * MS, message["U"], message["u"], *sides)
        if waiting is not None and not book.is_known:
            book.restore(waiting)
        book.apply(diff)
        if book.is_known and book.last_id == diff.last_id:
            events.append((diff.at_ns, 3, BookSeen(book.best(10))))
    columns = table().columns()
    for at in range(len(columns)):
        bar = columns.bar(at)
        events.append((bar.close_ns, 0, BarClosed(bar)))
    first, last = events[0][0] // S, events[-1][0] // S
    events += [(n * 100 * MS, 1, Ticked(n * 100 * MS)) for n in range(first * 10, last * 10)]
    return [event for _, _, event in sorted(events, key=lambda one: one[:2])]


class Counting(Strategy):
    """Buys one more at each moment that it is asked at, and remembers how often that was."""

    class Memory(msgspec.Struct):
        asked: int = 0

    def setup(self, on: Setup) -> None:
        self.news = on.signal("news")
        on.every("2s")

    def decide(self, now: View) -> tuple[Wish, Memory]:
        memory = now.memory
        memory.asked += 1
        if not self.news.ready:
            return KEEP, memory
        return Target(quantity=D(memory.asked)), memory


def test_signals_and_memory_are_what_they_are_everywhere(tmp_path: Path) -> None:
    news = tmp_path / "news.jsonl"
    at = "2024-08-08T23:55:01Z"
    news.write_text(f'{{"known_at": "{at}", "value": 1}}\n')
    found = on_tape(Counting(), "10s", signals={"news": news})
    first = found.executions[0]
    begins_ms = found.bars.open_ns[0] // MS
    asked_ms = list(range(begins_ms + 10_000, prints()[-1].at_ms, 2_000))
    heard_ms = next(at_ms for at_ms in asked_ms if at_ms >= 1723161301000)
    assert first.quantity == asked_ms.index(heard_ms) + 1
    assert first.at_ns // MS == next(one.at_ms for one in prints() if one.at_ms >= heard_ms)


def test_who_looks_at_books_needs_books() -> None:
    for trades, depth in ((recording(RAW), None), (None, recording(RAW))):
        with pytest.raises(ConfigError, match=r"without recorded trades and order books"):
            backtest(Often(looks=True), table(), trades=trades, depth=depth)
