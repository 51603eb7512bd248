"""What an order meets in a recorded order book: the levels that it walks, and what is left of it.

Lives here: the walk, pure, and what a venue needs to know of recorded books. Not here: making books
from recordings (market.book_replay), orders that fill by bars (bar_venue).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, Protocol

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side

_BUY = Side.BUY
Level = tuple[Decimal, Decimal]


class Books(Protocol):
    """The recorded books of one symbol, asked forward in time."""

    @property
    def coverage(self) -> str:
        """From when books are known, and until when they were seen: for people."""
        ...

    def levels(self, side: Side, at_ns: int) -> Iterable[Level] | None:
        """What an order of `side` meets that arrives at `at_ns`: price and quantity, best first.

        The newest book at or before that time, less what was taken; None where none is known.
        """
        ...

    def take(self, side: Side, parts: Sequence[Level]) -> None:
        """An order of `side` has executed these: nobody gets them again."""
        ...


class Walk(NamedTuple):
    """How far an order came.

    Attributes:
        parts: price and quantity of each level that it took, best first; may be empty.
        unfilled: what is left of its quantity, because the book or its limit ended.
    """

    parts: tuple[Level, ...]
    unfilled: Decimal

    @property
    def quantity(self) -> Decimal:
        """Base units executed."""
        return sum((quantity for _, quantity in self.parts), ZERO)

    @property
    def value(self) -> Decimal:
        """Quote units executed; over `quantity` it is the average price."""
        return sum((price * quantity for price, quantity in self.parts), ZERO)


def walk(
    levels: Iterable[Level], side: Side, quantity: Decimal, limit: Decimal | None = None
) -> Walk:
    """Take `quantity` from `levels`, level by level.

    Args:
        levels: price and quantity, best first for an order of `side`.
        limit: no level beyond this price is taken; None takes any.
    """
    parts: list[Level] = []
    for price, offered in levels:
        if limit is not None and (price > limit if side is _BUY else price < limit):
            break
        part = min(offered, quantity)
        parts.append((price, part))
        quantity -= part
        if not quantity:
            break
    return Walk(tuple(parts), quantity)
