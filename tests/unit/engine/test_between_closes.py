"""A strategy that looks at the book, and one that is asked between closes as well."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.event import BookSeen, TradeSeen
from holdfast.domain.market import BookLevels, Trade
from holdfast.errors import ConfigError
from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish
from tests.support.engine_world import MINUTE_NS, SECOND_NS, World, bot

D = Decimal


class Spread(Strategy):
    """In the market while the book is narrow; asked every ten seconds when told to."""

    every: str = ""
    levels: int = 1

    def setup(self, on: Setup) -> None:
        self.book = on.book(levels=self.levels)
        self.average = on.bars().sma(2)
        if self.every:
            on.every(self.every)

    def decide(self, now: View) -> Wish:
        ask, bid = self.book.ask, self.book.bid
        if ask is None or bid is None:
            return KEEP
        if self.book.age_s(now.time_ns) > 30:
            return FLAT
        return Target(quantity=D(1)) if ask - bid < 1 else FLAT


def world(every: str = "") -> World:
    """One whose strategy is warm."""
    made = World(bot(strategy=Spread(every=every)))
    made.bar()
    made.bar()
    return made


def quote(made: World, bid: str | None, ask: str | None) -> None:
    """A book with a second level one unit behind each best one."""
    bids = () if bid is None else ((D(bid), D(2)), (D(bid) - 1, D(5)))
    asks = () if ask is None else ((D(ask), D(3)), (D(ask) + 1, D(7)))
    assert made.take(BookSeen(BookLevels(made.now_ns, "BTC/USDT", bids, asks))) == []


def test_a_close_sees_the_newest_book_and_the_decision_keeps_what_was_shown() -> None:
    made = world()
    made.tick(40)
    quote(made, "90", "110")
    quote(made, "99.9", "100.1")
    seen = {
        "at_ns": made.now_ns, "symbol": "BTC/USDT",
        "bids": [["99.9", "2"]], "asks": [["100.1", "3"]],
    }  # fmt: skip
    made.bar()
    made.settle()
    (decided,) = made.decided
    assert made.held() == 1
    assert msgspec.json.decode(decided.seen) == [seen]
    assert decided.seen_ns == made.now_ns


def test_who_looks_at_no_book_keeps_none() -> None:
    made = World()
    made.wish(Target(quantity=D(1)))
    quote(made, "99", "101")
    made.bar()
    made.settle()
    assert [decided.seen for decided in made.decided] == [""]


def test_as_many_levels_are_shown_as_were_asked_for() -> None:
    strategy = Spread(levels=2)
    made = World(bot(strategy=strategy))
    quote(made, "99", "101")
    for _ in range(2):
        made.bar()
    assert strategy.book.bids == ((D(99), D(2)), (D(98), D(5)))
    assert strategy.book.asks == ((D(101), D(3)), (D(102), D(7)))
    assert strategy.book.middle == 100
    for wrong in (0, 101):
        with pytest.raises(ConfigError, match=r"levels=\d+\); expected: 1 to 100"):
            bot(strategy=Spread(levels=wrong))


def test_a_book_that_is_not_known_any_more_shows_nothing() -> None:
    made = world()
    quote(made, "99.9", "100.1")
    made.take(BookSeen(BookLevels(0, "BTC/USDT")))
    made.bar()
    assert not made.arming, "it keeps what was wished"


def test_a_side_that_is_empty_is_none() -> None:
    made = world()
    quote(made, None, "100.1")
    made.bar()
    assert not made.arming


def test_between_closes_it_is_asked_at_each_multiple_and_once() -> None:
    made = world("10s")
    begin_ns = made.now_ns
    quote(made, "99.9", "100.1")
    made.tick(9.9)
    assert not made.arming
    made.tick(0.1)
    made.settle()
    assert made.held() == 1
    assert [decided.seen_ns for decided in made.decided] == [begin_ns + 10 * SECOND_NS]
    quote(made, "90", "110")
    for _ in range(5):
        made.tick(1)
        assert not made.arming, "not yet asked again"
    made.tick(5)
    made.settle()
    assert made.held() == 0


def test_it_may_be_asked_several_times_a_second() -> None:
    made = world("200ms")
    begin_ns = made.now_ns
    quote(made, "99.9", "100.1")
    made.tick(0.1)
    assert not made.arming
    made.tick(0.15)
    made.settle()
    assert [decided.seen_ns for decided in made.decided] == [begin_ns + SECOND_NS // 5]


@pytest.mark.parametrize("interval", ["20ms", "300ms", "0ms", "1000ms"])
def test_an_interval_that_no_tick_or_no_close_falls_on_is_refused(interval: str) -> None:
    with pytest.raises((ValueError, ConfigError), match="expected"):
        Setup(bar_s=1).every(interval)


def test_at_a_close_it_is_asked_once_with_the_bar_although_that_comes_later() -> None:
    made = world("10s")
    made.tick(55)
    quote(made, "99.9", "100.1")
    made.bar()
    (decided,) = [arm.decided for arm in made.arming]
    assert decided is not None
    assert decided.seen_ns == made.now_ns
    assert made.now_ns % MINUTE_NS == 0


def test_before_the_warm_up_it_is_not_asked() -> None:
    made = World(bot(strategy=Spread(every="10s")))
    quote(made, "99.9", "100.1")
    made.bar()
    made.tick(10)
    assert not made.arming


def test_a_new_process_knows_no_quote_and_says_so() -> None:
    made = world("10s")
    quote(made, "99.9", "100.1")
    made.tick(10)
    made.settle()
    made.restart()
    made.tick(10)
    assert not made.arming, "it keeps what was wished"
    made.tick(20)
    quote(made, "90", "110")
    made.tick(10)
    made.settle()
    assert made.held() == 0


class Following(Strategy):
    """Holds as many units as were traded last."""

    def setup(self, on: Setup) -> None:
        self.last = on.trades()

    def decide(self, now: View) -> Wish:
        if self.last.quantity is None or self.last.age_s(now.time_ns) > 60:
            return FLAT
        return Target(quantity=self.last.quantity)


def test_the_last_trade_is_seen_at_the_close() -> None:
    made = World(bot(strategy=Following()))
    made.bar()
    for quantity in (3, 2):
        trade = Trade(made.now_ns, "BTC/USDT", D(100), D(quantity), buyer_is_maker=False)
        assert made.take(TradeSeen(trade)) == []
    made.bar()
    made.settle()
    assert made.held() == 2
    (decided,) = made.decided
    assert [trade["quantity"] for trade in msgspec.json.decode(decided.seen)] == ["2"]
    made.bar()
    made.settle()
    assert made.held() == 0


def test_what_is_no_part_of_the_bars_is_refused() -> None:
    for every in ("1m", "7s", "1h"):
        with pytest.raises(ConfigError, match=r"expected: a part of 1m"):
            bot(strategy=Spread(every=every))
