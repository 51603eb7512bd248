"""The matching engine: price-time priority, exact money, no clock, no I/O, no randomness.

Time is an argument and ids are counters, so equal calls give equal results. Validate, hold funds,
accept, in that order: a refusal leaves nothing behind. Not here: keys, deadlines, limits, the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Protocol

from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange import admission, filters, liquidity, settlement
from holdfast.exchange.accounts import Account
from holdfast.exchange.book import Offers
from holdfast.exchange.errors import bad_symbol, unknown_order_to_cancel
from holdfast.exchange.flow import Place, Remove
from holdfast.exchange.listing import Listing
from holdfast.exchange.orders import (
    Change,
    Execution,
    Kind,
    Order,
    SelfTrade,
    Status,
    Ticket,
    Trade,
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

_ENDINGS: Final = {
    Status.CANCELED: Change.CANCELED,
    Status.EXPIRED: Change.EXPIRED,
    Status.EXPIRED_IN_MATCH: Change.TRADE_PREVENTION,
}


class Listener(Protocol):
    """Told of each change while it is made; must not call the engine."""

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        """`order` of an account has just become what it now is."""

    def on_trade(self, trade: Trade) -> None:
        """A trade was printed."""


class Silence:
    """A listener that needs to know nothing."""

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        """Ignore it."""

    def on_trade(self, trade: Trade) -> None:
        """Ignore it."""


class Engine:
    """All markets of one exchange."""

    def __init__(self, instruments: Iterable[Instrument], listener: Listener | None = None) -> None:
        self.listings: dict[str, Listing] = {item.symbol: self._list(item) for item in instruments}
        self.listener: Listener = listener or Silence()
        self._sequence = 0
        self._restored: list[Order] = []

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
        self._sequence += 1
        listing.last_order_id += 1
        order = _accepted(account, ticket, quantity, at_ns)
        order.sequence = self._sequence
        order.order_id = listing.last_order_id
        order.unit_hold = unit_hold
        account.enter(order)
        self.listener.on_order(order, _NEW_REPORT, None)
        if order.is_working:
            self._work(listing, order, at_ns)
            if listing.triggers:
                self._run_triggers(listing, at_ns)
        else:
            account.open(order)
            listing.triggers.add(order)
        return order

    def cancel(self, account: Account, order: Order, cancel_id: str, at_ns: int) -> None:
        """Take an open order of `account` out; `order` is CANCELED afterwards.

        Raises:
            RefusedError: it is not open any more.
        """
        if order.account is not account or not order.is_open:
            raise unknown_order_to_cancel()
        order.cancel_id = cancel_id
        listing = self.listings[order.symbol]
        _take_out(listing, order)
        self._end(listing, order, Status.CANCELED, at_ns)

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
        if listing.triggers:
            self._run_triggers(listing, at_ns)

    def remove(self, event: Remove) -> None:
        """Take a house order out, when it still rests."""
        listing = self.listings[event.symbol]
        order = listing.house.pop(event.key, None)
        if order is not None:
            _take_out(listing, order)

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

    def resume(self, at_ns: int) -> None:
        """Bring restored open orders back into the market, in their old order of arrival."""
        restored, self._restored = self._restored, []
        for order in restored:
            listing = self.listings[order.symbol]
            if order.is_working:
                self._rejoin(listing, order, at_ns)
            elif order.account is not None:
                order.account.open(order)
                listing.triggers.add(order)
            self._run_triggers(listing, at_ns)

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
            self._end(listing, order, Status.EXPIRED, at_ns)

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

    def _prevent(self, listing: Listing, taker: Order, maker: Order, at_ns: int) -> bool:
        """Keep an account from trading with itself; whether the taker is done."""
        mode = taker.self_trade
        if mode is not SelfTrade.EXPIRE_TAKER:
            _take_out(listing, maker)
            self._end(listing, maker, _EXPIRED_IN_MATCH, at_ns)
        if mode is SelfTrade.EXPIRE_MAKER:
            return False
        self._end(listing, taker, _EXPIRED_IN_MATCH, at_ns)
        return True

    def _run_triggers(self, listing: Listing, at_ns: int) -> None:
        """Put orders to work whose stop price was reached, until the price moves no further."""
        while listing.last_price is not None:
            order = listing.triggers.pop_fired(listing.last_price)
            if order is None:
                return
            order.is_working = True
            order.working_ns = order.updated_ns = at_ns
            self.listener.on_order(order, _NEW_REPORT, None)
            if order.price is None and not _can_pay_at_market(listing, order):
                self._end(listing, order, Status.EXPIRED, at_ns)
            else:
                self._work(listing, order, at_ns)

    def _end(self, listing: Listing, order: Order, status: Status, at_ns: int) -> None:
        account = order.account
        if account is None:
            raise ValueError("the house's orders end without a report")
        if order.unit_hold:
            settlement.release(account, order, listing)
        order.status = status
        order.updated_ns = account.updated_ns = at_ns
        account.close(order)
        self.listener.on_order(order, _ENDINGS[status], None)


def _accepted(account: Account, ticket: Ticket, quantity: Decimal, at_ns: int) -> Order:
    """The order of a ticket, to be numbered and entered."""
    order = Order(
        account=account,
        sequence=0,
        symbol=ticket.symbol,
        side=ticket.side,
        kind=ticket.kind,
        quantity=quantity,
        remaining=quantity,
        price=ticket.price,
        created_ns=at_ns,
        updated_ns=at_ns,
        client_order_id=ticket.client_order_id,
        self_trade=ticket.self_trade or account.self_trade,
    )
    if ticket.stop_price is None:
        order.working_ns = at_ns
    else:
        order.stop_price = ticket.stop_price
        order.is_working = False
    if ticket.time_in_force is not None:
        order.time_in_force = ticket.time_in_force
    if ticket.quote_quantity is not None:
        order.quote_quantity = ticket.quote_quantity
    return order


def rest(listing: Listing, order: Order, price: Decimal) -> None:
    """Let an order wait in the book."""
    listing.book.half(order.side).add(order, price)
    if order.account is not None:
        order.account.open(order)


def _take_out(listing: Listing, order: Order) -> None:
    """Take an order from where it waits: the book, or the triggers."""
    if not order.is_working:
        listing.triggers.remove(order)
    elif order.price is not None:
        listing.book.half(order.side).remove(order, order.price)


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
