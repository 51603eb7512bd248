"""A venue that knows nothing but bars: when an order fills in one, at which price, at what fee.

Lives here: the fill rules of a backtest, pure. Market orders fill at the next open, moved by the
slippage, or walk a recorded book; limits when a bar trades through them, at the better of open and
limit; stops inside the bar. Where one bar reaches a stop and a limit that would close the same
position, the stop fills and the bar counts as ambiguous. With a latency, orders and cancels take
effect when they arrive; bars do not tell prices inside, so within one only what hurts does: stops.
Not here: books and how orders walk them (depth), money (settlement), prints and queues
(tape_venue), time (app.research.backtest).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import OrderSpec, OrderState, Side
from holdfast.lab.depth import Books, Depth
from holdfast.lab.settlement import (
    Outcome,
    Settlement,
    Terms,
    Working,
    accepted,
    is_unfit,
    parted,
)
from holdfast.lab.triggers import (
    is_stop,
    jumped,
    reach_of,
    reached,
    takes,
    through,
    trigger_of,
)

_BUY, _SELL = Side.BUY, Side.SELL


class _Sent(msgspec.Struct):
    """An order on its way, or a cancel of one that rests (`order` is None).

    Attributes:
        by_bars: there was no book for it when it arrived.
    """

    arrives_ns: int
    cid: str
    order: Working | None
    by_bars: bool = False

    @property
    def takes(self) -> bool:
        """Whether it is an order that executes as it arrives, or not at all."""
        return self.order is not None and takes(self.order.spec)


class BarVenue(Settlement):
    """One market of one account.

    Each bar is told as `open`, `meanwhile`, `lose_clock`, `inside` and `close`; all but the first
    and `inside` do nothing unless a latency or books say when an order arrives.

    Args:
        depth: recorded books, walked by what takes; None fills it by bars.

    Attributes:
        fall_to, rise_to: a bar whose low (high) does not reach them fills nothing that rests.
        at_market: whether the next bar matters whatever its prices: something is on its way.
        ambiguous_bars: bars in which the order of events decided, and the worse one was taken.
        is_late: whether orders and cancels take time to arrive.
        is_timed: whether it matters when exactly they arrive.
    """

    def __init__(
        self,
        instrument: Instrument,
        terms: Terms,
        free: dict[str, Decimal],
        depth: Depth[Books] | None = None,
    ) -> None:
        super().__init__(instrument, terms, free)
        self.depth = depth
        self.is_late = terms.latency_ns > 0
        self.is_timed = self.is_late or depth is not None
        self.fall_to, self.rise_to = reach_of(())
        self.at_market = False
        self.ambiguous_bars = 0
        self._sent: list[_Sent] = []  # by arrival
        self._close_ns = 0  # of the bar
        self._last_ns: int | None = None  # of the bar, while nobody knows when in it things happen
        self._resting: dict[str, Working] = {}
        self._asleep: list[Working] = []  # limits of lists that arrived inside the bar

    # -- orders in ---------------------------------------------------------------------------------

    def submit(
        self,
        cid: str,
        spec: OrderSpec,
        last: Decimal,
        sent_ns: int = 0,
        *,
        mate: tuple[str, OrderSpec] | None = None,
    ) -> Outcome | None:
        """Take an order: it rests, is refused, or is on its way (None).

        Args:
            last: the market's last price, which a post-only order may not cross.
            sent_ns: when it was decided, UTC nanoseconds.
            mate: the stop that makes a list with it, of the same quantity.
        """
        self._orders += 1
        order = Working(self._orders, cid, spec)
        if mate is not None:
            self._orders += 1
            order.mate = Working(self._orders, *mate, mate=order)
        if not self.is_late and not takes(spec):
            return self._rest(order, last, sent_ns)
        self._send(cid, order, sent_ns)
        return None

    def cancel(self, cid: str, sent_ns: int = 0) -> Outcome | None:
        """Take an order back, and with it the other of its list.

        None when the cancel is on its way, or the order gone already.
        """
        if not self.is_late:
            return self._cancelled(cid, sent_ns)
        self._send(cid, None, sent_ns)
        return None

    def _send(self, cid: str, order: Working | None, sent_ns: int) -> None:
        arrives_ns = sent_ns + self.terms.latency_ns
        if self._last_ns is not None:
            # An answer to something inside the bar: at its end it has happened, not earlier.
            arrives_ns = max(arrives_ns, self._last_ns)
        insort(self._sent, _Sent(arrives_ns, cid, order), key=_arrival)
        self.at_market = True

    def _pop(self, at: int) -> _Sent:
        sent = self._sent.pop(at)
        self.at_market = bool(self._sent)
        return sent

    def _arrive(self, sent: _Sent, price: Decimal, at_ns: int) -> Iterator[Outcome]:
        """It is there, and the market at `price`."""
        order = sent.order
        if order is None:
            cancelled = self._cancelled(sent.cid, at_ns)
            if cancelled is not None:
                yield cancelled
        elif not sent.takes:
            yield self._rest(order, price, at_ns)
        else:
            walked = None if sent.by_bars else self._walked(order, sent.arrives_ns)
            yield walked or self._at_market(order, price, at_ns)

    def _rest(self, order: Working, last: Decimal, at_ns: int) -> Outcome:
        limit, mate = order.spec.price, order.mate
        why = is_unfit(order, last, last) or self._hold(order, limit if limit is not None else last)
        if why:
            return self._refused(order, why, at_ns)
        self._latest_ns = max(self._latest_ns, at_ns)
        self._resting[order.cid] = order
        if mate is not None:
            self._resting[mate.cid] = mate
        self._look()
        return accepted(order, at_ns)

    def _cancelled(self, cid: str, at_ns: int) -> Outcome | None:
        order = self._resting.get(cid)
        if order is None:
            return None
        mate = self._unrest(order)
        ended = Outcome(cid, order.order_id, OrderState.CANCELLED, at_ns=at_ns)
        return parted(order, mate, ended)

    # -- bars --------------------------------------------------------------------------------------

    def open(self, price: Decimal, at_ns: int, close_ns: int = 0) -> Iterator[Outcome]:
        """The bar opens: what arrived before, and what it jumped over.

        Args:
            close_ns: when the bar closes; only a latency or books need to know.
        """
        self._last_ns, self._close_ns = None, close_ns
        due = [sent for sent in self._sent if sent.arrives_ns <= at_ns or not self.is_timed]
        del self._sent[: len(due)]
        self.at_market = bool(self._sent)
        for sent in due:
            yield from self._arrive(sent, price, at_ns)
        passed = [order for order in self._resting.values() if jumped(order.spec, price)]
        for together in self._at_once(passed):
            yield from [
                self._triggered(order, price, at_ns, at_ns)
                if is_stop(order.spec)
                else self._fill(order, price, at_ns)
                for order in together
            ]

    def meanwhile(self, opened: Decimal) -> Iterator[Outcome]:
        """What need not wait for the close: stops, and what takes from a book that is known.

        Args:
            opened: the bar's first price.
        """
        at = 0
        while at < len(self._sent) and self._sent[at].arrives_ns < self._close_ns:
            sent = self._sent[at]
            order, arrives_ns = sent.order, sent.arrives_ns
            if order is not None and (order.mate is not None or is_stop(order.spec)):
                self._pop(at)
                yield self._rest(order, opened, arrives_ns)
                if order.mate is not None:
                    self._asleep.append(order)  # its limit; the stop is there
                elif order.cid in self._resting and jumped(order.spec, opened):
                    yield self._triggered(order, opened, arrives_ns, arrives_ns)
                continue
            if order is not None and sent.takes and not sent.by_bars:
                walked = self._walked(order, arrives_ns)
                if walked is not None:
                    self._pop(at)
                    yield walked
                    continue
                sent.by_bars = True
            at += 1

    def lose_clock(self) -> None:
        """From here to the close nobody knows when in the bar things happen, in any market."""
        if self.is_timed:
            self._last_ns = self._close_ns - 1

    def inside(self, low: Decimal, high: Decimal, at_ns: int) -> Iterator[Outcome]:
        """Between open and close: stops first, then the limits that the bar traded through.

        And then the stops of what these bought: the bar fell to the bid first and to them after it.
        """
        margin, before = self.terms.margin, set(self._resting)
        stops = [o for o in self._resting.values() if reached(o.spec, low, high)]
        limits = [
            order
            for order in self._resting.values()
            if through(order.spec, low, high, margin) and order not in self._asleep
        ]
        is_unsure = bool(stops) and any(o.spec.side is stops[0].spec.side for o in limits)
        yield from self._reached(stops, at_ns)
        for together in self._at_once(limits):
            price = trigger_of(together[0].spec)
            yield from [self._fill(order, price, at_ns) for order in together]
        since = [order for cid, order in self._resting.items() if cid not in before]
        stops = [order for order in since if reached(order.spec, low, high)]
        is_unsure |= bool(stops) and any(through(o.spec, low, high, margin) for o in since)
        self.ambiguous_bars += is_unsure
        yield from self._reached(stops, at_ns)

    def _reached(self, stops: list[Working], at_ns: int) -> Iterator[Outcome]:
        """The bar came to these stops."""
        for together in self._at_once(stops):
            price = trigger_of(together[0].spec)
            met_ns = self._met_ns(together[0], price, at_ns)
            yield from [self._triggered(order, price, at_ns, met_ns) for order in together]

    def _at_once(self, orders: list[Working]) -> Iterator[list[Working]]:
        """Those that one price reaches together: nobody can act between the parts of one exit.

        What has followed from the ones before may have cancelled those after.
        """
        for _, group in groupby(orders, key=_kind_and_price):
            together = [order for order in group if order.cid in self._resting]
            if together:
                yield together

    def now(self, price: Decimal, at_ns: int) -> Iterator[Outcome]:
        """Fill what waits at once: the engine saw the market at `price` just now.

        With a latency nothing is there yet.
        """
        if self.is_late:
            return
        waiting, self._sent, self.at_market = self._sent, [], False
        for sent in waiting:
            met_ns = None if sent.order is None else self._met_ns(sent.order, price, at_ns)
            sent.by_bars = met_ns is None
            sent.arrives_ns = at_ns if met_ns is None else met_ns
            yield from self._arrive(sent, price, at_ns)

    def close(self, price: Decimal, at_ns: int) -> Iterator[Outcome]:
        """The bar closes at `price`: what arrived inside it, in the order of arrival."""
        self._last_ns = None
        asleep, self._asleep = self._asleep, []
        for order in asleep:
            if order.cid in self._resting and jumped(order.spec, price):
                yield self._fill(order, trigger_of(order.spec), at_ns)
        while self.is_late and self._sent and self._sent[0].arrives_ns < at_ns:
            yield from self._arrive(self._pop(0), price, at_ns)

    # -- money -------------------------------------------------------------------------------------

    def _met_ns(self, order: Working, price: Decimal, since_ns: int) -> int | None:
        """When in this bar the books came to `price`, which the bar reached; None: not known."""
        if self.depth is None or self._last_ns is None:
            return None
        spec = order.spec
        falls = (spec.side is _SELL) is is_stop(spec)
        since_ns = max(since_ns, self._latest_ns)
        return self.depth.when(spec, price, since_ns, self._last_ns, falls=falls)

    def _triggered(
        self, order: Working, price: Decimal, at_ns: int, met_ns: int | None
    ) -> Outcome:
        """A stop is a market order now: it walks the book of `met_ns`, or fills by `price`."""
        walked = None if met_ns is None else self._walked(order, met_ns)
        return walked or self._fill(order, self._slipped(order.spec.side, price), at_ns)

    def _walked(self, order: Working, at_ns: int) -> Outcome | None:
        """What an order made of the book at `at_ns`; None where there is no book for it.

        Raises:
            ConfigError: there is none, and there must be.
        """
        depth = self.depth
        walk = None if depth is None else depth.walk(order.spec, at_ns)
        if depth is None or walk is None:
            return None
        mate = self._unrest(order)
        return parted(order, mate, self._taken(order, walk, depth.books, at_ns))

    def _fill(self, order: Working, price: Decimal, at_ns: int) -> Outcome:
        mate = self._unrest(order)
        return parted(order, mate, super()._fill(order, price, at_ns))

    def _unrest(self, order: Working) -> Working | None:
        """Give back what an order that rests has held; the other of its list rests no more either.

        Returns:
            That other one.
        """
        if self._resting.pop(order.cid, None) is None:
            return None
        self._let_go(order)
        mate = order.mate
        if mate is not None:
            del self._resting[mate.cid]
            self._let_go(mate)
        self._look()
        return mate

    def _look(self) -> None:
        """Work out which bars can fill anything."""
        self.fall_to, self.rise_to = reach_of(order.spec for order in self._resting.values())


def _arrival(sent: _Sent) -> int:
    return sent.arrives_ns


def _kind_and_price(order: Working) -> tuple[bool, Decimal]:
    return is_stop(order.spec), trigger_of(order.spec)
