"""May this order in, and what does it lock? The last questions before the engine accepts it.

Not here: filters of price and quantity (`filters`), or matching.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange import filters, liquidity, settlement
from holdfast.exchange.accounts import RECEIVED, Account
from holdfast.exchange.book import Offers
from holdfast.exchange.errors import (
    account_disabled,
    bad_pair_prices,
    duplicate_order,
    filter_failure,
    insufficient_balance,
    would_take,
    would_trigger,
)
from holdfast.exchange.listing import Listing, fires_upwards
from holdfast.exchange.order_list import ListTicket
from holdfast.exchange.orders import Kind, Ticket

_BUY: Final = Side.BUY
_ONE: Final = Decimal(1)
_LIMIT_MAKER: Final = Kind.LIMIT_MAKER


def check(account: Account, ticket: Ticket, listing: Listing, half: Offers) -> None:
    """RefusedError when the account may not place `ticket` into the market as it is now.

    Args:
        half: the side of the book that the order would take from.
    """
    if not account.can_trade:
        raise account_disabled()
    if account.open_orders:
        _check_open_orders(account, (ticket,), listing)
    if listing.rules.max_position:
        _check_position(account, (ticket,), listing)
    _check_market(ticket, listing, half)


def check_list(account: Account, ticket: ListTicket, listing: Listing) -> None:
    """RefusedError when the account may not place this list into the market as it is now."""
    if not account.can_trade:
        raise account_disabled()
    if account.executing_by_client_id(ticket.client_list_id) is not None:
        raise duplicate_order()
    names = [each.client_order_id for each in ticket.orders]
    if len(set(names)) < len(names):
        raise duplicate_order()
    _check_open_orders(account, ticket.orders, listing)
    at_work = [x for x in account.executing_lists.values() if x.symbol == ticket.symbol]
    if len(at_work) >= listing.rules.max_order_lists:
        raise filter_failure("MAX_NUM_ORDER_LISTS")
    if listing.rules.max_position:
        _check_position(account, ticket.orders, listing)
    if ticket.working is None:
        check_release(account, ticket.others, listing)
        return
    _check_market(ticket.working, listing, listing.book.facing(ticket.working.side, account))
    if len(ticket.others) > 1:
        # They need lie around the last price only when their time has come.
        _check_pair(ticket.others, None)


def check_release(account: Account, tickets: Sequence[Ticket], listing: Listing) -> None:
    """RefusedError when the market does not take these accepted orders, an order or a pair, now."""
    if not account.can_trade:
        raise account_disabled()
    if len(tickets) > 1:
        _check_pair(tickets, listing.last_price)
    for ticket in tickets:
        _check_market(ticket, listing, listing.book.facing(ticket.side, account))


def hold(
    account: Account, ticket: Ticket, quantity: Decimal, listing: Listing, half: Offers
) -> Decimal:
    """Lock what the order may cost.

    A market order is matched at once, so it locks nothing; it only must be able to pay for the book
    as it is.

    Returns:
        The funds locked per base unit of the order, 0 for a market order.

    Raises:
        RefusedError: the free balance is too small; nothing is locked.
    """
    is_buy = ticket.side is _BUY
    balance = account.balance(listing.quote if is_buy else listing.base)
    limit = ticket.price or ticket.stop_price
    if limit is None:
        if not is_buy:
            need = quantity
        elif ticket.quote_quantity is not None:
            need = ticket.quote_quantity
        else:
            need = liquidity.sweep_cost(account, half, quantity)
        if balance.free < need * _share(account, ticket.side, listing):
            raise insufficient_balance()
        return ZERO
    held = unit_hold(account, ticket.side, limit, listing)
    need = held * quantity
    if balance.free < need:
        raise insufficient_balance()
    balance.free -= need
    balance.locked += need
    return held


def unit_hold(account: Account, side: Side, limit: Decimal | None, listing: Listing) -> Decimal:
    """The funds that a resting or waiting order locks per base unit.

    Args:
        limit: the price that it may pay at most, or without one its stop price; for a buy only.
    """
    share = _share(account, side, listing)
    return share if side is not _BUY or limit is None else limit * share


def _share(account: Account, side: Side, listing: Listing) -> Decimal:
    """How much of what it spends an order must have, with a fee on top when that is in kind."""
    if account.fees.asset == RECEIVED:
        return _ONE
    return settlement.spend_factor(account, side, listing)


def _check_open_orders(account: Account, tickets: Sequence[Ticket], listing: Listing) -> None:
    for ticket in tickets:
        if account.open_by_client_id(ticket.symbol, ticket.client_order_id) is not None:
            raise duplicate_order()
    same = [order for order in account.open_orders.values() if order.symbol == listing.symbol]
    waiting = sum(1 for order in same if order.stop_price is not None and not order.is_working)
    filters.check_counts(tickets, listing.rules, len(same), waiting)


def _check_position(account: Account, tickets: Sequence[Ticket], listing: Listing) -> None:
    buys = [ticket.quantity or ZERO for ticket in tickets if ticket.side is _BUY]
    if not buys:
        return
    balance = account.balance(listing.base)
    buying = sum(
        (
            order.remaining
            for order in account.open_orders.values()
            if order.symbol == listing.symbol and order.side is _BUY
        ),
        sum(buys, ZERO),
    )
    if balance.free + balance.locked + buying > listing.rules.max_position:
        raise filter_failure("MAX_POSITION")


def _check_market(ticket: Ticket, listing: Listing, half: Offers) -> None:
    if ticket.stop_price is not None:
        _check_trigger(ticket, ticket.stop_price, listing.last_price)
    elif (
        ticket.kind is _LIMIT_MAKER
        and ticket.price is not None
        and liquidity.would_match(half, ticket.price, ticket.side)
    ):
        raise would_take()


def _check_pair(pair: Sequence[Ticket], last_price: Decimal | None) -> None:
    """The stop loss lies on one side of the last price, the other order of the pair beyond it."""
    stop_loss, profit = pair
    sign = -1 if profit.side is _BUY else 1
    goals = [price * sign for price in (profit.price, profit.stop_price) if price is not None]
    between = [] if last_price is None else [last_price * sign]
    line = [(stop_loss.stop_price or ZERO) * sign, *between, min(goals)]
    if any(left >= right for left, right in pairwise(line)):
        raise bad_pair_prices()


def _check_trigger(ticket: Ticket, stop_price: Decimal, last_price: Decimal | None) -> None:
    if last_price is None:
        return
    if fires_upwards(ticket.kind, ticket.side):
        if stop_price <= last_price:
            raise would_trigger()
    elif stop_price >= last_price:
        raise would_trigger()
