"""Orders that rest in a mirrored market: how much waits before each, and which prints reach it.

Nobody there knows of them, so what would have happened is assumed, on the side that is worse for
the order. Pure. Not here: the depth itself, or booking a fill (`mirror`).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from decimal import Decimal
from operator import attrgetter

import msgspec

from holdfast.domain.market import Trade
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.orders import Order


class Place(msgspec.Struct):
    """Where one order stands.

    Attributes:
        rank: price, signed so that the best is the least, and order of arrival.
        ahead: base units that must trade at its price before it does; infinite when unknown.
        since_ns: of the book that it joined; earlier prints happened before it was there.
    """

    rank: tuple[Decimal, int]
    order: Order
    price: Decimal
    ahead: Decimal
    since_ns: int


class WaitingLine:
    """The resting orders of one side of one market.

    A print fills an order when it goes through the order's price, or is at that price, by a taker
    of the other side, and what was ahead of it has traded. All orders of an account together never
    get more of a print than its quantity; accounts do not compete. What is ahead shrinks with the
    prints at that price, and never exceeds what the market shows there: whoever cancels, stood
    behind as long as that is possible.
    """

    def __init__(self, side: Side) -> None:
        self._side = side
        self._sign = -1 if side is Side.BUY else 1
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def join(self, order: Order, price: Decimal, ahead: Decimal, since_ns: int) -> None:
        """Queue `order` behind `ahead` units of others at `price`, in a book of `since_ns`."""
        rank = (self._sign * price, order.sequence)
        insort(self._places, Place(rank, order, price, ahead, since_ns), key=attrgetter("rank"))

    def leave(self, order: Order) -> None:
        """Take an order out; KeyError when it does not wait here."""
        for number, place in enumerate(self._places):
            if place.order is order:
                del self._places[number]
                return
        raise KeyError(order.sequence)

    def ahead_of(self, order: Order) -> Decimal:
        """How much must trade before `order`; KeyError when it does not wait here."""
        for place in self._places:
            if place.order is order:
                return place.ahead
        raise KeyError(order.sequence)

    def shrink(self, shown: Iterable[tuple[Decimal, Decimal]]) -> None:
        """Learn what the market shows at some prices now: more than that is ahead of nobody."""
        if not self._places:
            return
        quantities = dict(shown)
        for place in self._places:
            most = quantities.get(place.price)
            if most is not None and most < place.ahead:
                place.ahead = most

    def prices(self) -> set[Decimal]:
        """Where somebody waits."""
        return {place.price for place in self._places}

    def reached(self, trade: Trade) -> Iterator[tuple[Order, Decimal]]:
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
            number = order.account.number if order.account is not None else 0
            available = left.get(number, trade.quantity)
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
            left[number] = available - quantity
            if quantity == order.remaining:
                self.leave(order)
            yield order, quantity
