"""The shipped strategies, traded: each bar in, the account's orders and position out."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.order import Side
from holdfast.strategy import Strategy
from holdfast.strategy.load import create
from tests.support.engine_world import World, bot


def traded(strategy: Strategy, closes: list[int]) -> tuple[World, list[Decimal]]:
    """A world after these closes, and the position after each."""
    world = World(bot(strategy=strategy))
    positions = []
    for close in closes:
        world.bar(price=close)
        world.settle()
        positions.append(world.held())
    return world, positions


def sma_cross() -> Strategy:
    return create("sma_cross", {"fast": 2, "slow": 3, "quantity": "0.5"})


def grid(**more: str) -> Strategy:
    return create("grid", {"low": "100", "high": "110", "cells": "5", "unit": "0.5", **more})


def test_sma_cross_is_long_while_the_fast_average_is_above() -> None:
    _, positions = traded(sma_cross(), [100, 100, 100, 103, 106, 104, 90, 90, 95, 99])
    half, none = Decimal("0.5"), Decimal(0)
    assert positions == [none, none, none, half, half, half, none, none, half, half]


@given(st.lists(st.integers(50, 150), max_size=40))
def test_sma_cross_holds_what_two_plain_means_say(closes: list[int]) -> None:
    _, positions = traded(sma_cross(), closes)
    for end, position in enumerate(positions, 1):
        fast, slow = closes[max(0, end - 2) : end], closes[max(0, end - 3) : end]
        # Cross-multiplied, so that the test rounds nothing.
        long = end >= 3 and sum(fast) * 3 > sum(slow) * 2
        assert position == (Decimal("0.5") if long else 0)


def levels(world: World) -> tuple[list[int], list[int]]:
    """Resting bids and asks, by price."""
    specs = [o.armed.spec for o in world.working()]
    prices = {side: sorted(int(s.price or 0) for s in specs if s.side is side) for side in Side}
    return prices[Side.BUY], prices[Side.SELL]


def test_a_grid_rests_one_bid_per_empty_cell_and_one_ask_per_full_one() -> None:
    world, _ = traded(grid(), [109])
    assert levels(world) == ([100, 102, 104, 106, 108], [])
    for price, rest in (
        (108, ([100, 102, 104, 106], [110])),
        (106, ([100, 102, 104], [108, 110])),
    ):
        cid = next(o.armed.cid for o in world.working() if o.armed.spec.price == price)
        world.fill(cid, Decimal("0.5"))
        world.bar(price=price)
        world.settle()
        assert levels(world) == rest
    cid = next(o.armed.cid for o in world.working() if o.armed.spec.price == 108)
    world.fill(cid, Decimal("0.5"))
    world.bar(price=108)
    world.settle()
    assert levels(world) == ([100, 102, 104, 106], [110])


def test_a_grid_earns_the_cell_when_it_was_bought_and_sold() -> None:
    world, _ = traded(grid(), [109])
    for price in (108, 110):
        cid = next(o.armed.cid for o in world.working() if o.armed.spec.price == price)
        world.fill(cid, Decimal("0.5"))
        world.bar(price=109)
        world.settle()
    assert world.held() == 0
    assert world.account.bots["bot"].positions["BTC/USDT"].cash == Decimal(1)


def test_a_grid_whose_fees_are_taken_in_base_goes_on() -> None:
    """Each unit bought is a little less than a unit; it is sold as what it is."""
    world, _ = traded(grid(), [109])
    for price, fee in ((108, "0.0005"), (110, "0")):
        cid = next(o.armed.cid for o in world.working() if o.armed.spec.price == price)
        resting = world.venue[cid]
        world.fill(cid, resting.armed.spec.quantity, fee=Decimal(fee), fee_asset="BTC")
        world.bar(price=109)
        world.settle()
    assert world.held() == Decimal("0.0005"), "dust"
    assert levels(world) == ([100, 102, 104, 106, 108], [])
    assert world.refusals == []


def test_a_grid_narrower_than_the_tick_still_trades() -> None:
    world, _ = traded(grid(high="100.02"), [109])
    specs = sorted((o.armed.spec.price, o.armed.spec.quantity) for o in world.working())
    assert sum((quantity for _, quantity in specs), Decimal(0)) == Decimal("2.5")
    assert len({price for price, _ in specs}) == len(specs)
