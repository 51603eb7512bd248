"""Filters that change while a wish stands: what it wants is put on the new grid."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.fact import InstrumentChanged
from holdfast.domain.order import OrderState, Side
from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Target
from tests.support.engine_world import BTC, World

ONE = Decimal(1)


def coarser(world: World, **changes: str) -> None:
    """The exchange changes the symbol's filters."""
    changed = msgspec.structs.replace(BTC, **{k: Decimal(v) for k, v in changes.items()})
    world.commit(InstrumentChanged(instrument=changed.to_text()))


def resting(world: World) -> list[tuple[Side, Decimal | None, Decimal | None, Decimal]]:
    specs = [order.armed.spec for order in world.working()]
    return sorted((s.side, s.price, s.stop_price, s.quantity) for s in specs)


def quoting() -> World:
    world = World()
    world.wish(Target(quantity=Decimal(2)))
    world.bar()
    world.settle()
    world.wish(
        Quotes(
            bids=[Level(Decimal("90.05"), Decimal("1.005"))],
            asks=[Level(Decimal("110.05"), Decimal("1.005"))],
        )
    )
    world.bar()
    world.settle()
    world.wish(KEEP)
    return world


def test_quotes_go_to_the_new_grid_never_to_the_worse_side_of_what_was_meant() -> None:
    world = quoting()
    coarser(world, price_tick="0.1", quantity_step="0.01")
    world.settle()
    world.bar()
    world.settle()
    assert resting(world) == [
        (Side.BUY, Decimal("90.0"), None, Decimal("1.00")),
        (Side.SELL, Decimal("110.1"), None, Decimal("1.00")),
    ]
    assert not world.refusals


def test_a_finer_grid_moves_nothing() -> None:
    world = quoting()
    before, armed = resting(world), len(world.armed)
    coarser(world, price_tick="0.001", quantity_step="0.0001")
    world.settle()
    world.bar()
    world.settle()
    assert (resting(world), len(world.armed)) == (before, armed)


@pytest.mark.parametrize("lists", [False, True])
def test_a_stop_off_the_new_grid_is_placed_again_on_it_so_that_nothing_is_left_unprotected(
    lists: bool,
) -> None:
    world = World(lists=lists)
    profit = Percent(10.03) if lists else None
    world.wish(Target(quantity=ONE, stop=Percent(5.03), take_profit=profit))
    world.bar()
    world.settle()
    world.wish(KEEP)
    coarser(world, price_tick="0.1")
    world.settle()
    stops = [o for o in world.working() if o.exit == "stop"]
    assert [o.armed.spec.stop_price for o in stops] == [Decimal("95.0")]
    for order in list(world.working()):
        world.end(order.armed.cid, OrderState.EXPIRED)
    world.settle()
    for order in world.working():
        for price in (order.armed.spec.price, order.armed.spec.stop_price):
            assert price is None or price % Decimal("0.1") == 0


def test_a_stop_of_more_than_a_coarser_step_allows_is_placed_again_for_what_it_allows() -> None:
    world = World()
    world.wish(Target(quantity=Decimal("1.005"), stop=Percent(5)))
    world.bar()
    world.settle()
    world.wish(KEEP)
    coarser(world, quantity_step="0.01")
    world.settle()
    assert [quantity for *_, quantity in resting(world)] == [ONE]


def test_an_exit_that_was_refused_is_cut_to_a_maximum_that_is_lower_by_now() -> None:
    """The exchange lowers it, refuses the sale, and only then the new filters are known."""
    world = World()
    world.wish(Target(quantity=Decimal(110)))
    world.bar()
    world.settle()
    world.wish(FLAT)
    world.bar()
    (sale,) = world.arm()
    world.reject(sale.cid, final=False)
    coarser(world, market_max_quantity="100")
    world.close_reject(sale.cid)
    world.tick(1)
    world.settle()
    assert world.held() == 0
    assert [armed.spec.quantity for armed in world.armed] == [110, 110, 100, 10]
    assert not world.refusals
    world.check()


def test_a_stop_that_was_refused_is_tried_again_on_a_step_that_is_coarser_by_now() -> None:
    world = World()
    world.wish(Target(quantity=Decimal(2), limit=Decimal(99), stop=Percent(5)))
    world.bar()
    world.settle()
    (entry,) = world.working()
    world.fill(entry.armed.cid, Decimal("1.005"))
    (stop,) = world.arm()
    world.reject(stop.cid, final=False)
    world.fill(entry.armed.cid, Decimal("0.5"))
    coarser(world, quantity_step="0.01")
    world.close_reject(stop.cid)
    world.tick(1)
    world.settle()
    stops = [o.armed.spec.quantity for o in world.working() if o.exit == "stop"]
    assert sum(stops) == Decimal("1.5")
    assert not world.refusals
    world.check()


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_restart_finds_the_same_grid(from_snapshot: bool) -> None:
    world = quoting()
    coarser(world, price_tick="0.1")
    world.settle()
    world.restart(from_snapshot=from_snapshot)
    world.bar()
    world.settle()
    assert [price for _, price, _, _ in resting(world)] == [Decimal("90.0"), Decimal("110.1")]
