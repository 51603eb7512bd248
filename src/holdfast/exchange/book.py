"""One market's resting orders: price levels, each a queue in order of arrival.

Not here: matching, money, or who owns what. A book only keeps order, and counts its updates.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from holdfast.domain.order import Side
from holdfast.exchange.orders import Order

if TYPE_CHECKING:
    from holdfast.exchange.accounts import Account

_BUY: Final = Side.BUY


class Level(msgspec.Struct):
    """All resting orders at one price, first come first.

    Attributes:
        quantity: the sum of what remains of them, base units.
        orders: by sequence.
    """

    price: Decimal
    quantity: Decimal
    orders: OrderedDict[int, Order]

    @property
    def first(self) -> Order:
        """The order that executes next here."""
        return next(iter(self.orders.values()))


class Offers(Protocol):
    """What a taker can trade against, the best first."""

    @property
    def best(self) -> Level | None:
        """The first level, None when nothing is offered."""
        ...

    def levels(self) -> Iterator[Level]:
        """All levels from the best on; nothing may be taken meanwhile."""
        ...

    def fill(self, level: Level, order: Order, quantity: Decimal) -> None:
        """Note that `quantity` of the resting `order` has executed."""
        ...


class OneSide(Offers, Protocol):
    """One side of a book, so many levels long: what is offered, and where orders rest."""

    def __len__(self) -> int: ...

    def at(self, price: Decimal) -> Level | None:
        """The level at `price`, or None."""
        ...

    def add(self, order: Order, price: Decimal) -> None:
        """Queue `order` behind all others at `price`."""
        ...

    def remove(self, order: Order, price: Decimal) -> None:
        """Take a resting order out; KeyError when it does not rest at `price`."""
        ...


class TwoSides(Protocol):
    """A book, whoever keeps it."""

    @property
    def bids(self) -> OneSide:
        """Where buys rest."""
        ...

    @property
    def asks(self) -> OneSide:
        """Where sells rest."""
        ...

    @property
    def update_id(self) -> int:
        """Rises with every change."""
        ...

    def half(self, side: Side) -> OneSide:
        """The side on which orders of `side` rest."""
        ...

    def facing(self, side: Side, account: Account | None) -> Offers:
        """What an order of `side` can take, when it is this account's (None: the house's)."""
        ...

    def drain_touched(self) -> tuple[list[Decimal], list[Decimal]]:
        """Prices that changed since the last call: bids descending, asks ascending."""
        ...


class Half:
    """One side of a book; `best` is its first level, None when it is empty."""

    def __init__(self, side: Side) -> None:
        self.best: Level | None = None
        self.update_id = 0
        self.touched: set[Decimal] = set()
        self._levels: dict[Decimal, Level] = {}
        self._sign = 1 if side is Side.BUY else -1
        # Prices signed so that the best one is last: taking the best off costs no shifting.
        self._keys: list[Decimal] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, order: Order, price: Decimal) -> None:
        """Queue `order` behind all others at `price`."""
        level = self._levels.get(price)
        if level is None:
            level = Level(price, order.remaining, OrderedDict({order.sequence: order}))
            self._levels[price] = level
            insort(self._keys, self._sign * price)
            if self.best is None or self._keys[-1] == self._sign * price:
                self.best = level
        else:
            level.orders[order.sequence] = order
            level.quantity += order.remaining
        self._touch(price)

    def remove(self, order: Order, price: Decimal) -> None:
        """Take a resting order out; KeyError when it does not rest at `price`."""
        level = self._levels[price]
        del level.orders[order.sequence]
        level.quantity -= order.remaining
        if not level.orders:
            self._drop(level)
        self._touch(price)

    def fill(self, level: Level, order: Order, quantity: Decimal) -> None:
        """Note that `quantity` of the resting `order` has executed; a filled one leaves."""
        level.quantity -= quantity
        if not order.remaining:
            del level.orders[order.sequence]
            if not level.orders:
                self._drop(level)
        self._touch(level.price)

    def levels(self) -> Iterator[Level]:
        """All levels from the best on; the book must not change meanwhile."""
        levels, sign = self._levels, self._sign
        return (levels[sign * key] for key in reversed(self._keys))

    def at(self, price: Decimal) -> Level | None:
        """The level at `price`, or None."""
        return self._levels.get(price)

    def _drop(self, level: Level) -> None:
        del self._levels[level.price]
        keys = self._keys
        if level is self.best:
            keys.pop()
            self.best = self._levels[self._sign * keys[-1]] if keys else None
        else:
            del keys[bisect_left(keys, self._sign * level.price)]

    def _touch(self, price: Decimal) -> None:
        self.update_id += 1
        self.touched.add(price)


class Book:
    """Both sides of one market."""

    def __init__(self) -> None:
        self.bids = Half(Side.BUY)
        self.asks = Half(Side.SELL)

    @property
    def update_id(self) -> int:
        """Rises with every change of a level."""
        return self.bids.update_id + self.asks.update_id

    def half(self, side: Side) -> Half:
        """The side on which orders of `side` rest."""
        return self.bids if side is _BUY else self.asks

    def facing(self, side: Side, _account: Account | None) -> Half:
        """What an order of `side` can take: the same for all accounts."""
        return self.asks if side is _BUY else self.bids

    def drain_touched(self) -> tuple[list[Decimal], list[Decimal]]:
        """Prices that changed since the last call: bids descending, asks ascending."""
        bids = sorted(self.bids.touched, reverse=True)
        asks = sorted(self.asks.touched)
        self.bids.touched.clear()
        self.asks.touched.clear()
        return bids, asks
