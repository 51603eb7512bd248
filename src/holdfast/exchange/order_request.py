"""From the parameters of a new order to a ticket: the form each order type must have.

Not here: filters and funds (`filters`, `matching`).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange import errors
from holdfast.exchange.orders import Kind, SelfTrade, Ticket
from holdfast.exchange.params import Params

_NOT_HERE = (
    "icebergQty", "trailingDelta", "strategyId", "strategyType", "pegPriceType", "pegOffsetValue",
    "pegOffsetType",
)
_NOT_HERE_ALONE = (*_NOT_HERE, "sideEffectType", "isIsolated")


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What the parameters of an order are called; those of a list's order carry its place in it."""

    side: str = "side"
    kind: str = "type"
    quantity: str = "quantity"
    quote_quantity: str = "quoteOrderQty"
    price: str = "price"
    stop_price: str = "stopPrice"
    time_in_force: str = "timeInForce"
    client_id: str = "newClientOrderId"
    not_here: tuple[str, ...] = _NOT_HERE_ALONE


ALONE = Names()


def names_in_list(place: str, *, side: str, quantity: str) -> Names:
    """The names in a list: `above` makes `abovePrice`; several may share `side` and `quantity`."""
    return Names(
        side=side,
        kind=f"{place}Type",
        quantity=quantity,
        quote_quantity=f"{place}QuoteOrderQty",
        price=f"{place}Price",
        stop_price=f"{place}StopPrice",
        time_in_force=f"{place}TimeInForce",
        client_id=f"{place}ClientOrderId",
        not_here=tuple(f"{place}{name[0].upper()}{name[1:]}" for name in _NOT_HERE),
    )


def read_ticket(
    params: Params, symbol: str, default_client_id: str, names: Names = ALONE
) -> Ticket:
    """The order that `params` ask for.

    Args:
        symbol: the unified name of the market they name.
        default_client_id: what the exchange calls the order when the client does not.
        names: what its parameters are called.

    Raises:
        RefusedError: a parameter is missing, malformed, not required, or not supported here.
    """
    side = _side(params.required(names.side))
    kind = _kind(params.required(names.kind))
    for name in names.not_here:
        if params.has(name):
            raise errors.not_supported(name)
    quantity, quote_quantity = _quantities(params, names, kind)
    price = _price(params, names, kind)
    stop_price = _stop_price(params, names, kind)
    return Ticket(
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=quantity,
        quote_quantity=quote_quantity,
        price=price,
        stop_price=stop_price,
        time_in_force=_time_in_force(params, names, kind),
        client_order_id=params.client_id(names.client_id) or default_client_id,
        self_trade=_self_trade(params),
    )


def _side(text: str) -> Side:
    try:
        return Side(text)
    except ValueError as error:
        raise errors.bad_side() from error


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError as error:
        raise errors.bad_order_type() from error


def _quantities(
    params: Params, names: Names, kind: Kind
) -> tuple[Decimal | None, Decimal | None]:
    quantity = params.decimal(names.quantity)
    quote_quantity = params.decimal(names.quote_quantity)
    if kind is not Kind.MARKET:
        if quote_quantity is not None:
            raise errors.not_required(names.quote_quantity)
        if quantity is None:
            raise errors.missing_parameter(names.quantity)
    elif (quantity is None) is (quote_quantity is None):
        if quantity is None:
            raise errors.missing_parameter(names.quantity)
        raise errors.not_required(names.quote_quantity)
    return quantity, quote_quantity


def _price(params: Params, names: Names, kind: Kind) -> Decimal | None:
    price = params.decimal(names.price)
    if kind.has_limit and price is None:
        raise errors.missing_parameter(names.price)
    if not kind.has_limit and price is not None:
        raise errors.not_required(names.price)
    return price


def _stop_price(params: Params, names: Names, kind: Kind) -> Decimal | None:
    stop_price = params.decimal(names.stop_price)
    if kind.waits_for_trigger and stop_price is None:
        raise errors.missing_parameter(names.stop_price)
    if not kind.waits_for_trigger and stop_price is not None:
        raise errors.not_required(names.stop_price)
    return stop_price


def _time_in_force(params: Params, names: Names, kind: Kind) -> TimeInForce | None:
    text = params.text(names.time_in_force)
    needs_one = kind.has_limit and kind is not Kind.LIMIT_MAKER
    if text is None:
        if needs_one:
            raise errors.missing_parameter(names.time_in_force)
        return None
    if not needs_one:
        raise errors.not_required(names.time_in_force)
    try:
        return TimeInForce(text)
    except ValueError as error:
        raise errors.bad_time_in_force() from error


def _self_trade(params: Params) -> SelfTrade | None:
    text = params.text("selfTradePreventionMode")
    if text is None:
        return None
    try:
        return SelfTrade(text)
    except ValueError as error:
        raise errors.bad_parameter("selfTradePreventionMode") from error
