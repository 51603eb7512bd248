"""A position with a stop and a take-profit, as tests look at it."""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.event import QuoteSeen
from holdfast.domain.market import Quote
from holdfast.domain.order import OrderSpec, OrderType, Side
from holdfast.ledger.state import LiveOrder
from holdfast.strategy import Percent, Target
from tests.support.engine_world import World

D = Decimal
ONE = Decimal(1)
SAFE = Target(quantity=ONE, stop=Percent(2), take_profit=Percent(4))


def holding(wish: Target = SAFE) -> World:
    """A world in which the wish was bought at 100, and protected."""
    world = World()
    world.wish(wish)
    world.bar()
    world.settle()
    world.check()
    return world


def stop_of(world: World) -> LiveOrder:
    (stop,) = [order for order in world.account.live.values() if order.exit == "stop"]
    return stop


def spec_of(world: World) -> tuple[OrderType, Decimal, Decimal | None]:
    spec = stop_of(world).armed.spec
    return spec.type, spec.quantity, spec.stop_price


def sells(world: World) -> list[OrderSpec]:
    return [a.spec for a in world.armed if a.spec.side is Side.SELL]


def quote(world: World, price: int) -> None:
    world.prices["BTC/USDT"] = D(price)
    world.take(QuoteSeen(Quote(world.now_ns, "BTC/USDT", D(price), D(price))))
