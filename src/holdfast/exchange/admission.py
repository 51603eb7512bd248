"""May this order in, and what does it lock? The last questions before the engine accepts it.

Not here: filters of price and quantity (`filters`), or matching.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange import filters, liquidity, settlement
from holdfast.exchange.accounts import RECEIVED, Account
from holdfast.exchange.book import Offers
from holdfast.exchange.errors import (
    account_disabled,
    duplicate_order,
    filter_failure,
    insufficient_balance,
    would_take,
    would_trigger,
)
from holdfast.exchange.listing import Listing, fires_upwards
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
        _check_open_orders(account, ticket, listing)
    if listing.rules.max_position and ticket.side is _BUY:
        _check_position(account, ticket, listing)
    if ticket.stop_price is not None:
        _check_trigger(ticket, ticket.stop_price, listing.last_price)
    elif (
        ticket.kind is _LIMIT_MAKER
        and ticket.price is not None
        and liquidity.would_match(half, ticket.price, ticket.side)
    ):
        raise would_take()


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
    share = _ONE
    if account.fees.asset != RECEIVED:
        share = settlement.spend_factor(account, ticket.side, listing)
    limit = ticket.price or ticket.stop_price
    if limit is None:
        if not is_buy:
            need = quantity
        elif ticket.quote_quantity is not None:
            need = ticket.quote_quantity
        else:
            need = liquidity.sweep_cost(account, half, quantity)
        if balance.free < need * share:
            raise insufficient_balance()
        return ZERO
    unit_hold = limit * share if is_buy else share
    need = unit_hold * quantity
    if balance.free < need:
        raise insufficient_balance()
    balance.free -= need
    balance.locked += need
    return unit_hold


def _check_open_orders(account: Account, ticket: Ticket, listing: Listing) -> None:
    if account.open_by_client_id(ticket.symbol, ticket.client_order_id) is not None:
        raise duplicate_order()
    same = [order for order in account.open_orders.values() if order.symbol == ticket.symbol]
    waiting = sum(1 for order in same if not order.is_working)
    refusal = filters.check_counts(ticket, listing.rules, len(same), waiting)
    if refusal is not None:
        raise refusal


def _check_position(account: Account, ticket: Ticket, listing: Listing) -> None:
    balance = account.balance(listing.base)
    buying = sum(
        (
            order.remaining
            for order in account.open_orders.values()
            if order.symbol == ticket.symbol and order.side is _BUY
        ),
        ticket.quantity or ZERO,
    )
    if balance.free + balance.locked + buying > listing.rules.max_position:
        raise filter_failure("MAX_POSITION")


def _check_trigger(ticket: Ticket, stop_price: Decimal, last_price: Decimal | None) -> None:
    if last_price is None:
        return
    if fires_upwards(ticket.kind, ticket.side):
        if stop_price <= last_price:
            raise would_trigger()
    elif stop_price >= last_price:
        raise would_trigger()
