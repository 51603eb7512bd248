"""Orders that rest in somebody else's market: what waits before each, and which prints reach it.

Nobody there knows of them, so what would have happened is assumed, on the side that is worse for
the order. Pure; paper trading and backtests share it. Not here: the book itself, or booking a fill
(exchange.mirror, lab.tape_venue).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from decimal import Decimal
from operator import attrgetter
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from holdfast.domain.market import Trade
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side

UNTOLD: Final = Decimal("Infinity")
"""What is offered at a price that nobody has told of."""


class Waiter(Protocol):
    """An order, as far as waiting goes."""

    @property
    def sequence(self) -> int:
        """Order of arrival, unique within a market."""
        ...

    @property
    def owner(self) -> int:
        """Whose it is: all orders of one owner share what a print offers."""
        ...

    @property
    def remaining(self) -> Decimal:
        """Base units that have not executed."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it may still execute."""
        ...


class Shown(Protocol):
    """The side of the market that the orders rest on, as it is known."""

    @property
    def edge(self) -> Decimal | None:
        """The last price that a snapshot told; further ones are known only once they change."""
        ...

    def quantity_at(self, price: Decimal) -> Decimal:
        """What is shown at a price: 0 for nothing, infinite while the book is not known."""
        ...


WaiterT = TypeVar("WaiterT", bound=Waiter)


class Place(msgspec.Struct, Generic[WaiterT]):
    """Where one order stands.

    Attributes:
        rank: price, signed so that the best is the least, and order of arrival.
        ahead: base units that must trade at its price before it does; infinite when unknown.
        since_ns: when it joined; earlier prints happened before it was there.
    """

    rank: tuple[Decimal, int]
    order: WaiterT
    price: Decimal
    ahead: Decimal
    since_ns: int


class WaitingLine(Generic[WaiterT]):
    """The resting orders of one side of one market.

    A print fills an order when it goes through the order's price, or is at that price, by a taker
    of the other side, and what was ahead of it has traded. All orders of an owner together never
    get more of a print than its quantity; owners do not compete. What is ahead shrinks with the
    prints at that price, and never exceeds what the market shows there: whoever cancels, stood
    behind as long as that is possible.
    """

    def __init__(self, side: Side, shown: Shown) -> None:
        self._side = side
        self._shown = shown
        self._sign = -1 if side is Side.BUY else 1
        self._places: list[Place[WaiterT]] = []

    def __len__(self) -> int:
        return len(self._places)

    def join(self, order: WaiterT, price: Decimal, since_ns: int) -> None:
        """Queue `order` behind all that is, or may be, at `price`."""
        rank = (self._sign * price, order.sequence)
        place = Place(rank, order, price, self._ahead_at(price), since_ns)
        insort(self._places, place, key=attrgetter("rank"))

    def leave(self, order: WaiterT) -> None:
        """Take an order out; KeyError when it does not wait here."""
        for number, place in enumerate(self._places):
            if place.order is order:
                del self._places[number]
                return
        raise KeyError(order.sequence)

    def ahead_of(self, order: WaiterT) -> Decimal:
        """How much must trade before `order`; KeyError when it does not wait here."""
        for place in self._places:
            if place.order is order:
                return place.ahead
        raise KeyError(order.sequence)

    def learn(self, prices: Iterable[Decimal] | None) -> None:
        """These prices, or all (None), were told anew: more than is shown is ahead of nobody."""
        if not self._places:
            return
        told = None if prices is None else set(prices)
        for place in self._places:
            if told is None:
                most = self._ahead_at(place.price)
            elif place.price in told:
                most = self._shown.quantity_at(place.price)
            else:
                continue
            place.ahead = min(place.ahead, most)

    def _ahead_at(self, price: Decimal) -> Decimal:
        """What a newcomer has ahead at a price; infinite where nobody was told of it yet."""
        quantity, edge = self._shown.quantity_at(price), self._shown.edge
        if not quantity and edge is not None and self._sign * (price - edge) > 0:
            return UNTOLD
        return quantity

    def reached(self, trade: Trade) -> Iterator[tuple[WaiterT, Decimal]]:
        """What `trade` fills: order and base units, best price first, in order of arrival.

        The caller books each before it asks for the next; an order that has ended meanwhile is
        passed over. A filled one has left the line.
        """
        taker_faces = trade.buyer_is_maker is (self._side is Side.BUY)
        left: dict[int, Decimal] = {}
        for place in list(self._places):
            through = self._sign * (trade.price - place.price)
            if through < 0:
                return  # neither this order nor any after it is reached
            order = place.order
            if trade.at_ns < place.since_ns or not order.is_open:
                continue
            available = left.get(order.owner, trade.quantity)
            if through:
                offered = available
            elif taker_faces:
                offered = max(available - place.ahead, ZERO)
                place.ahead = max(place.ahead - available, ZERO)
            else:
                continue
            quantity = min(order.remaining, offered)
            if not quantity:
                continue
            left[order.owner] = available - quantity
            if quantity == order.remaining:
                self.leave(order)
            yield order, quantity
