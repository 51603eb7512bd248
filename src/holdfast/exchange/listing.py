"""One symbol as the engine keeps it: rules, book, last and average price, triggers, counters.

Not here: matching itself, or the history of its trades (`tape`).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from decimal import Decimal
from typing import Final

from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.book import Book, TwoSides
from holdfast.exchange.filters import Rules, rules_of
from holdfast.exchange.orders import Kind, Order, Trade

AVERAGE_SPAN_S: Final = 300
_SECOND_NS: Final = 1_000_000_000
_STOPS: Final = frozenset({Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT})


class AveragePrice:
    """The volume-weighted price of the last five minutes, as of the last full second."""

    def __init__(self) -> None:
        self.value: Decimal | None = None
        self._second = -1
        self._cost = ZERO
        self._quantity = ZERO
        self._past: deque[tuple[int, Decimal, Decimal]] = deque()
        self._past_cost = ZERO
        self._past_quantity = ZERO

    def note(self, price: Decimal, cost: Decimal, quantity: Decimal, at_ns: int) -> None:
        """Count a trade."""
        second = at_ns // _SECOND_NS
        if second != self._second:
            self._turn(second)
            if self.value is None:
                self.value = price
        self._cost += cost
        self._quantity += quantity

    def _turn(self, second: int) -> None:
        if self._quantity:
            self._past.append((self._second, self._cost, self._quantity))
            self._past_cost += self._cost
            self._past_quantity += self._quantity
            self._cost = self._quantity = ZERO
        while len(self._past) > 1 and self._past[0][0] <= second - AVERAGE_SPAN_S:
            _, cost, quantity = self._past.popleft()
            self._past_cost -= cost
            self._past_quantity -= quantity
        if self._past_quantity:
            self.value = self._past_cost / self._past_quantity
        self._second = second


class Triggers:
    """Orders that wait for the last price to reach their stop price."""

    def __init__(self) -> None:
        # (signed stop price, sequence, order): the next one to fire is first in each list.
        self._rising: list[tuple[Decimal, int, Order]] = []
        self._falling: list[tuple[Decimal, int, Order]] = []

    def __bool__(self) -> bool:
        return bool(self._rising or self._falling)

    def add(self, order: Order) -> None:
        """Wait for `order`'s stop price."""
        stop = _stop_price(order)
        if fires_upwards(order.kind, order.side):
            insort(self._rising, (stop, order.sequence, order))
        else:
            insort(self._falling, (-stop, order.sequence, order))

    def remove(self, order: Order) -> None:
        """Wait no longer; ValueError when `order` did not wait."""
        stop = _stop_price(order)
        if fires_upwards(order.kind, order.side):
            self._rising.remove((stop, order.sequence, order))
        else:
            self._falling.remove((-stop, order.sequence, order))

    def pop_fired(self, last_price: Decimal) -> Order | None:
        """The next order whose stop price `last_price` has reached, or None."""
        if self._rising and self._rising[0][0] <= last_price:
            return self._rising.pop(0)[2]
        if self._falling and -self._falling[0][0] >= last_price:
            return self._falling.pop(0)[2]
        return None


def fires_upwards(kind: Kind, side: Side) -> bool:
    """Whether a trigger order waits for the price to rise to its stop price."""
    return (kind in _STOPS) is (side is Side.BUY)


def _stop_price(order: Order) -> Decimal:
    if order.stop_price is None:
        raise ValueError(f"order {order.order_id} on {order.symbol} has no stop price to wait for")
    return order.stop_price


class Listing:
    """A symbol that trades here.

    Attributes:
        is_mirror: whether it shows another exchange's market, to which nothing done here is added.
    """

    is_mirror = False

    def __init__(self, instrument: Instrument, book: TwoSides | None = None) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.base = instrument.base
        self.quote = instrument.quote
        self.rules: Rules = rules_of(instrument)
        self.book: TwoSides = Book() if book is None else book
        self.triggers = Triggers()
        self.average = AveragePrice()
        self.last_price: Decimal | None = None
        self.last_order_id = 0
        self.last_trade_id = 0
        self.house: dict[int, Order] = {}

    @property
    def status(self) -> str:
        """Whether it takes orders, in the exchange's words."""
        return "TRADING" if self.rules.is_trading else "HALT"

    def spent_by(self, side: Side) -> str:
        """The asset that orders of `side` pay with."""
        return self.quote if side is Side.BUY else self.base

    def print_trade(
        self, price: Decimal, quantity: Decimal, at_ns: int, *, buyer_is_maker: bool
    ) -> Trade:
        """Number a trade and let the prices know of it."""
        self.last_trade_id += 1
        self.last_price = price
        cost = price * quantity
        self.average.note(price, cost, quantity, at_ns)
        return Trade(self.symbol, self.last_trade_id, price, quantity, cost, buyer_is_maker, at_ns)
