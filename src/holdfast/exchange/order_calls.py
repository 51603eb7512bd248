"""Calls about orders: place, test, cancel, query.

Placing and cancelling ask the engine; queries ask what memory or the database show. Not here:
deadlines and faults (`gateway`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from holdfast.exchange import errors, filters, payloads
from holdfast.exchange.core import Source
from holdfast.exchange.listing import Listing
from holdfast.exchange.order_request import read_ticket
from holdfast.exchange.orders import Kind, Order
from holdfast.exchange.params import Params
from holdfast.exchange.routes import Context, Route, by_symbol, flat

MOST_ROWS = 1000
DEFAULT_ROWS = 500
LONGEST_SPAN_MS = 24 * 3_600_000
SIGNED = ("timestamp", "recvWindow", "signature", "apiKey")
REPLIES: dict[str, Callable[[Order, str], payloads.Json]] = {
    "ACK": payloads.order_ack,
    "RESULT": payloads.order_result,
    "FULL": payloads.order_full,
}
# ccxt sends these over the WebSocket API besides what the documents list.
_TOLERATED = ("clientOrderId", "returnRateLimits", "computeCommissionRates")


def place_order(context: Context) -> Any:
    """Accept an order and answer with what became of it at once."""
    params, exchange = context.params, context.exchange
    listing = exchange.listing(params.required("symbol"))
    ticket = read_ticket(params, listing.symbol, default_id(context, listing))
    response = params.text("newOrderRespType")
    params.refuse_unread(*SIGNED, *_TOLERATED)
    if response is None:
        response = "FULL" if ticket.kind in {Kind.MARKET, Kind.LIMIT} else "ACK"
    render = REPLIES.get(response)
    if render is None:
        raise errors.bad_parameter("newOrderRespType")
    order = exchange.submit(context.account, ticket)
    return render(order, listing.instrument.venue_symbol)


def test_order(context: Context) -> Any:
    """Check the form and the filters of an order, and do nothing."""
    listing = context.exchange.listing(context.params.required("symbol"))
    ticket = read_ticket(context.params, listing.symbol, "test")
    filters.check(ticket, listing.rules, listing.average.value)
    return {}


def cancel_order(context: Context) -> Any:
    """Cancel one open order, or the whole list at work that it is in."""
    params, account = context.params, context.account
    listing = context.exchange.listing(params.required("symbol"))
    order_id, client_id = _ids(params)
    cancel_id = params.client_id("newClientOrderId") or default_id(context, listing)
    order: Order | None
    if order_id is not None:
        order = account.open_orders.get((listing.symbol, order_id))
        if order is not None and client_id and order.client_order_id != client_id:
            raise errors.ids_disagree()
    else:
        order = account.open_by_client_id(listing.symbol, client_id or "")
    if order is None:
        raise errors.unknown_order_to_cancel()
    _check_restriction(params, order)
    return _cancel(context, listing, order, cancel_id)


def cancel_open_orders(context: Context) -> Any:
    """Cancel all open orders of a symbol; -2011 when there are none."""
    account = context.account
    listing = context.exchange.listing(context.params.required("symbol"))
    found = [o for o in account.open_orders.values() if o.symbol == listing.symbol]
    if not found:
        raise errors.unknown_order_to_cancel()
    return [
        _cancel(context, listing, order, default_id(context, listing))
        for order in found
        if order.is_open  # and was not cancelled with another one of its list
    ]


def query_order(context: Context) -> Any:
    """One order as memory shows it; the latest one when several carried the client id."""
    params = context.params
    listing = context.exchange.listing(params.required("symbol"))
    order_id, client_id = _ids(params)
    view = context.exchange.view(context.account, Source.MEMORY)
    if order_id is not None:
        order = view.order(listing.symbol, order_id)
        if order is not None and client_id and order.client_order_id != client_id:
            raise errors.ids_disagree()
    else:
        order = view.latest_by_client_id(listing.symbol, client_id or "")
    if order is None:
        raise errors.order_not_found()
    if context.exchange.is_archived(order):
        raise errors.order_archived()
    return payloads.order_row(order, listing.instrument.venue_symbol)


def open_orders(context: Context) -> Any:
    """Open orders of one symbol or of all, as memory shows them, oldest first."""
    exchange, name = context.exchange, context.params.text("symbol")
    wanted = None if name is None else exchange.listing(name).symbol
    view = exchange.view(context.account, Source.MEMORY)
    return [
        payloads.order_row(order, exchange.engine.listings[order.symbol].instrument.venue_symbol)
        for order in view.open_orders.values()
        if wanted is None or order.symbol == wanted
    ]


def all_orders(context: Context) -> Any:
    """Orders of a symbol as the database shows them: from an id, in a span, or the latest."""
    params = context.params
    listing = context.exchange.listing(params.required("symbol"))
    first_id = params.integer("orderId")
    start_ms, end_ms = time_span(params)
    limit = row_limit(params)
    view = context.exchange.view(context.account, Source.DATABASE)
    rows = [
        order
        for order in view.orders.get(listing.symbol, {}).values()
        if (first_id is None or order.order_id >= first_id)
        and (start_ms is None or payloads.ms(order.created_ns) >= start_ms)
        and (end_ms is None or payloads.ms(order.created_ns) <= end_ms)
    ]
    rows.sort(key=lambda order: order.order_id)
    rows = rows[-limit:] if first_id is None and start_ms is None else rows[:limit]
    return [payloads.order_row(order, listing.instrument.venue_symbol) for order in rows]


def time_span(params: Params) -> tuple[int | None, int | None]:
    """startTime and endTime in milliseconds; RefusedError when they are more than a day apart."""
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > LONGEST_SPAN_MS:
        raise errors.span_too_long()
    return start_ms, end_ms


def row_limit(params: Params) -> int:
    """How many rows a list may have."""
    limit = params.integer("limit")
    return DEFAULT_ROWS if limit is None else max(1, min(limit, MOST_ROWS))


def _cancel(context: Context, listing: Listing, order: Order, cancel_id: str) -> payloads.Json:
    """Cancel an open order; what is replied is its list when all of that is cancelled."""
    account, symbol = context.account, listing.instrument.venue_symbol
    order_list = account.executing_lists.get(order.list_id)
    if order_list is None:
        context.exchange.cancel(account, order, cancel_id)
        return payloads.cancelled(order, symbol)
    cancelled = context.exchange.cancel_list(account, order_list, cancel_id)
    return payloads.cancelled_list(order_list, cancelled, symbol)


def _ids(params: Params) -> tuple[int | None, str | None]:
    order_id = params.integer("orderId")
    client_id = params.client_id("origClientOrderId")
    if order_id is None and client_id is None:
        raise errors.either_missing("origClientOrderId", "orderId")
    return order_id, client_id


def _check_restriction(params: Params, order: Order) -> None:
    wanted = params.text("cancelRestrictions")
    if wanted is None:
        return
    states = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}
    if wanted not in states:
        raise errors.bad_parameter("cancelRestrictions")
    if order.status.value != states[wanted]:
        raise errors.RefusedError(
            -2011, "Order was not canceled due to cancel restrictions."
        )


def default_id(context: Context, listing: Listing) -> str:
    """An id of the exchange's own making, 22 letters and digits, the same in the same run."""
    count = f"{context.exchange.seed}\0{listing.symbol}\0{context.exchange.next_name()}"
    return hashlib.sha256(count.encode()).hexdigest()[:22]


ORDER_ROUTES = {
    ("POST", "/api/v3/order"): Route(
        answer=place_order, weight=flat(1), is_signed=True, reaches_engine=True, orders=1
    ),
    ("POST", "/api/v3/order/test"): Route(answer=test_order, weight=flat(1), is_signed=True),
    ("DELETE", "/api/v3/order"): Route(
        answer=cancel_order, weight=flat(1), is_signed=True, reaches_engine=True
    ),
    ("DELETE", "/api/v3/openOrders"): Route(
        answer=cancel_open_orders, weight=flat(1), is_signed=True, reaches_engine=True
    ),
    ("GET", "/api/v3/order"): Route(answer=query_order, weight=flat(4), is_signed=True),
    ("GET", "/api/v3/openOrders"): Route(
        answer=open_orders, weight=by_symbol(6, 80), is_signed=True
    ),
    ("GET", "/api/v3/allOrders"): Route(answer=all_orders, weight=flat(20), is_signed=True),
}
