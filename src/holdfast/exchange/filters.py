"""The trading rules of one symbol, and the check of an order against them before the engine.

Not here: whether the account can pay, or the form of the request's parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.instrument import Instrument, TradingStatus
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.errors import filter_failure, market_closed
from holdfast.exchange.orders import Kind, Ticket

_MARKET: Final = Kind.MARKET


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's filters; replaced as a whole when the exchange changes them.

    Attributes:
        tick, min_price, max_price: PRICE_FILTER, quote units.
        step, min_quantity, max_quantity: LOT_SIZE, base units.
        market_max_quantity: MARKET_LOT_SIZE.
        min_notional, max_notional: NOTIONAL, quote units; market orders are judged by the average.
        price_band_up, price_band_down: PERCENT_PRICE_BY_SIDE, multiples of the average price.
        max_orders, max_algo_orders: open orders per account, all kinds and waiting for a trigger.
        max_order_lists: lists at work per account.
        max_position: MAX_POSITION, base units held plus open buys; 0 sets no bound.
        is_trading: False closes the market.
    """

    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    market_max_quantity: Decimal
    min_notional: Decimal
    min_price: Decimal
    max_price: Decimal = Decimal(1_000_000)
    max_notional: Decimal = Decimal(9_000_000)
    price_band_up: Decimal = Decimal(5)
    price_band_down: Decimal = Decimal("0.2")
    max_orders: int = 200
    max_algo_orders: int = 5
    max_order_lists: int = 20
    max_position: Decimal = ZERO
    is_trading: bool = True


def rules_of(instrument: Instrument) -> Rules:
    """The rules that an instrument starts with."""
    return Rules(
        tick=instrument.price_tick,
        step=instrument.quantity_step,
        min_quantity=instrument.min_quantity,
        max_quantity=instrument.max_quantity,
        market_max_quantity=instrument.market_max_quantity or instrument.max_quantity,
        min_notional=instrument.min_notional,
        min_price=instrument.price_tick,
        is_trading=instrument.status is TradingStatus.TRADING,
    )


def check(ticket: Ticket, rules: Rules, average_price: Decimal | None) -> None:
    """Raise what the exchange answers to an order that breaks a rule.

    Args:
        ticket: the order, of a legal form.
        average_price: over five minutes; None before the first trade, when nothing is judged by it.
    """
    if not rules.is_trading:
        raise market_closed()
    if ticket.price is not None:
        _check_price(ticket.price, rules)
        if average_price is not None:
            _check_band(ticket.side, ticket.price, rules, average_price)
    if ticket.stop_price is not None:
        _check_price(ticket.stop_price, rules)
    quantity = ticket.quantity
    if quantity is not None:
        if not rules.min_quantity <= quantity <= rules.max_quantity or quantity % rules.step:
            raise filter_failure("LOT_SIZE")
        if ticket.kind is _MARKET and quantity > rules.market_max_quantity:
            raise filter_failure("MARKET_LOT_SIZE")
    _check_notional(ticket, rules, average_price)


def check_counts(
    tickets: Sequence[Ticket], rules: Rules, open_orders: int, open_algo_orders: int
) -> None:
    """Raise what the exchange answers to too many open orders of an account on a symbol."""
    if open_orders + len(tickets) > rules.max_orders:
        raise filter_failure("MAX_NUM_ORDERS")
    algo_orders = sum(1 for ticket in tickets if ticket.stop_price is not None)
    if algo_orders and open_algo_orders + algo_orders > rules.max_algo_orders:
        raise filter_failure("MAX_NUM_ALGO_ORDERS")


def _check_price(price: Decimal, rules: Rules) -> None:
    if not rules.min_price <= price <= rules.max_price or price % rules.tick:
        raise filter_failure("PRICE_FILTER")


def _check_band(side: Side, price: Decimal, rules: Rules, average_price: Decimal) -> None:
    if not average_price * rules.price_band_down <= price <= average_price * rules.price_band_up:
        raise filter_failure("PERCENT_PRICE_BY_SIDE")


def _check_notional(ticket: Ticket, rules: Rules, average_price: Decimal | None) -> None:
    if ticket.quantity is None:
        notional = ticket.quote_quantity
    else:
        price = ticket.price or ticket.stop_price or average_price
        notional = None if price is None else ticket.quantity * price
    if notional is not None and not rules.min_notional <= notional <= rules.max_notional:
        raise filter_failure("NOTIONAL")
