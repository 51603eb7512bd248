"""The matching engine: price-time priority, exact money, no clock, no I/O, no randomness.

Time is an argument and ids are counters, so equal calls give equal results. Validate, hold funds,
accept, in that order: a refusal leaves nothing behind. Not here: keys, deadlines, limits, the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange import admission, filters, liquidity, settlement
from holdfast.exchange.accounts import Account
from holdfast.exchange.book import Offers
from holdfast.exchange.contingency import Contingencies, Placement
from holdfast.exchange.errors import bad_symbol, unknown_order_to_cancel
from holdfast.exchange.flow import Place, Remove
from holdfast.exchange.listener import Listener, Silence
from holdfast.exchange.listing import Listing
from holdfast.exchange.order_list import ListTicket, OrderList
from holdfast.exchange.orders import (
    Change,
    Execution,
    Expiry,
    Kind,
    Order,
    SelfTrade,
    Status,
    Terms,
    Ticket,
    Trade,
    accepted,
)

# Members of an enum are slow to look up on Python 3.11, and every order meets a dozen of them.
_BUY: Final = Side.BUY
_GTC: Final = TimeInForce.GTC
_IOC: Final = TimeInForce.IOC
_FOK: Final = TimeInForce.FOK
_PARTIALLY_FILLED: Final = Status.PARTIALLY_FILLED
_FILLED: Final = Status.FILLED
_EXPIRED_IN_MATCH: Final = Status.EXPIRED_IN_MATCH
_NEW_REPORT: Final = Change.NEW
_TRADE_REPORT: Final = Change.TRADE
_NO_PREVENTION: Final = SelfTrade.NONE
_PENDING_NEW: Final = Status.PENDING_NEW
_NO_LIQUIDITY: Final = Expiry.NO_LIQUIDITY

_ENDINGS: Final = {
    Status.CANCELED: Change.CANCELED,
    Status.EXPIRED: Change.EXPIRED,
    Status.EXPIRED_IN_MATCH: Change.TRADE_PREVENTION,
}

_UNFILLED: Final = {_IOC: Expiry.UNFILLED_IOC, _FOK: Expiry.UNFILLED_FOK}


class Engine:
    """All markets of one exchange."""

    def __init__(self, instruments: Iterable[Instrument], listener: Listener | None = None) -> None:
        self.listings: dict[str, Listing] = {item.symbol: self._list(item) for item in instruments}
        self.listener: Listener = listener or Silence()
        self._sequence = 0
        self._restored: list[Order] = []
        self._lists = Contingencies(self)

    def _list(self, instrument: Instrument) -> Listing:
        return Listing(instrument)

    def listing(self, symbol: str) -> Listing:
        """The market called `symbol` (`BASE/QUOTE`); RefusedError when there is none."""
        found = self.listings.get(symbol)
        if found is None:
            raise bad_symbol()
        return found

    def submit(self, account: Account, ticket: Ticket, at_ns: int) -> Order:
        """Accept an order of `account` and match it at once.

        Returns the order as it stands after matching, with its `fills`.

        Raises:
            RefusedError: the exchange's answer; nothing has changed.
        """
        listing = self.listing(ticket.symbol)
        rules = listing.rules
        half = listing.book.facing(ticket.side, account)
        filters.check(ticket, rules, listing.average.value)
        admission.check(account, ticket, listing, half)
        quantity = ticket.quantity
        if quantity is None:
            budget = ticket.quote_quantity or ZERO
            quantity = liquidity.quantity_for(account, half, budget, rules.step)
        unit_hold = admission.hold(account, ticket, quantity, listing, half)
        terms = Terms(quantity=quantity, unit_hold=unit_hold)
        order = self.accept(account, listing, ticket, terms, at_ns)
        self.begin(listing, order, at_ns)
        self._settle(listing, at_ns)
        return order

    def submit_list(self, account: Account, ticket: ListTicket, at_ns: int) -> Placement:
        """Accept a list of `account` and match at once what goes to market first.

        Raises:
            RefusedError: the exchange's answer; nothing has changed.
        """
        listing = self.listing(ticket.symbol)
        placement = self._lists.submit(account, listing, ticket, at_ns)
        self._settle(listing, at_ns)
        return placement

    def cancel(self, account: Account, order: Order, cancel_id: str, at_ns: int) -> None:
        """Take an open order of `account` out; `order` is CANCELED afterwards.

        So is every other one of its list, while that is at work.

        Raises:
            RefusedError: it is not open any more.
        """
        if order.account is not account or not order.is_open:
            raise unknown_order_to_cancel()
        order_list = account.executing_lists.get(order.list_id)
        if order_list is not None:
            self.cancel_list(account, order_list, cancel_id, at_ns)
            return
        order.cancel_id = cancel_id
        self.finish(self.listings[order.symbol], order, Status.CANCELED, at_ns)

    def cancel_list(
        self, account: Account, order_list: OrderList, cancel_id: str, at_ns: int
    ) -> tuple[Order, ...]:
        """Take all open orders of a list of `account` out; returns these, CANCELED now.

        Raises:
            RefusedError: it is not at work any more.
        """
        listing = self.listings[order_list.symbol]
        return self._lists.cancel(account, listing, order_list, cancel_id, at_ns)

    def place(self, event: Place, at_ns: int) -> None:
        """Apply a house order: it costs nobody anything and needs no funds."""
        listing = self.listings[event.symbol]
        if not listing.rules.is_trading:
            return
        rests = bool(event.key) and event.price is not None
        self._sequence += 1
        order = Order(
            account=None,
            sequence=self._sequence,
            symbol=event.symbol,
            side=event.side,
            kind=Kind.MARKET if event.price is None else Kind.LIMIT,
            quantity=event.quantity,
            remaining=event.quantity,
            price=event.price,
            created_ns=at_ns,
            updated_ns=at_ns,
            time_in_force=_GTC if rests else _IOC,
            house_key=event.key,
        )
        self._work(listing, order, at_ns)
        if rests and order.remaining:
            listing.house[event.key] = order
        self._settle(listing, at_ns)

    def remove(self, event: Remove) -> None:
        """Take a house order out, when it still rests."""
        listing = self.listings[event.symbol]
        order = listing.house.pop(event.key, None)
        if order is not None and order.price is not None:
            listing.book.half(order.side).remove(order, order.price)

    # --- Restoring -----------------------------------------------------------------------------

    def restore(self, order: Order) -> None:
        """Know an accepted order of an earlier run, without reports, funds untouched.

        An open one neither matches nor rests before `resume`.
        """
        if order.account is None:
            raise ValueError("the house's orders are not restored: its flow places them anew")
        listing = self.listings[order.symbol]
        self._sequence = max(self._sequence, order.sequence)
        listing.last_order_id = max(listing.last_order_id, order.order_id)
        order.account.enter(order)
        if order.is_open:
            self._restored.append(order)

    def restore_execution(self, account: Account, execution: Execution) -> None:
        """Know an execution of an earlier run; its order must be known already."""
        listing = self.listings[execution.symbol]
        listing.last_trade_id = max(listing.last_trade_id, execution.trade_id)
        account.executions.append(execution)
        account.orders[execution.symbol, execution.order_id].fills += (execution,)

    def restore_list(self, account: Account, order_list: OrderList) -> None:
        """Know a list of an earlier run; its orders must be known already."""
        self._lists.restore(account, order_list)

    def resume(self, at_ns: int) -> None:
        """Bring restored open orders back into the market, in their old order of arrival.

        Those that wait come first: what others do at once may concern them.
        """
        restored, self._restored = self._restored, []
        for order in sorted(restored, key=lambda order: order.is_working):
            bring_back = self._rejoin if order.is_working else self.begin
            bring_back(self.listings[order.symbol], order, at_ns)
        for listing in self.listings.values():
            self._settle(listing, at_ns)

    # --- For lists -----------------------------------------------------------------------------

    def accept(
        self, account: Account, listing: Listing, ticket: Ticket, terms: Terms, at_ns: int
    ) -> Order:
        """Number an admitted order, keep it and report it as new; it has not begun yet."""
        self._sequence += 1
        listing.last_order_id += 1
        order = accepted(account, ticket, terms, at_ns)
        order.sequence = self._sequence
        order.order_id = listing.last_order_id
        account.enter(order)
        self.listener.on_order(order, _NEW_REPORT, None)
        return order

    def begin(self, listing: Listing, order: Order, at_ns: int) -> None:
        """Let an accepted order match, or wait for its trigger or its working order."""
        if order.is_working:
            self._work(listing, order, at_ns)
        elif order.account is not None:
            order.account.open(order)
            if order.status is not _PENDING_NEW:
                listing.triggers.add(order)

    def finish(
        self,
        listing: Listing,
        order: Order,
        status: Status,
        at_ns: int,
        expiry: Expiry | None = None,
    ) -> None:
        """Take an open order from where it waits, and end it."""
        if order.is_working:
            if order.price is not None:
                listing.book.half(order.side).remove(order, order.price)
        elif order.status is not _PENDING_NEW:
            listing.triggers.remove(order)
        self._end(listing, order, status, at_ns, expiry)

    def _rejoin(self, listing: Listing, order: Order, at_ns: int) -> None:
        """Bring one that was in the book back: it trades with what has come its way meanwhile."""
        self._work(listing, order, at_ns)

    # --- Matching ------------------------------------------------------------------------------

    def _work(self, listing: Listing, order: Order, at_ns: int) -> None:
        """Match `order`; what remains rests or expires, as its time in force says."""
        half = listing.book.facing(order.side, order.account)
        lasting = order.time_in_force
        if lasting is not _FOK or liquidity.fills_whole(order, half):
            self._take(listing, half, order, at_ns)
        if order.status is _FILLED or order.status is _EXPIRED_IN_MATCH:
            return
        if order.price is not None and lasting is _GTC:
            if order.remaining:
                rest(listing, order, order.price)
        elif order.account is not None:
            self._end(listing, order, Status.EXPIRED, at_ns, _UNFILLED.get(lasting, _NO_LIQUIDITY))

    def _take(self, listing: Listing, half: Offers, taker: Order, at_ns: int) -> None:
        """Trade against the best of `half` until the taker's limit, quantity or the book ends."""
        limit, is_buy, account = taker.price, taker.side is _BUY, taker.account
        while taker.remaining:
            level = half.best
            if level is None:
                return
            price = level.price
            if limit is not None and (price > limit if is_buy else price < limit):
                return
            maker = level.first
            if (
                account is not None
                and maker.account is account
                and taker.self_trade is not _NO_PREVENTION
            ):
                if self._prevent(listing, taker, maker, at_ns):
                    return
                continue
            wanted, offered = taker.remaining, maker.remaining
            quantity = min(offered, wanted)
            taker.remaining = wanted - quantity
            maker.remaining = offered - quantity
            half.fill(level, maker, quantity)
            trade = listing.print_trade(price, quantity, at_ns, buyer_is_maker=not is_buy)
            if maker.account is not None:
                self._book_fill(listing, maker.account, maker, trade)
            elif not maker.remaining:
                listing.house.pop(maker.house_key, None)
            if account is not None:
                self._book_fill(listing, account, taker, trade)
            if not listing.is_mirror:
                self.listener.on_trade(trade)

    def _book_fill(self, listing: Listing, account: Account, order: Order, trade: Trade) -> None:
        """Enter a trade into the books of one side of it."""
        side, quantity, cost, at_ns = order.side, trade.quantity, trade.cost, trade.at_ns
        is_maker = trade.buyer_is_maker is (side is _BUY)
        if order.list_id >= 0:
            self._lists.before_fill(account, listing, order)
        fee_asset, fee = settlement.settle(
            account, order, trade, listing, self.listings, is_maker=is_maker
        )
        execution = Execution(
            order.symbol, trade.trade_id, order.order_id, side, trade.price, quantity, cost, fee,
            fee_asset, is_maker, at_ns,
        )
        order.executed += quantity
        order.executed_cost += cost
        order.updated_ns = account.updated_ns = at_ns
        order.fills += (execution,)
        account.executions.append(execution)
        if order.remaining:
            order.status = _PARTIALLY_FILLED
        else:
            order.status = _FILLED
            account.close(order)
        self.listener.on_order(order, _TRADE_REPORT, execution)
        if order.list_id >= 0:
            self._lists.after_fill(account, listing, order, at_ns)

    def _prevent(self, listing: Listing, taker: Order, maker: Order, at_ns: int) -> bool:
        """Keep an account from trading with itself; whether the taker is done."""
        mode = taker.self_trade
        if mode is not SelfTrade.EXPIRE_TAKER:
            self.finish(listing, maker, _EXPIRED_IN_MATCH, at_ns)
        if mode is SelfTrade.EXPIRE_MAKER:
            return False
        self._end(listing, taker, _EXPIRED_IN_MATCH, at_ns)
        return True

    def _settle(self, listing: Listing, at_ns: int) -> None:
        """After a match: bring to market what waited for it, until it brings nothing more."""
        due, triggers = self._lists.due, listing.triggers
        while due or triggers:
            if due:
                self._lists.release(at_ns)
                continue
            order = None if listing.last_price is None else triggers.pop_fired(listing.last_price)
            if order is None:
                return
            self._fire(listing, order, at_ns)

    def _fire(self, listing: Listing, order: Order, at_ns: int) -> None:
        """Put an order to work whose stop price was reached."""
        if order.account is not None and order.list_id >= 0:
            self._lists.on_trigger(order.account, listing, order, at_ns)
        order.is_working = True
        order.working_ns = order.updated_ns = at_ns
        self.listener.on_order(order, _NEW_REPORT, None)
        if order.price is None and not _can_pay_at_market(listing, order):
            self._end(listing, order, Status.EXPIRED, at_ns, Expiry.REJECTED)
        else:
            self._work(listing, order, at_ns)

    def _end(
        self,
        listing: Listing,
        order: Order,
        status: Status,
        at_ns: int,
        expiry: Expiry | None = None,
    ) -> None:
        account = order.account
        if account is None:
            raise ValueError("the house's orders end without a report")
        if order.unit_hold:
            settlement.release(account, order, listing)
        order.status = status
        order.expiry = expiry
        order.updated_ns = account.updated_ns = at_ns
        account.close(order)
        self.listener.on_order(order, _ENDINGS[status], None)
        if order.list_id >= 0:
            self._lists.on_end(account, listing, order, at_ns)


def rest(listing: Listing, order: Order, price: Decimal) -> None:
    """Let an order wait in the book."""
    listing.book.half(order.side).add(order, price)
    if order.account is not None:
        order.account.open(order)


def _can_pay_at_market(listing: Listing, order: Order) -> bool:
    """Give a fired stop its funds back, and say whether they pay for the market as it is."""
    account = order.account
    if account is None:
        return True
    settlement.release(account, order, listing)
    order.unit_hold = ZERO
    if order.side is not _BUY:
        return True
    need = liquidity.sweep_cost(account, listing.book.facing(_BUY, account), order.remaining)
    share = settlement.spend_factor(account, order.side, listing)
    return account.balance(listing.quote).free >= need * share
