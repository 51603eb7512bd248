"""Backtests over recorded trades and books, against calculations on the raw messages that share no
code with them."""

from __future__ import annotations

import gzip
import heapq
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from holdfast.app.markets.data import BarTable, load
from holdfast.app.research.front import backtest
from holdfast.app.research.simulated import Run
from holdfast.app.research.tape_backtest import TapeBacktest
from holdfast.domain.event import BarClosed, BookSeen, Ticked, TradeSeen
from holdfast.domain.fill import Fill
from holdfast.domain.market import BarColumns, Trade
from holdfast.engine.bot import BotRuntime
from holdfast.errors import ConfigError, RejectedError
from holdfast.lab.result import Result
from holdfast.lab.settlement import Terms
from holdfast.market.orderbook import Diff, OrderBook, Snapshot
from holdfast.market.tape import Tape
from holdfast.strategy import (
    FLAT,
    KEEP,
    Percent,
    Setup,
    Strategy,
    Target,
    View,
    Wish,
)
from holdfast.strategy.shipped.sma_cross import SmaCross
from tests.support.books import MS, BookByHand, halved, raw_book
from tests.support.engine_world import BTC, World
from tests.support.recordings import recording

D = Decimal
S = 1_000_000_000
RAW = "ticks/binance-raw-ws/spot_btcusdt_20240808.gz"
ETH_RAW = "ticks/binance-raw-ws/spot_ethusdt_20240808.gz"


class Print(NamedTuple):
    """A recorded trade, as its message says."""

    at_ms: int
    price: Decimal
    quantity: Decimal
    sold: bool


@cache
def prints(name: str = RAW) -> list[Print]:
    found = []
    with gzip.open(recording(name), "rt") as lines:
        for line in lines:
            data = json.loads(line.partition(" ")[2]).get("data", {})
            if data.get("e") == "trade":
                found.append(Print(data["T"], D(data["p"]), D(data["q"]), data["m"]))
    return found


@cache
def table(name: str = RAW, timeframe: str = "1s") -> BarTable:
    return load(recording(name), timeframe=timeframe)


def on_tape(strategy: Strategy, timeframe: str = "1s", **options: Any) -> Result:
    chosen = {"cash": 10_000_000, "fee_bps": 0, "trades": recording(RAW), **options}
    return backtest(strategy, table(timeframe=timeframe), **chosen)


class Often(Strategy):
    """Long at every other close, so much by the second; writes down what it saw, if anything."""

    looks: bool = False
    trades: bool = True
    every: str = ""
    log: Any = None

    def setup(self, on: Setup) -> None:
        self.on = on
        if self.looks:
            on.book(levels=7)
            on.trades()
        if self.every:
            on.every(self.every)

    def decide(self, now: View) -> Wish:
        if self.looks:
            (book,), (last,) = self.on.books.values(), self.on.last_trades.values()
            self.log.append((now.time_ns, book.bids, book.asks, last.price, last.quantity))
        wanted = often(now.time_ns)
        if wanted is None or not self.trades:
            return KEEP
        return Target(quantity=wanted) if wanted else FLAT


def often(at_ns: int) -> Decimal | None:
    """What `Often` wants to hold from a moment on; None when that does not change."""
    second = at_ns // S
    if second % 4 not in {1, 3}:
        return None
    return D(second % 7) / 4 + D("0.25") if second % 4 == 1 else D(0)


