"""Playing a strategy: its wishes bar by bar, and the simple account that it is told of."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.market import Bar
from holdfast.strategy import (
    FLAT,
    KEEP,
    Level,
    Percent,
    Quotes,
    Setup,
    Strategy,
    Target,
    View,
    Wish,
    play,
)
from holdfast.strategy.play import Played, bars_of
from holdfast.strategy.shipped.sma_cross import SmaCross

D = Decimal
ONE = Target(quantity=D(1))


class Listed(Strategy):
    """Wishes one after the other, by the number of the bar; the last one again and again."""

    wishes: list[object] = msgspec.field(default_factory=list)

    def decide(self, now: View) -> Wish:
        at = (now.time_ns - bars_of([1])[0].close_ns) // 60_000_000_000
        return self.wishes[min(at, len(self.wishes) - 1)]  # type: ignore[return-value]


def listed(*wishes: object, closes: list[float]) -> Played:
    return play(Listed(wishes=list(wishes)), closes=closes)


def held(played: Played) -> list[float]:
    return [float(one) for one in played.positions]


def test_the_wishes_of_a_strategy_after_its_warm_up() -> None:
    played = play(SmaCross(fast=2, slow=3, quantity=D(1)), closes=[3, 2, 1, 5, 6, 1])
    assert played.first == 2
    assert list(played.wishes) == [FLAT, ONE, ONE, FLAT]
    assert played.wishes[-1] == FLAT
    assert held(played) == [0, 0, 1, 1]


def test_it_can_be_played_again_and_leaves_the_strategy_as_it_was() -> None:
    strategy = SmaCross(fast=2, slow=3)
    first, again = (play(strategy, closes=[3, 2, 1, 5, 6, 1]) for _ in range(2))
    assert first == again
    assert not hasattr(strategy, "fast_ma")


def test_a_strategy_that_never_gets_warm_wishes_nothing() -> None:
    played = play(SmaCross(), closes=[1, 2])
    assert (len(played.wishes), played.first) == (0, 2)


def test_a_stop_and_a_target_leave_the_position_and_spend_the_wish() -> None:
    safe = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(4))
    played = listed(safe, closes=[100, 100, 97, 100, 100])
    assert held(played) == [0, 1, 0, 0, 0]
    assert [one.exit.reason if one.exit else "" for one in played.told] == [
        "", "", "stop", "stop", "stop",
    ]  # fmt: skip
    last = played.told[-1].exit
    assert last is not None
    assert (last.price, last.bars_ago) == (D(98), 2)
    assert played.told[-1].worth == 10_000 - 2
    played = listed(safe, safe, safe, FLAT, safe, closes=[100, 100, 105, 105, 105, 105])
    assert held(played) == [0, 1, 0, 0, 0, 1]
    assert played.told[2].worth == 10_004


def test_a_trailing_stop_follows_the_closes() -> None:
    played = listed(
        Target(quantity=D(1), stop=Percent(10), trail=True), closes=[100, 100, 200, 190, 170]
    )
    assert held(played) == [0, 1, 1, 1, 0]
    assert played.told[-1].worth == 10_000 + 80


def test_weights_and_amounts_are_measured_once_and_keys_are_met_once() -> None:
    played = listed(Target(weight=0.5), KEEP, closes=[100, 100, 200])
    assert held(played) == [0, 50, 50]
    played = listed(Target(amount=D(200)), closes=[100, 100, 50])
    assert held(played) == [0, 2, 2]
    slots = [Target(quantity=D(n), key=key) for n, key in ((1, "a"), (9, "a"), (2, "b"), (2, "b"))]
    assert held(listed(*slots, closes=[100] * 4)) == [0, 1, 1, 2]


def test_limits_and_quotes_fill_when_a_bar_trades_through_them() -> None:
    low = Target(quantity=D(1), limit=D(99))
    assert held(listed(low, closes=[100, 99, 98])) == [0, 0, 1]
    quotes = Quotes(bids=[Level(D(99), D(1))], asks=[Level(D(101), D(1))])
    played = listed(quotes, closes=[100, 98, 102])
    assert held(played) == [0, 1, 1], "98 to 102 trades through both"


def test_nothing_is_bought_that_cannot_be_paid() -> None:
    assert held(listed(Target(quantity=D(1000)), closes=[100, 100])) == [0, 100]


def test_what_is_no_wish_and_what_is_no_series_is_refused() -> None:
    with pytest.raises(ValueError, match="decide returned None"):
        listed(None, closes=[1])
    with pytest.raises(ValueError, match=r"closes=.* or bars="):
        play(SmaCross())
    bars: tuple[Bar, ...] = bars_of(["1.10"])
    assert tuple(play(Listed(wishes=[FLAT]), bars=bars).bars) == bars


class Together(Strategy):
    """Buys the second symbol with half of everything while the first one rises."""

    def setup(self, on: Setup) -> None:
        self.slow = on.bars("2m", on.symbols[1]).sma(1)

    def decide(self, now: View) -> Wish:
        if now.stale:
            return KEEP
        rises = now.bars["BTC/USDT"].close > now.bars["BTC/USDT"].open
        return {
            "BTC/USDT": Target(quantity=D(1)),
            "ETH/USDT": Target(weight=0.5) if rises else FLAT,
        }


def test_several_symbols_share_the_cash_and_the_closes() -> None:
    played = play(
        Together(), closes={"BTC/USDT": [100, 99, 98, 99, 99, 100], "ETH/USDT": [10] * 6}
    )
    assert played.first == 1, "the first two minutes of ETH make a longer bar"
    flat = [isinstance(wish, dict) and wish["ETH/USDT"] == FLAT for wish in played.wishes]
    assert flat == [True, True, False, True, False]
    assert [float(each) for each in played.positions] == [0, 1, 1, 1, 1]
    assert [float(each) for each in played.positions_in("ETH/USDT")] == [0, 0, 0, 500, 0]
    assert played.told[-1].worth == 10_000 + 1, "bought at 99"


def test_a_symbol_without_a_bar_is_stale_and_trades_nothing() -> None:
    btc = bars_of([100, 101, 102, 103])
    eth = bars_of([10, 10, 10, 10], symbol="ETH/USDT")
    played = play(Together(), bars=[*btc, *eth[:2], eth[3]])
    assert [wish is KEEP for wish in played.wishes] == [False, True, False]
    assert played.told[-1].held["ETH/USDT"].quantity == 500


def test_a_weight_is_measured_again_outside_its_band() -> None:
    target = Target(weight=0.5, band=0.1)
    played = listed(target, closes=[100, 100, 110, 200, 200])
    assert held(played) == [0, 50, 50, 50, 37.5]


def test_with_all_the_cash_in_one_symbol_nothing_is_bought_in_another() -> None:
    class All(Strategy):
        def decide(self, now: View) -> Wish:
            return {symbol: Target(weight=1) for symbol in now.bars}

    played = play(All(), closes={"BTC/USDT": [1, 1, 1], "ETH/USDT": [1, 1, 1]})
    assert [float(each) for each in played.positions_in("ETH/USDT")] == [0, 0, 0]


class Leaning(Strategy):
    """Long while more is bid than asked within three levels, and the last taker bought."""

    def setup(self, on: Setup) -> None:
        self.book = on.book(levels=3)
        self.last = on.trades()

    def decide(self, now: View) -> Wish:
        if not self.book.ready or not self.last.ready:
            return KEEP
        bid, asked = (sum(size for _, size in side) for side in (self.book.bids, self.book.asks))
        near = self.last.price == self.book.bids[0][0]
        return FLAT if bid <= asked or near else Target(quantity=D(1))


def test_books_and_trades_stand_from_the_close_at_which_they_are_first_seen() -> None:
    heavy = ([(99, 5), (98, 1), (97, 1), (96, 9)], [(101, 1), (102, 1), (103, 1), (104, 50)])
    light = ([(99, 0.5), (98, 1)], [(101, 2.5)])
    played = play(
        Leaning(),
        closes=[100] * 7,
        books={"BTC/USDT": {1: heavy, 4: light}},
        trades={"BTC/USDT": {2: (101, 1), 5: (99, 1)}},
    )
    long = Target(quantity=D(1))
    assert played.wishes == [KEEP, KEEP, long, long, FLAT, FLAT, FLAT]
    assert held(played) == [0, 0, 0, 1, 1, 0, 0]


def test_without_books_none_is_known() -> None:
    assert set(play(Leaning(), closes=[100] * 3).wishes) == {KEEP}
