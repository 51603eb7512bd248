"""A wish in fixed quantities, at the prices of the moment."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.fact import Leg
from holdfast.engine.resolve import Means, legs_of
from holdfast.strategy import Level, Percent, Quotes, Target
from tests.support.engine_world import BTC, World

D = Decimal
ONE = Decimal(1)
MEANS = Means(instrument=BTC, price=D(100), equity=D(10_000), held=D(0))


def leg_of(wish: Target | Quotes | None, means: Means = MEANS) -> Leg:
    legs = legs_of(wish, means)
    assert legs is not None
    return legs[0]


def test_a_target_is_cut_to_the_step() -> None:
    leg = leg_of(Target(quantity=D("1.23456")))
    assert (leg.leg, leg.target) == ("BTC/USDT", D("1.234"))


def test_flat_is_a_target_of_nothing() -> None:
    assert leg_of(None).target == 0


def test_levels_are_put_on_the_tick_away_from_the_market() -> None:
    level = Level(D("99.999"), D("1.0009"))
    legs = legs_of(Quotes(bids=[level], asks=[level], post_only=True), MEANS)
    assert legs is not None
    bid, ask = legs
    assert (bid.price, bid.quantity, bid.post_only) == (D("99.99"), ONE, True)
    assert (ask.price, ask.quantity) == (D(100), ONE)
    assert (bid.leg, ask.leg) == ("BTC/USDT|BUY|99.99", "BTC/USDT|SELL|100")


def test_a_level_has_the_same_name_however_its_price_is_written() -> None:
    names = {leg_of(Quotes(bids=[Level(D(price), ONE)])).leg for price in ("100", "100.00", "1E+2")}
    assert names == {"BTC/USDT|BUY|100"}


def test_levels_on_one_tick_are_added_up_before_they_are_cut() -> None:
    levels = [Level(D("95.001"), D("1.0005")), Level(D("95.002"), D("1.0005"))]
    assert leg_of(Quotes(bids=levels)).quantity == D("2.001")


@pytest.mark.parametrize(
    ("wish", "target"),
    [
        (Target(weight=0.25), "25"),
        (Target(weight=D("0.5")), "50"),
        (Target(weight=1), "100"),
        (Target(amount=D(150)), "1.5"),
        (Target(weight=0), "0"),
    ],
)
def test_weights_and_amounts_become_quantities_at_the_last_price(wish: Target, target: str) -> None:
    assert leg_of(wish).target == D(target)


def test_a_weight_never_asks_for_more_than_is_there_to_be_spent() -> None:
    """Another bot of the account has the rest."""
    means = Means(BTC, D(100), D(10_000), D(3), most=D(13))
    assert leg_of(Target(weight=0.5), means).target == D(13)


def test_a_weight_has_no_size_while_equity_is_unknown() -> None:
    assert legs_of(Target(weight=0.5), Means(BTC, D(100), None, D(0))) is None


def test_a_band_is_in_the_unit_of_its_target() -> None:
    assert leg_of(Target(quantity=ONE, band=D("0.1"))).band == D("0.1")
    assert leg_of(Target(weight=0.5, band=0.05)).band == 5
    assert leg_of(Target(amount=D(500), band=50)).band == D("0.5")


def test_exits_are_prices_or_distances() -> None:
    leg = leg_of(Target(quantity=ONE, stop=Percent(2), take_profit=D(120), trail=True))
    assert (leg.stop, leg.stop_pct) == (None, D(2))
    assert (leg.take_profit, leg.take_profit_pct, leg.trail) == (D(120), None, True)


def test_a_weight_is_worked_out_once_and_again_only_outside_its_band() -> None:
    world = World(cash=D(10_000))
    world.wish(Target(weight=0.5, band=0.05))
    world.bar()
    world.settle()
    assert world.held() == 50
    for price in (110, 95, 120):  # 52.4, 48.7 and 54.5 % of the equity
        world.bar(price=price)
        world.settle()
    assert len(world.decided) == 1
    world.bar(price=130)  # 56.5 %
    world.settle()
    assert len(world.decided) == 2
    assert world.held() * 130 == pytest.approx(D(11_500) / 2, rel=D("0.001"))


def test_without_a_band_a_weight_stands_as_it_was_worked_out() -> None:
    world = World(cash=D(10_000))
    world.wish(Target(weight=0.5))
    world.bar()
    world.settle()
    world.bar(price=300)
    world.settle()
    assert (len(world.decided), world.held()) == (1, D(50))


def test_a_target_within_its_band_is_met() -> None:
    world = World()
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    world.wish(Target(quantity=D("1.05"), band=D("0.1")))
    world.bar()
    world.settle()
    assert (len(world.decided), world.held()) == (2, ONE)
