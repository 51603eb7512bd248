"""From the parameters of a new order to a ticket: the form each order type must have.

Not here: filters and funds (`filters`, `matching`).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.order import Side, TimeInForce
from holdfast.exchange import errors
from holdfast.exchange.orders import Kind, SelfTrade, Ticket
from holdfast.exchange.params import Params

_NOT_HERE = (
    "icebergQty", "trailingDelta", "strategyId", "strategyType", "pegPriceType", "pegOffsetValue",
    "pegOffsetType", "sideEffectType", "isIsolated",
)


def read_ticket(params: Params, symbol: str, default_client_id: str) -> Ticket:
    """The order that `params` ask for.

    Args:
        symbol: the unified name of the market they name.
        default_client_id: what the exchange calls the order when the client does not.

    Raises:
        RefusedError: a parameter is missing, malformed, not required, or not supported here.
    """
    side = _side(params.required("side"))
    kind = _kind(params.required("type"))
    for name in _NOT_HERE:
        if params.has(name):
            raise errors.not_supported(name)
    quantity, quote_quantity = _quantities(params, kind)
    price = _price(params, kind)
    stop_price = _stop_price(params, kind)
    return Ticket(
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=quantity,
        quote_quantity=quote_quantity,
        price=price,
        stop_price=stop_price,
        time_in_force=_time_in_force(params, kind),
        client_order_id=params.client_id("newClientOrderId") or default_client_id,
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


def _quantities(params: Params, kind: Kind) -> tuple[Decimal | None, Decimal | None]:
    quantity = params.decimal("quantity")
    quote_quantity = params.decimal("quoteOrderQty")
    if kind is not Kind.MARKET:
        if quote_quantity is not None:
            raise errors.not_required("quoteOrderQty")
        if quantity is None:
            raise errors.missing_parameter("quantity")
    elif (quantity is None) is (quote_quantity is None):
        if quantity is None:
            raise errors.missing_parameter("quantity")
        raise errors.not_required("quoteOrderQty")
    return quantity, quote_quantity


def _price(params: Params, kind: Kind) -> Decimal | None:
    price = params.decimal("price")
    if kind.has_limit and price is None:
        raise errors.missing_parameter("price")
    if not kind.has_limit and price is not None:
        raise errors.not_required("price")
    return price


def _stop_price(params: Params, kind: Kind) -> Decimal | None:
    stop_price = params.decimal("stopPrice")
    if kind.waits_for_trigger and stop_price is None:
        raise errors.missing_parameter("stopPrice")
    if not kind.waits_for_trigger and stop_price is not None:
        raise errors.not_required("stopPrice")
    return stop_price


def _time_in_force(params: Params, kind: Kind) -> TimeInForce | None:
    text = params.text("timeInForce")
    needs_one = kind.has_limit and kind is not Kind.LIMIT_MAKER
    if text is None:
        if needs_one:
            raise errors.missing_parameter("timeInForce")
        return None
    if not needs_one:
        raise errors.not_required("timeInForce")
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
