"""What the orders of a list do to each other: one expires the other, one brings others to market.

Pure like the engine, which calls in when a list's order is about to fill, has filled, triggers or
ends. Not here: matching (`matching`), or whether a list may be placed at all (`admission`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from holdfast.domain.money import ZERO
from holdfast.exchange import admission, filters
from holdfast.exchange.accounts import Account
from holdfast.exchange.errors import RefusedError, unknown_list_to_cancel
from holdfast.exchange.listener import Listener
from holdfast.exchange.listing import Listing
from holdfast.exchange.order_list import Leg, ListStatus, ListTicket, OrderList
from holdfast.exchange.orders import Change, Expiry, Order, Status, Terms, Ticket
from holdfast.exchange.views import snapshot

_TRIGGER: Final = Expiry.OCO_TRIGGER
_REFUSED: Final = Expiry.REJECTED


class Desk(Protocol):
    """The engine as a list needs it."""

    @property
    def listener(self) -> Listener:
        """Who is told."""
        ...

    def accept(
        self, account: Account, listing: Listing, ticket: Ticket, terms: Terms, at_ns: int
    ) -> Order:
        """Number an order, keep it, and report it as new."""
        ...

    def begin(self, listing: Listing, order: Order, at_ns: int) -> None:
        """Let an accepted order match, or wait for what it waits for."""
        ...

    def finish(
        self, listing: Listing, order: Order, status: Status, at_ns: int, expiry: Expiry | None
    ) -> None:
        """Take an open order out and end it."""
        ...


class Placement(msgspec.Struct, frozen=True):
    """A list and its orders as they were right after the first of them was matched.

    What a filled working order brings to market is still PENDING_NEW here, as in the real reply.
    """

    order_list: OrderList
    orders: tuple[Order, ...]


class Contingencies:
    """All lists of one engine.

    Attributes:
        due: those whose working order was filled, each with its market, for `release` to bring the
            others there; the match under way must end before that.
    """

    def __init__(self, desk: Desk) -> None:
        self.last_list_id = -1
        self._desk = desk
        self.due: deque[tuple[Account, Listing, OrderList]] = deque()

    def submit(
        self, account: Account, listing: Listing, ticket: ListTicket, at_ns: int
    ) -> Placement:
        """Accept a list and match what goes to market first.

        Raises:
            RefusedError: one of its orders cannot be, so there is none of them.
        """
        for each in ticket.orders:
            filters.check(each, listing.rules, listing.average.value)
        admission.check_list(account, ticket, listing)
        unit_holds = _lock(account, listing, ticket)
        self.last_list_id += 1
        orders = [
            self._desk.accept(
                account,
                listing,
                each,
                Terms(
                    quantity=each.quantity or ZERO,
                    unit_hold=unit_hold,
                    list_id=self.last_list_id,
                    is_pending=ticket.working is not None and each is not ticket.working,
                ),
                at_ns,
            )
            for each, unit_hold in zip(ticket.orders, unit_holds, strict=True)
        ]
        order_list = OrderList(
            list_id=self.last_list_id,
            symbol=ticket.symbol,
            contingency=ticket.contingency,
            client_list_id=ticket.client_list_id,
            legs=tuple(Leg(order.order_id, order.client_order_id) for order in orders),
            created_ns=at_ns,
            updated_ns=at_ns,
        )
        account.enter_list(order_list)
        self._desk.listener.on_list(account, order_list)
        # Those that wait come first, so that they are there when the working order ends at once.
        for order in reversed(orders):
            self._desk.begin(listing, order, at_ns)
        return Placement(snapshot(order_list), tuple(map(snapshot, orders)))

    def restore(self, account: Account, order_list: OrderList) -> None:
        """Know a list of an earlier run."""
        self.last_list_id = max(self.last_list_id, order_list.list_id)
        account.enter_list(order_list)

    def cancel(
        self, account: Account, listing: Listing, order_list: OrderList, cancel_id: str, at_ns: int
    ) -> tuple[Order, ...]:
        """Cancel all orders of a list that are open; returns these.

        Raises:
            RefusedError: it is not at work any more.
        """
        if account.executing_lists.get(order_list.list_id) is not order_list:
            raise unknown_list_to_cancel()
        found = tuple(order for order in _orders(account, order_list) if order.is_open)
        for order in found:
            order.cancel_id = cancel_id
        self._conclude(account, listing, order_list, found, at_ns, expiry=None)
        return found

    # --- What the engine tells -----------------------------------------------------------------

    def before_fill(self, account: Account, listing: Listing, order: Order) -> None:
        """An order of a list is about to pay: what its pair has locked is its own now."""
        order_list = account.executing_lists.get(order.list_id)
        if order_list is not None and order.order_id in order_list.pair_ids:
            _claim(account, listing, order, _sibling(account, order_list, order))

    def after_fill(self, account: Account, listing: Listing, order: Order, at_ns: int) -> None:
        """An order of a list has executed: the other of its pair expires, or others are due."""
        order_list = account.executing_lists.get(order.list_id)
        if order_list is None:
            return
        if order.order_id in order_list.pair_ids:
            sibling = _sibling(account, order_list, order)
            self._conclude(account, listing, order_list, [sibling], at_ns, expiry=_TRIGGER)
        elif order.status is Status.FILLED:
            self.due.append((account, listing, order_list))

    def on_trigger(self, account: Account, listing: Listing, order: Order, at_ns: int) -> None:
        """A stop of a list goes to work: the other of its pair expires before that."""
        order_list = account.executing_lists.get(order.list_id)
        if order_list is not None and order.order_id in order_list.pair_ids:
            sibling = _sibling(account, order_list, order)
            _claim(account, listing, order, sibling)
            self._conclude(account, listing, order_list, [sibling], at_ns, expiry=_TRIGGER)

    def on_end(self, account: Account, listing: Listing, order: Order, at_ns: int) -> None:
        """An order of a list has ended without being filled: so do all others of a list at work."""
        order_list = account.executing_lists.get(order.list_id)
        if order_list is None:
            return
        is_first = order.order_id == order_list.working_id
        expiry = Expiry.OTO_PHASE_ONE_EXPIRED if is_first else Expiry.OCO_TRIGGER
        others = [other for other in _orders(account, order_list) if other.is_open]
        self._conclude(account, listing, order_list, others, at_ns, expiry=expiry)

    def release(self, at_ns: int) -> None:
        """Bring to market what waited for the next filled working order.

        What the market does not take then expires, and the other of its pair with it: the real
        exchange does not try again either.
        """
        account, listing, order_list = self.due.popleft()
        orders = _orders(account, order_list)[1:]
        tickets = [_ticket_of(order) for order in orders]
        try:
            for ticket in tickets:
                filters.check(ticket, listing.rules, listing.average.value)
            admission.check_release(account, tickets, listing)
            unit_holds = _lock_all(account, listing, tickets)
        except RefusedError:
            self._conclude(account, listing, order_list, orders, at_ns, expiry=_REFUSED)
            return
        for order, unit_hold in zip(orders, unit_holds, strict=True):
            order.status = Status.NEW
            order.unit_hold = unit_hold
            order.updated_ns = at_ns
            order.is_working = order.stop_price is None
            if order.is_working:
                order.working_ns = at_ns
            self._desk.listener.on_order(order, Change.NEW, None)
        if order_list.pair_ids:
            order_list.updated_ns = at_ns
            self._desk.listener.on_list(account, order_list)
        else:
            self._conclude(account, listing, order_list, (), at_ns, expiry=None)
        for order in orders:
            self._desk.begin(listing, order, at_ns)

    def _conclude(
        self,
        account: Account,
        listing: Listing,
        order_list: OrderList,
        others: Sequence[Order],
        at_ns: int,
        *,
        expiry: Expiry | None,
    ) -> None:
        """End a list and `others` of its orders: expired for a reason, or cancelled without."""
        order_list.status = ListStatus.ALL_DONE
        order_list.updated_ns = at_ns
        account.close_list(order_list)
        status = Status.CANCELED if expiry is None else Status.EXPIRED
        for order in others:
            self._desk.finish(listing, order, status, at_ns, expiry)
        self._desk.listener.on_list(account, order_list)


def _orders(account: Account, order_list: OrderList) -> list[Order]:
    return [account.orders[order_list.symbol, leg.order_id] for leg in order_list.legs]


def _sibling(account: Account, order_list: OrderList, order: Order) -> Order:
    """The other order of a pair."""
    first, second = order_list.pair_ids
    return account.orders[order.symbol, second if order.order_id == first else first]


def _lock(account: Account, listing: Listing, ticket: ListTicket) -> list[Decimal]:
    """Lock what a new list may cost; returns what it holds per base unit of each order."""
    if ticket.working is None:
        return _lock_all(account, listing, ticket.others)
    return [*_lock_all(account, listing, [ticket.working]), *(ZERO for _ in ticket.others)]


def _lock_all(account: Account, listing: Listing, tickets: Sequence[Ticket]) -> list[Decimal]:
    """Lock what one order costs, or once what the dearer one of a pair does."""
    prices = [ticket.price or ticket.stop_price or ZERO for ticket in tickets]
    dearest = prices.index(max(prices))
    ticket = tickets[dearest]
    half = listing.book.facing(ticket.side, account)
    held = admission.hold(account, ticket, ticket.quantity or ZERO, listing, half)
    return [held if number == dearest else ZERO for number in range(len(tickets))]


def _claim(account: Account, listing: Listing, order: Order, sibling: Order) -> None:
    """Let `order` hold what its pair has locked, and free what it needs less than the other."""
    shared = order.unit_hold or sibling.unit_hold
    needed = admission.unit_hold(account, order.side, order.price or order.stop_price, listing)
    order.unit_hold, sibling.unit_hold = needed, ZERO
    surplus = (shared - needed) * (order.quantity - order.executed)
    balance = account.balance(listing.spent_by(order.side))
    balance.locked -= surplus
    balance.free += surplus


def _ticket_of(order: Order) -> Ticket:
    """The request that an accepted order came from."""
    return Ticket(
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        quantity=order.quantity,
        price=order.price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
        client_order_id=order.client_order_id,
        self_trade=order.self_trade,
    )