# -- prints ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("latency_ms", [0, 137])
def test_a_market_order_fills_at_the_first_trade_from_its_arrival_on(latency_ms: int) -> None:
    found = on_tape(Often(), latency_ms=latency_ms)
    expected, held = [], D(0)
    for close_ns in found.close_ns[:-1]:
        wanted = often(close_ns)
        if wanted is None or wanted == held:
            continue
        arrives_ms = close_ns // MS + latency_ms
        seen = next(one for one in prints() if one.at_ms >= arrives_ms)
        side = "BUY" if wanted > held else "SELL"
        expected.append((side, abs(wanted - held), seen.price, seen.at_ms))
        held = wanted
    assert [
        (fill.side.value, fill.quantity, fill.price, fill.at_ns // MS) for fill in found.executions
    ] == expected
    assert len(expected) > 120


@pytest.mark.parametrize("slow", [3, 300])
def test_whether_the_strategy_was_asked_at_all_is_told(slow: int) -> None:
    found = on_tape(SmaCross(fast=2, slow=slow), timeframe="1m")
    assert len(found.bars) < 300
    assert (found.asked, bool(found.warnings)) == (slow == 3, slow == 300)


class Bidding(Strategy):
    """One bid at the last close less a step, anew at every tenth second."""

    step: Decimal = D("0.5")
    quantity: Decimal = D("0.2")

    def decide(self, now: View) -> Wish:
        if now.time_ns // S % 10:
            return KEEP
        wanted = now.position.quantity + self.quantity
        return Target(quantity=wanted, limit=now.bar.close - self.step)


def bid_fills(
    found: Result, step: Decimal, quantity: Decimal, ahead_of: Callable[[int, Decimal], Any]
) -> list[tuple[Decimal, Decimal, int]]:
    """Price, quantity and time of the fills of `Bidding`, worked out print by print.

    Args:
        ahead_of: a queue for a bid at a price from a time on: asked with each print, it says how
            much of it reaches the bid.
    """
    made = []
    closes = {at: D(str(close)) for at, close in zip(found.close_ns, found.bars.close, strict=True)}
    asked = [at for at in found.close_ns if at // S % 10 == 0]
    for begin, end in pairwise([*asked, found.close_ns[-1]]):
        price, left = closes[begin] - step, quantity
        reach = ahead_of(begin, price)
        for level, offered in getattr(reach, "offered", ()):  # it takes what is cheap enough
            part = min(left, offered)
            if part:
                made.append((level, part, begin // MS))
                left -= part
        for one in prints():
            if begin <= one.at_ms * MS < end and left:
                part = min(left, reach(one))
                if part:
                    made.append((price, part, one.at_ms))
                    left -= part
    return made


def bids_made(fills: Sequence[Fill]) -> list[tuple[Decimal, Decimal, int]]:
    return [(fill.price, fill.quantity, fill.at_ns // MS) for fill in fills]


def test_without_books_a_limit_fills_by_what_goes_through_it_and_no_more() -> None:
    found = on_tape(Bidding())

    def ahead_of(_begin: int, price: Decimal) -> Any:
        return lambda one: one.quantity if one.price < price else D(0)

    expected = bid_fills(found, D("0.5"), D("0.2"), ahead_of)
    assert bids_made(found.executions) == expected
    assert len({made for _, _, made in expected}) > 20
    assert any(quantity < D("0.2") for _, quantity, _ in expected), "some are filled in parts"


class Queue:
    """What reaches a bid that joins a recorded book.

    Attributes:
        offered: asks up to its price when it joins, the lowest first.
    """

    def __init__(self, book: BookByHand, begin_ms: int, price: Decimal) -> None:
        sides = book.at(begin_ms)
        asks = sorted(sides["asks"].items())
        self.offered = [(level, size) for level, size in asks if level <= price]
        self._price = price
        self._ahead = sides["bids"].get(price, D(0))
        self._changes = [change for change in book.changes if change["E"] > begin_ms]
        self._done = 0

    def __call__(self, one: Print) -> Decimal:
        while self._done < len(self._changes) and self._changes[self._done]["E"] < one.at_ms:
            for level, quantity in self._changes[self._done]["b"]:
                if D(level) == self._price:
                    self._ahead = min(self._ahead, D(quantity))
            self._done += 1
        if one.price < self._price:
            return one.quantity
        if one.price > self._price or not one.sold:
            return D(0)
        offered = max(one.quantity - self._ahead, D(0))
        self._ahead = max(self._ahead - one.quantity, D(0))
        return offered


def test_in_books_a_limit_waits_behind_what_is_shown_as_in_a_mirrored_market() -> None:
    found = on_tape(Bidding(), depth=recording(RAW))
    begins = next(at for at in found.close_ns if at // S % 10 == 0)

    book = BookByHand(recording(RAW))

    def ahead_of(begin: int, price: Decimal) -> Any:
        return Queue(book, begin // MS, price)

    expected = bid_fills(found, D("0.5"), D("0.2"), ahead_of)
    made = [one for one in bids_made(found.executions) if one[2] * MS >= begins]
    assert made == expected
    assert len(made) > 15
    assert made != bids_made(on_tape(Bidding()).executions), "the queue is known, so it ends"


def test_a_market_order_walks_the_book_of_its_arrival() -> None:
    found = on_tape(Often(), latency_ms=50, depth=recording(RAW), depth_fallback=True)
    book = BookByHand(recording(RAW))
    known_ms = book.changes[0]["E"]
    held, expected = D(0), []
    for close_ns in found.close_ns[:-1]:
        wanted, arrives_ms = often(close_ns), close_ns // MS + 50
        if wanted is None or wanted == held:
            continue
        if arrives_ms >= known_ms:
            book.at(arrives_ms)
            parts = book.take("asks" if wanted > held else "bids", abs(wanted - held))
            expected += [(price, quantity, arrives_ms) for price, quantity in parts]
        held = wanted
    made = [one for one in bids_made(found.executions) if one[2] >= known_ms]
    assert made == expected
    assert len(made) > 150


# -- what the strategy sees ------------------------------------------------------------------------


def sights(log: Sequence[Any], after_ms: int) -> list[Any]:
    return [one for one in log if one[0] // MS > after_ms]


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


def test_the_same_run_twice_is_the_same_to_the_last_fill() -> None:
    options = {"depth": recording(RAW), "latency_ms": 30, "depth_fallback": True}
    once, again = (on_tape(Bidding(), "5s", **options) for _ in range(2))
    assert once.executions == again.executions
    assert once.stats["final_equity"] == again.stats["final_equity"]
    assert once.provenance.trades_sha256 == again.provenance.trades_sha256
    assert str(once.provenance.trades_sha256) in once.assumptions["trades"]


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


# -- several symbols, exits, signals, memory -------------------------------------------------------


class Pair(Strategy):
    """Half in each, in and out by the seconds, with a stop close by."""

    def decide(self, now: View) -> Wish:
        phase = now.time_ns // S // 20 % 2
        wish = Target(weight=0.4, stop=Percent(0.02), take_profit=Percent(0.03))
        return dict.fromkeys(now.bars, wish if phase else FLAT)


@pytest.mark.parametrize("in_books", [True, False])
def test_two_symbols_share_one_clock_and_one_purse(in_books: bool) -> None:
    found = backtest(
        Pair(), [table(), table(ETH_RAW)], cash=100_000, latency_ms=20,
        trades=[recording(RAW), recording(ETH_RAW)],
        depth=recording(RAW).parent if in_books else None, depth_fallback=True,
    )  # fmt: skip
    times = [fill.at_ns for fill in found.executions]
    assert times == sorted(times)
    held, cash = {"BTC/USDT": D(0), "ETH/USDT": D(0)}, D(100_000)
    for fill in found.executions:
        sign = 1 if fill.side == "BUY" else -1
        held[fill.symbol] += sign * fill.quantity
        cash -= sign * fill.quantity * fill.price + fill.fee
        assert cash >= 0 <= held[fill.symbol]
    assert {fill.symbol for fill in found.executions} == set(held)
    assert len(times) > 30
    closes = {bars.symbol: D(str(bars.close[-1])) for bars in found.markets}
    worth = cash + sum(quantity * closes[symbol] for symbol, quantity in held.items())
    assert found.stats["final_equity"] == worth
    assert found.warnings == ()


def bars(*closes: float) -> BarColumns:
    """Bars of ten seconds."""
    opens = [closes[0], *closes[:-1]]
    pairs = list(zip(opens, closes, strict=True))
    return BarColumns(
        "BTC/USDT", 10, [n * 10 * S for n in range(len(closes))], opens,
        [max(pair) for pair in pairs], [min(pair) for pair in pairs], list(closes),
        [1.0] * len(closes),
    )  # fmt: skip


def tape(*told: tuple[float, str]) -> dict[str, Tape]:
    """Trades of one unit, taken by sellers, at seconds and prices."""
    made = [
        Trade(int(at_s * 1000) * MS, "BTC/USDT", D(price), D(1), buyer_is_maker=True)
        for at_s, price in told
    ]
    return {"BTC/USDT": Tape("BTC/USDT", made, first_ns=made[0].at_ns)}


def run(strategy: Strategy, over: BarColumns, tapes: dict[str, Tape], **options: Any) -> Run:
    chosen = {"cash": D(100_000), "terms": Terms(fee_rate=D(0)), **options}
    return TapeBacktest(strategy, [over], instruments=[BTC], tapes=tapes, **chosen).run()


class Once(Strategy):
    """One wish at the first close, and no other."""

    wish: Any = KEEP

    def decide(self, now: View) -> Wish:
        found: Wish = self.wish if now.time_ns == 10 * S else KEEP
        return found


def told(found: Run) -> list[tuple[str, str, float]]:
    return [(fill.side.value, str(fill.price), fill.at_ns / S) for fill in found.fills]


def test_a_stop_leaves_at_the_print_that_reaches_it() -> None:
    wish = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(4))
    over = bars(100, 100, 97, 97)
    found = run(
        Once(wish=wish), over, tape((1, "100"), (12, "100"), (15, "98.1"), (23, "97.5"), (24, "99"))
    )
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "97.5", 23.0)]


EXITS = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(4))


def test_a_take_profit_in_a_list_fills_at_its_price_when_a_print_goes_through_it() -> None:
    prices = tape((1, "100"), (12, "100"), (15, "104"), (16, "104.2"), (17, "90"))
    found = run(Once(wish=EXITS), bars(100, 100, 104, 104), prices)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "104.00", 16.0)]
    assert found.fills[-1].is_maker


def test_a_take_profit_that_executed_in_part_has_ended_its_stop_and_the_rest_is_sold() -> None:
    """The print was of one unit, two were held; the rest goes at the next print, a tick later."""
    wish = msgspec.structs.replace(EXITS, quantity=D(2))
    prices = tape((1, "100"), (12, "100"), (15, "104.2"), (16, "103.5"), (17, "90"))
    found = run(Once(wish=wish), bars(100, 100, 104, 104), prices)
    sold = [(fill.quantity, fill.price, fill.at_ns // S) for fill in found.fills[1:]]
    assert sold == [(D(1), D(104), 15), (D(1), D("103.5"), 16)]
    assert found.held["BTC/USDT"] == 0


def test_a_stop_of_a_list_ends_the_take_profit_and_a_list_that_comes_too_late_is_refused() -> None:
    prices = tape((1, "100"), (12, "100"), (15, "97.5"), (16, "110"), (17, "90"))
    found = run(Once(wish=EXITS), bars(100, 100, 97, 97), prices)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "97.5", 15.0)]
    late = Terms(fee_rate=D(0), latency_ns=S)
    prices = tape((1, "100"), (12, "100"), (12.5, "105"), (15, "105"), (17, "99"), (18, "99"))
    found = run(Once(wish=EXITS), bars(100, 100, 105, 105), prices, terms=late)
    assert found.rejected == 2
    assert told(found)[0] == ("BUY", "100", 12.0)
    assert found.held["BTC/USDT"] == 0


def test_without_lists_a_take_profit_is_watched_and_sold_at_the_next_print() -> None:
    wish = EXITS
    prices = tape((1, "100"), (12, "100"), (15, "104.2"), (16, "103.9"), (17, "90"))
    alone = Terms(fee_rate=D(0), order_lists=False)
    found = run(Once(wish=wish), bars(100, 100, 104, 104), prices, terms=alone)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "103.9", 16.0)]
    assert run(Once(wish=wish), bars(100, 100, 104), tape((1, "100"))).fills == []


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


# -- what is refused -------------------------------------------------------------------------------


def test_an_order_where_no_trade_is_recorded_is_an_error_that_says_when() -> None:
    over, wish = bars(100, 100, 100, 100, 100), Target(quantity=D(1))
    with pytest.raises(ConfigError, match=r"arrives at 1970-01-01T00:00:10.*from 1970-.*00:25"):
        run(Once(wish=wish), over, tape((25, "100")))
    with pytest.raises(ConfigError, match=r"00:15.*from 1970-01-01T00:00:01.* to .*00:02"):
        run(Once(wish=wish), bars(*[100.0] * 5), tape((-1 + 2, "100"), (2, "100")),
            terms=Terms(latency_ns=5 * S))  # fmt: skip


def test_who_looks_at_books_needs_books() -> None:
    for trades, depth in ((recording(RAW), None), (None, recording(RAW))):
        with pytest.raises(ConfigError, match=r"without recorded trades and order books"):
            backtest(Often(looks=True), table(), trades=trades, depth=depth)


def test_a_strategy_that_breaks_between_closes_says_in_which_bar() -> None:
    class Breaking(Strategy):
        def setup(self, on: Setup) -> None:
            on.every("5s")

        def decide(self, now: View) -> Wish:
            raise ValueError(f"at {now.time_ns // S}")

    with pytest.raises(RejectedError, match="at 10, in bar 0"):
        run(Breaking(), bars(100, 100), tape((1, "100")))


def test_a_symbol_that_is_given_and_never_wished_is_told() -> None:
    found = backtest(Often(), [table(), table(ETH_RAW)], cash=10_000_000)
    (warning,) = found.warnings
    assert warning.startswith("ETH/USDT was given, but Often has declared nothing of it")
    assert "BTC/USDT alone" in found.assumptions["warning"]
    assert on_tape(Often()).warnings == ()
