"""Backtests over recorded trades and books, against calculations on the raw messages that share no
code with them.

Not here: what the strategy sees (test_tape_sight), exits (test_tape_exits).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from holdfast.app.research.front import backtest
from holdfast.domain.fill import Fill
from holdfast.lab.result import Result
from holdfast.strategy import FLAT, KEEP, Percent, Strategy, Target, View, Wish
from holdfast.strategy.shipped.sma_cross import SmaCross
from tests.support.books import MS, BookByHand
from tests.support.recordings import recording
from tests.support.tape_runs import ETH_RAW, RAW, Often, Print, S, often, on_tape, prints, table

D = Decimal


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


def test_the_same_run_twice_is_the_same_to_the_last_fill() -> None:
    options = {"depth": recording(RAW), "latency_ms": 30, "depth_fallback": True}
    once, again = (on_tape(Bidding(), "5s", **options) for _ in range(2))
    assert once.executions == again.executions
    assert once.stats["final_equity"] == again.stats["final_equity"]
    assert once.provenance.trades_sha256 == again.provenance.trades_sha256
    assert str(once.provenance.trades_sha256) in once.assumptions["trades"]


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


def test_a_symbol_that_is_given_and_never_wished_is_told() -> None:
    found = backtest(Often(), [table(), table(ETH_RAW)], cash=10_000_000)
    (warning,) = found.warnings
    assert warning.startswith("ETH/USDT was given, but Often has declared nothing of it")
    assert "BTC/USDT alone" in found.assumptions["warning"]
    assert on_tape(Often()).warnings == ()
