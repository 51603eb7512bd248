"""Calls about order lists: place (OCO, OTO, OTOCO), cancel, query.

Placing and cancelling ask the engine; queries ask what memory or the database show. Not here: the
parameters of a new list (`list_request`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from holdfast.exchange import errors, payloads
from holdfast.exchange.core import Exchange, Source
from holdfast.exchange.list_request import ListReader
from holdfast.exchange.order_calls import REPLIES, SIGNED, default_id, row_limit, time_span
from holdfast.exchange.order_list import ListTicket, OrderList
from holdfast.exchange.routes import Context, Route, flat


def place_oco(context: Context) -> Any:
    """Accept two orders of which one cancels the other."""
    return _place(context, _reader(context).oco())


def place_oto(context: Context) -> Any:
    """Accept an order, and one that follows when it is filled."""
    return _place(context, _reader(context).oto())


def place_otoco(context: Context) -> Any:
    """Accept an order, and two that follow when it is filled, of which one cancels the other."""
    return _place(context, _reader(context).otoco())


def cancel_list(context: Context) -> Any:
    """Cancel all open orders of a list that is at work."""
    params, account = context.params, context.account
    listing = context.exchange.listing(params.required("symbol"))
    list_id, client_id = params.integer("orderListId"), params.client_id("listClientOrderId")
    if list_id is None and client_id is None:
        raise errors.either_missing("orderListId", "listClientOrderId")
    cancel_id = params.client_id("newClientOrderId") or default_id(context, listing)
    params.refuse_unread(*SIGNED)
    if list_id is not None:
        found = account.executing_lists.get(list_id)
    else:
        found = account.executing_by_client_id(client_id or "")
    if found is None or found.symbol != listing.symbol or client_id not in {
        None, found.client_list_id,
    }:
        raise errors.unknown_list_to_cancel()
    cancelled = context.exchange.cancel_list(account, found, cancel_id)
    return payloads.cancelled_list(found, cancelled, listing.instrument.venue_symbol)


def query_list(context: Context) -> Any:
    """One list as the database shows it; the latest one when several carried the client id."""
    params = context.params
    list_id, client_id = params.integer("orderListId"), params.client_id("origClientOrderId")
    params.refuse_unread(*SIGNED)
    if list_id is None and client_id is None:
        raise errors.bad_combination_without("orderListId")
    view = context.exchange.view(context.account, Source.DATABASE)
    if client_id is not None:
        found = view.latest_list_by_client_id(client_id)
    else:
        found = view.lists.get(-1 if list_id is None else list_id)
    if found is None:
        raise errors.list_not_found()
    return _row(context.exchange, found)


def open_lists(context: Context) -> Any:
    """Lists at work of all symbols, as memory shows them, oldest first."""
    view = context.exchange.view(context.account, Source.MEMORY)
    found = sorted(view.executing_lists.values(), key=lambda order_list: order_list.list_id)
    return [_row(context.exchange, each) for each in found]


def all_lists(context: Context) -> Any:
    """Lists as the database shows them: from an id or in a span of their last change, ascending;
    without either the latest, newest first.
    """
    params = context.params
    first_id = params.integer("fromId")
    start_ms, end_ms = time_span(params)
    limit = row_limit(params)
    params.refuse_unread(*SIGNED)
    if first_id is not None and (start_ms is not None or end_ms is not None):
        raise errors.bad_combination()
    view = context.exchange.view(context.account, Source.DATABASE)
    found = [
        each
        for each in sorted(view.lists.values(), key=lambda order_list: order_list.list_id)
        if (first_id is None or each.list_id >= first_id)
        and (start_ms is None or payloads.ms(each.updated_ns) >= start_ms)
        and (end_ms is None or payloads.ms(each.updated_ns) <= end_ms)
    ]
    if first_id is None and start_ms is None:
        found.reverse()
    return [_row(context.exchange, each) for each in found[:limit]]


def _reader(context: Context) -> ListReader:
    listing = context.exchange.listing(context.params.required("symbol"))
    return ListReader(context.params, listing.symbol, partial(default_id, context, listing))


def _place(context: Context, ticket: ListTicket) -> Any:
    params, exchange = context.params, context.exchange
    render = REPLIES.get(params.text("newOrderRespType") or "RESULT")
    params.refuse_unread(*SIGNED)
    if render is None:
        raise errors.bad_parameter("newOrderRespType")
    placement = exchange.submit_list(context.account, ticket)
    body = _row(exchange, placement.order_list)
    if not placement.order_list.is_executing:
        # As the real exchange does with a list that is done before its placement is answered.
        body["listClientOrderId"] = None
    symbol = body["symbol"]
    return {**body, "orderReports": [render(order, symbol) for order in placement.orders]}


def _row(exchange: Exchange, order_list: OrderList) -> payloads.Json:
    listing = exchange.engine.listings[order_list.symbol]
    return payloads.list_row(order_list, listing.instrument.venue_symbol)


LIST_ROUTES = {
    ("POST", "/api/v3/orderList/oco"): Route(
        answer=place_oco, weight=flat(1), is_signed=True, reaches_engine=True, orders=2
    ),
    ("POST", "/api/v3/orderList/oto"): Route(
        answer=place_oto, weight=flat(1), is_signed=True, reaches_engine=True, orders=2
    ),
    ("POST", "/api/v3/orderList/otoco"): Route(
        answer=place_otoco, weight=flat(1), is_signed=True, reaches_engine=True, orders=3
    ),
    ("DELETE", "/api/v3/orderList"): Route(
        answer=cancel_list, weight=flat(1), is_signed=True, reaches_engine=True
    ),
    ("GET", "/api/v3/orderList"): Route(answer=query_list, weight=flat(4), is_signed=True),
    ("GET", "/api/v3/openOrderList"): Route(answer=open_lists, weight=flat(6), is_signed=True),
    ("GET", "/api/v3/allOrderList"): Route(answer=all_lists, weight=flat(20), is_signed=True),
}
