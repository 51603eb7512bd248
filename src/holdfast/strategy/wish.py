"""Wishes: what a strategy declares that it wants, never what to do about it.

Not here: their meaning in quantities and orders (engine.decide, engine.derive).
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Final

import msgspec

from holdfast.domain.money import ZERO


class Target(msgspec.Struct, frozen=True, kw_only=True, tag="target"):
    """Hold this net position, bought or sold at market.

    Attributes:
        quantity: base units, >= 0 (version 1 is spot and long only).
        key: makes an incremental wish unique ("buy today's share"); the standing wish has none.
    """

    quantity: Decimal
    key: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, Decimal) or not self.quantity.is_finite():
            raise ValueError(
                f"seen: Target(quantity={self.quantity!r}); expected: a finite Decimal; "
                "write Decimal('0.01')"
            )
        if not isinstance(self.key, str):
            raise ValueError(  # noqa: TRY004 - one kind of error for a wish that cannot be meant
                f"seen: Target(key={self.key!r}); expected: text, such as the schedule slot it is "
                "for"
            )
        if self.quantity < ZERO:
            raise ValueError(
                f"seen: Target(quantity={self.quantity}); expected: zero or more, because version "
                "1 trades spot, long only; return FLAT to leave the market"
            )


class Level(msgspec.Struct, frozen=True):
    """One resting limit order.

    Attributes:
        price: quote units, > 0; put on the tick, away from the market.
        quantity: base units, > 0; cut to the step.
    """

    price: Decimal
    quantity: Decimal

    def __post_init__(self) -> None:
        for name, value in (("price", self.price), ("quantity", self.quantity)):
            if not isinstance(value, Decimal) or not value.is_finite() or value <= ZERO:
                raise ValueError(
                    f"seen: Level({name}={value!r}); expected: a finite Decimal above zero"
                )


class Quotes(msgspec.Struct, frozen=True, kw_only=True, tag="quotes"):
    """Keep exactly these limit orders resting.

    Attributes:
        bids, asks: levels in any order; no price twice on one side.
        post_only: leave out a level that would cross until it no longer does.
    """

    bids: tuple[Level, ...] | list[Level] = ()
    asks: tuple[Level, ...] | list[Level] = ()
    post_only: bool = False

    def __post_init__(self) -> None:
        for side, levels in (("bids", self.bids), ("asks", self.asks)):
            _require_levels(side, levels)
            prices = [level.price for level in levels]
            if len(set(prices)) != len(prices):
                raise ValueError(
                    f"seen: the same price twice in {side}; expected: one level per price; "
                    "add the quantities up"
                )


def _require_levels(side: str, levels: object) -> None:
    """A generator, for one, would be used up by looking at it, and nothing would be quoted."""
    if not isinstance(levels, list | tuple):
        seen = f"is a {type(levels).__name__}"
    else:
        others = [type(level).__name__ for level in levels if not isinstance(level, Level)]
        if not others:
            return
        seen = f"has a {others[0]}"
    raise ValueError(f"seen: {side} {seen}; expected: a list or tuple of Level(price, quantity)")


class Standing(Enum):
    """Wishes that carry no numbers."""

    FLAT = "flat"  # own nothing, want nothing resting
    KEEP = "keep"  # what was wished last still stands


FLAT: Final = Standing.FLAT
KEEP: Final = Standing.KEEP

Wish = Target | Quotes | Standing
