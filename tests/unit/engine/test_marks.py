"""What an account is worth: which price counts, and when it is marked.

Not here: what a drawdown halts and whom it is forgiven (test_people), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.event import BarClosed, QuoteSeen
from holdfast.domain.fact import Marked
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar, Quote
from tests.support.engine_wishes import DAY_NS, ONE, target, world_with
from tests.support.engine_world import MINUTE_NS, SECOND_NS, World, bot

D = Decimal
SYMBOL = "BTC/USDT"


def quote(world: World, bid: str, ask: str) -> None:
    """The market's best prices of now."""
    world.take(QuoteSeen(Quote(world.now_ns, SYMBOL, D(bid), D(ask))))


def late_bar(world: World, price: int, *, late_s: int) -> None:
    """The minute that ended so many seconds ago, told only now."""
    end_ns, at = world.now_ns - late_s * SECOND_NS, D(price)
    world.take(BarClosed(Bar(SYMBOL, end_ns - MINUTE_NS, end_ns, at, at, at, at, ONE)))


def before_midnight(world: World, minutes: int) -> None:
    """So many minutes before a day ends, marked a moment ago."""
    world.now_ns = world.now_ns // DAY_NS * DAY_NS + DAY_NS - (minutes + 1) * MINUTE_NS
    world.bar()


def test_what_is_lost_in_a_day_s_first_minutes_is_in_its_loss() -> None:
    world = world_with(target("10"), limits=Limits(max_daily_loss=D(100), price_band_pct=None))
    world.settle()
    before_midnight(world, 3)
    for _ in range(3):
        world.bar()
    world.bar(price=80)
    for _ in range(6):
        world.bar(price=80)
    equity = world.engine.marks.equity()
    assert equity is not None
    assert world.account.units.day_loss(equity) == 200
    world.wish(target("11"))
    world.bar(price=80)
    world.settle()
    assert [r.rule for r in world.refusals] == ["max_daily_loss"]


def test_a_day_is_marked_once_as_it_begins() -> None:
    world = World()
    before_midnight(world, 3)
    for _ in range(8):
        world.bar()
    marks = [fact for fact in world.facts if isinstance(fact, Marked)][1:]
    assert [m.at_ns % DAY_NS // MINUTE_NS for m in marks] == [0, 5]
    assert [m.new_day for m in marks] == [True, False]




def test_a_bar_that_comes_late_is_no_newer_than_a_quote() -> None:
    world = World()
    world.bar()
    world.tick(115)
    quote(world, "99.9", "100.1")
    late_bar(world, 60, late_s=55)
    assert world.engine.prices[SYMBOL] == 100
    world.bar(price=61)
    assert world.engine.prices[SYMBOL] == 61


def test_a_quote_counts_although_the_clock_was_set_back() -> None:
    """Most exchanges stamp none: its time is this host's."""
    world = World()
    world.bar()
    world.now_ns += 3600 * SECOND_NS
    quote(world, "99.9", "100.1")
    world.now_ns -= 3600 * SECOND_NS
    quote(world, "89.9", "90.1")
    assert world.engine.prices[SYMBOL] == 90
    world.bar(price=91)
    assert world.engine.prices[SYMBOL] == 91


def under_drawdown() -> World:
    """A world that lost nothing yet, and halts at a tenth of what it had: 900 of 1000 in BTC."""
    world = world_with(target("9"), limits=Limits(max_drawdown_pct=D(10)), cash=D(1000))
    world.settle()
    for _ in range(6):
        world.bar()
    return world


@pytest.mark.parametrize("swept", [("60", "100"), ("100", "180")], ids=["bids", "asks"])
def test_a_side_that_is_gone_for_a_moment_is_no_drawdown(swept: tuple[str, str]) -> None:
    world = under_drawdown()
    quote(world, *swept)
    world.tick(300)  # marked, as it is now and then
    quote(world, "99.9", "100.1")
    world.bar()
    assert not world.account.halted
    assert world.engine.marks.drawdown_pct(None) == 0


def test_a_fall_is_seen_at_the_next_bar_however_wide_the_quotes_are() -> None:
    world = under_drawdown()
    for _ in range(5):
        world.tick(10)
        quote(world, "60", "100")
    end_ns = world.now_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
    world.now_ns = end_ns + SECOND_NS
    quote(world, "60", "100")  # before the bar comes
    late_bar(world, 60, late_s=1)
    assert world.account.halted.startswith("drawdown 36.00 %")


def test_a_wide_quote_tells_a_price_where_the_last_one_lies_outside() -> None:
    world = World()
    world.bar()
    quote(world, "110", "150")
    assert world.engine.prices[SYMBOL] == 110
    quote(world, "60", "90")
    assert world.engine.prices[SYMBOL] == 90


def test_a_wide_quote_alone_tells_no_price() -> None:
    world = World()
    quote(world, "60", "100")
    assert SYMBOL not in world.engine.prices
    world.wish(target("1"))
    world.bar()
    world.settle()
    assert world.held() == 1


@pytest.mark.parametrize("whose", ["bot", "account"])
def test_how_wide_a_quote_may_be_is_the_price_band_s_to_say(whose: str) -> None:
    limits = Limits(price_band_pct=D(50))
    tight = Limits(price_band_pct=D(1))
    both = {"bot": (tight, limits), "account": (limits, tight)}[whose]
    for chosen, price in (((limits, limits), 110), (both, 105)):
        world = World(bot(limits=chosen[0]), limits=chosen[1])
        world.bar(price=105)
        quote(world, "100", "120")
        assert world.engine.prices[SYMBOL] == price
