"""Wishes that tests of the engine are made of, and what rests in a world.

Not here: the world (engine_world).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.order import Side
from holdfast.strategy import Level, Quotes, Target
from tests.support.engine_world import SECOND_NS, World

ONE = Decimal(1)
DAY_NS = 86_400 * SECOND_NS


def target(quantity: str, key: str = "") -> Target:
    return Target(quantity=Decimal(quantity), key=key)


def bids(*prices: int, quantity: str = "1", post_only: bool = False) -> Quotes:
    levels = [Level(Decimal(price), Decimal(quantity)) for price in prices]
    return Quotes(bids=levels, post_only=post_only)


def resting(world: World) -> list[tuple[Side, Decimal | None, Decimal]]:
    specs = [order.armed.spec for order in world.working()]
    return sorted((s.side, s.price, s.quantity) for s in specs)


def world_with(wish: object, **options: object) -> World:
    """A world in which the bot has wished `wish` at one bar, and nothing was journaled yet."""
    world = World(**options)  # type: ignore[arg-type]
    world.wish(wish)
    world.bar()
    return world
