"""A venue that knows every print: when an order fills on the tape, at which price, at what fee.

Lives here: the fill rules of a backtest over recorded trades, pure. What takes walks the recorded
book as of its arrival, or without books fills at the first print from then on, moved by the
slippage. What rests waits behind what the book shows, and fills as in a mirrored market
(domain.waiting_line); without books only when a print goes through its price. Stops are set off by
prints. Not here: money (settlement), bars (bar_venue), time (app.research.tape_backtest).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain
from typing import Final, cast

import msgspec

from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.market import BookLevels, Level, Trade
from holdfast.domain.money import ZERO
from holdfast.domain.order import OrderSpec, OrderState, Side
from holdfast.domain.waiting_line import UNTOLD, WaitingLine
from holdfast.lab.depth import Depth, QueueBooks, walk
from holdfast.lab.settlement import (
    Outcome,
    Settlement,
    Terms,
    Working,
    accepted,
    is_unfit,
    parted,
)
from holdfast.lab.triggers import is_stop, jumped, takes, trigger_of

_BUY, _SELL = Side.BUY, Side.SELL
NEVER_NS: Final = 1 << 63


class _Order(Working):
    """An order at the venue, or on its way there.

    Attributes:
        remaining: base units that have not executed.
        is_open: whether it may still execute.
    """

    remaining: Decimal = ZERO
    is_open: bool = True

    @property
    def sequence(self) -> int:
        return self.order_id

    @property
    def owner(self) -> int:
        return 0


class _Sent(msgspec.Struct):
    """An order on its way, or a cancel of one (`order` is None)."""

    arrives_ns: int
    cid: str
    order: _Order | None


class _Queue:
    """One side of the recorded books, as those who wait there see it."""

    def __init__(self, side: Side, depth: Depth[QueueBooks] | None) -> None:
        self._side = side
        self._books = None if depth is None else depth.books

    @property
    def edge(self) -> Decimal | None:
        return None if self._books is None else self._books.edge(self._side)

    def quantity_at(self, price: Decimal) -> Decimal:
        return UNTOLD if self._books is None else self._books.quantity_at(self._side, price)


class TapeVenue(Settlement):
    """One market of one account, told of every print in turn, and of the time between them.

    Args:
        free: what can be spent, by asset; the markets of one account share it.
        depth: recorded books; None when there are none.

    Attributes:
        last: the price of the last print, None before the first.
        next_ns: when the next order or cancel arrives; `NEVER_NS` when none is on its way.
    """

    def __init__(
        self,
        instrument: Instrument,
        terms: Terms,
        free: dict[str, Decimal],
        depth: Depth[QueueBooks] | None = None,
    ) -> None:
        super().__init__(instrument, terms, free)
        self.depth = depth
        self.last: Decimal | None = None
        self.next_ns = NEVER_NS
        self._sent: list[_Sent] = []  # by arrival
        self._unmet: list[_Order] = []  # they take, and the next print says at which price
        self._fresh: list[_Order] = []  # limits beyond the last print: the next one may meet them
        self._stops: dict[str, _Order] = {}
        self._limits: dict[str, _Order] = {}
        self._lines: dict[Side, WaitingLine[_Order]] = {
            side: WaitingLine(side, _Queue(side, depth)) for side in (_BUY, _SELL)
        }

    @property
    def is_idle(self) -> bool:
        """Whether a print can do nothing but be the last one."""
        return not (self._limits or self._stops or self._unmet)

    # -- orders in ---------------------------------------------------------------------------------

    def submit(
        self, cid: str, spec: OrderSpec, sent_ns: int, *, mate: tuple[str, OrderSpec] | None = None
    ) -> None:
        """Take an order that was decided at `sent_ns`, UTC nanoseconds; it is on its way now.

        Args:
            mate: the stop that makes a list with it, of the same quantity.
        """
        order = self._made(cid, spec)
        if mate is not None:
            order.mate = self._made(*mate)
            order.mate.mate = order
        self._send(cid, order, sent_ns)

    def _made(self, cid: str, spec: OrderSpec) -> _Order:
        self._orders += 1
        return _Order(self._orders, cid, spec, remaining=spec.quantity)

    def cancel(self, cid: str, sent_ns: int) -> None:
        """Take an order back, and with it the other of its list.

        As soon as the cancel arrives, if it is there then.
        """
        self._send(cid, None, sent_ns)

    def _send(self, cid: str, order: _Order | None, sent_ns: int) -> None:
        sent = _Sent(sent_ns + self.terms.latency_ns, cid, order)
        insort(self._sent, sent, key=_arrival)
        self.next_ns = self._sent[0].arrives_ns

    def arrive(self, now_ns: int) -> Iterator[Outcome]:
        """What has arrived by `now_ns` takes effect, in the order of arrival."""
        while self.next_ns <= now_ns:
            sent = self._sent.pop(0)
            self.next_ns = self._sent[0].arrives_ns if self._sent else NEVER_NS
            if sent.order is None:
                yield from self._cancelled(sent.cid, sent.arrives_ns)
            else:
                self._follow(sent.arrives_ns)
                yield from self._arrived(sent.order, sent.arrives_ns)

    def _arrived(self, order: _Order, at_ns: int) -> Iterator[Outcome]:
        if takes(order.spec):
            walked = self._walked(order, at_ns)
            if walked is None:
                self._unmet.append(order)
            else:
                yield walked
        elif is_stop(order.spec):
            lacks = self._hold(order, trigger_of(order.spec))
            yield self._refused(order, lacks, at_ns) if lacks else accepted(order, at_ns)
            if not lacks and self.last is not None and jumped(order.spec, self.last):
                yield from self._set_off(order, None, at_ns)
            elif not lacks:
                self._stops[order.cid] = order
        else:
            yield self._limit(order, at_ns)

    def _limit(self, order: _Order, at_ns: int) -> Outcome:
        """It takes what is offered up to its price, and waits with the rest."""
        spec, limit = order.spec, trigger_of(order.spec)
        found = None if self.depth is None else self.depth.books.levels(spec.side, at_ns)
        levels = None if found is None else iter(found)
        first = None if levels is None else next(levels, None)
        best = self.last if first is None else first[0]
        why = is_unfit(order, best, self.last) or self._hold(order, limit)
        if why:
            return self._refused(order, why, at_ns)
        parts: tuple[Level, ...] = ()
        if self.depth is not None and levels is not None:
            offered = () if first is None else chain((first,), levels)
            parts = walk(offered, spec.side, spec.quantity, limit).parts
            self.depth.books.take(spec.side, parts)
            self.depth.walked += bool(parts)
        if order.mate is not None:
            self._stops[order.mate.cid] = cast("_Order", order.mate)
        outcome = self._executed(order, parts, at_ns) if parts else accepted(order, at_ns)
        if order.is_open:
            self._limits[order.cid] = order
            self._lines[spec.side].join(order, limit, at_ns)
            if levels is None and (self.last is None or jumped(spec, self.last)):
                self._fresh.append(order)
        return outcome

    def _cancelled(self, cid: str, at_ns: int) -> Iterator[Outcome]:
        order = self._limits.get(cid) or self._stops.get(cid)
        if order is not None:
            self._leave(order)
            mate = self._leave_with(order)
            ended = Outcome(cid, order.order_id, OrderState.CANCELLED, at_ns=at_ns)
            yield parted(order, mate, ended)

    def _leave_with(self, order: Working) -> Working | None:
        """The other of an order's list leaves too; which one that is."""
        mate = order.mate
        if mate is not None:
            self._leave(cast("_Order", mate))
        return mate

    def _leave(self, order: _Order) -> None:
        """An order that rests does so no more."""
        if self._stops.pop(order.cid, None) is None:
            del self._limits[order.cid]
            self._lines[order.spec.side].leave(order)
        order.is_open = False
        self._let_go(order)

    # -- the market --------------------------------------------------------------------------------

    def print(self, trade: Trade) -> Iterator[Outcome]:
        """Somebody traded: what this fills and sets off, one after the other."""
        price, at_ns = trade.price, trade.at_ns
        self._follow(at_ns - 1)
        unmet, self._unmet = self._unmet, []
        for order in unmet:
            yield self._at_market(order, price, at_ns)
        fresh, self._fresh = self._fresh, []
        for order in fresh:
            if order.is_open and jumped(order.spec, price):
                self._lines[order.spec.side].leave(order)
                yield self._executed(order, ((price, order.remaining),), at_ns)
        for order in [one for one in self._stops.values() if jumped(one.spec, price)]:
            del self._stops[order.cid]
            yield from self._set_off(order, price, at_ns)
        for line in self._lines.values():
            for order, quantity in line.reached(trade):
                part = trigger_of(order.spec), quantity
                yield self._executed(order, (part,), at_ns, is_maker=True)
        self.last = price

    def best(self, levels: int, at_ns: int) -> BookLevels:
        """The best levels of the recorded book at `at_ns`; none where none is known."""
        if self.depth is None:
            return BookLevels(0, self.instrument.symbol)
        self._follow(at_ns)
        return self.depth.books.best(levels, at_ns)

    def _follow(self, until_ns: int) -> None:
        """Who waits learns what the book tells anew; while nobody does, it is not asked."""
        if self.depth is None or not self._limits:
            return
        for told in self.depth.books.changes(until_ns):
            bids, asks = (None, None) if told is None else told
            self._lines[_BUY].learn(bids)
            self._lines[_SELL].learn(asks)

    # -- what follows ------------------------------------------------------------------------------

    def _set_off(self, order: _Order, price: Decimal | None, at_ns: int) -> Iterator[Outcome]:
        """A stop is a market order now, at `price`; or at the next print where that is None."""
        self._let_go(order)
        mate = self._leave_with(order)
        walked = self._walked(order, at_ns)
        if walked is not None:
            yield parted(order, mate, walked)
        elif price is not None:
            yield parted(order, mate, self._at_market(order, price, at_ns))
        else:
            self._unmet.append(order)

    def _walked(self, order: _Order, at_ns: int) -> Outcome | None:
        """What an order made of the book at `at_ns`; None where there is no book for it."""
        found = None if self.depth is None else self.depth.walk(order.spec, at_ns)
        if self.depth is None or found is None:
            return None
        return self._taken(order, found, self.depth.books, at_ns)

    def _executed(
        self, order: _Order, parts: tuple[Level, ...], at_ns: int, *, is_maker: bool = False
    ) -> Outcome:
        """Parts of an order execute, each at its price; what is left keeps its money."""
        spec = order.spec
        mate = self._leave_with(order)
        self._let_go(order)
        fills: list[Fill] = []
        for price, quantity in parts:
            fills.append(self._booked(order, price, quantity, at_ns, is_maker=is_maker))
            order.remaining -= quantity
        order.is_open = order.remaining > ZERO
        if order.is_open:
            left = msgspec.structs.replace(spec, quantity=order.remaining)
            asset, order.held = self._needs(left, trigger_of(spec))
            self.free[asset] -= order.held
        else:
            self._limits.pop(order.cid, None)
        state = OrderState.PARTIALLY_FILLED if order.is_open else OrderState.FILLED
        made = Outcome(order.cid, order.order_id, state, tuple(fills), at_ns=at_ns)
        return parted(order, mate, made)


def _arrival(sent: _Sent) -> int:
    return sent.arrives_ns
