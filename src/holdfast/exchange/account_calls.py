"""Calls about the account: balances, trades, rates, restrictions.

Not here: orders (`order_calls`).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from holdfast.domain.money import ZERO
from holdfast.exchange import errors, payloads
from holdfast.exchange.core import Source
from holdfast.exchange.order_calls import row_limit, time_span
from holdfast.exchange.routes import Context, Route, flat


def account(context: Context) -> Any:
    """Balances as memory shows them."""
    omit_zero = context.params.text("omitZeroBalances") == "true"
    view = context.exchange.view(context.account, Source.MEMORY)
    known = dict.fromkeys(_assets(context), (ZERO, ZERO))
    return payloads.account_body(
        context.account, {**known, **view.balances}, omit_zero=omit_zero
    )


def my_trades(context: Context) -> Any:
    """The account's trades on a symbol, by id: of an order, from an id, in a span, or the last."""
    params = context.params
    listing = context.exchange.listing(params.required("symbol"))
    order_id, from_id = params.integer("orderId"), params.integer("fromId")
    start_ms, end_ms = time_span(params)
    if (order_id is not None or from_id is not None) and (start_ms or end_ms):
        raise errors.bad_combination()
    limit = row_limit(params)
    view = context.exchange.view(context.account, Source.MEMORY)
    fills = view.executions.get(listing.symbol, [])
    first = 0
    if from_id is not None:
        first = bisect_left(fills, from_id, key=lambda fill: fill.trade_id)
    if start_ms is not None:
        at = bisect_left(fills, start_ms, key=lambda fill: payloads.ms(fill.at_ns))
        first = max(first, at)
    rows = [
        fill
        for fill in fills[first:]
        if (order_id is None or fill.order_id == order_id)
        and (end_ms is None or payloads.ms(fill.at_ns) <= end_ms)
    ]
    newest = from_id is None and start_ms is None
    rows = rows[-limit:] if newest else rows[:limit]
    orders = context.account.orders
    return [
        payloads.my_trade(
            fill, listing.instrument.venue_symbol, orders[fill.symbol, fill.order_id].list_id
        )
        for fill in rows
    ]


def commission(context: Context) -> Any:
    """The account's rates on a symbol."""
    listing = context.exchange.listing(context.params.required("symbol"))
    fees, zero = context.account.fees, payloads.amount(ZERO)
    none = {"maker": zero, "taker": zero, "buyer": zero, "seller": zero}
    return {
        "symbol": listing.instrument.venue_symbol,
        "standardCommission": {
            **none, "maker": payloads.amount(fees.maker), "taker": payloads.amount(fees.taker),
        },
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB",
            "discount": zero,
        },
    }


def order_usage(context: Context) -> Any:
    """Unfilled orders in the current windows."""
    limits = context.gatekeeper.limits
    short, day = context.gatekeeper.used_orders(
        context.account.number, context.exchange.now_ns()
    )
    return [
        {
            "rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10,
            "limit": limits.orders_per_10s, "count": short,
        },
        {
            "rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1,
            "limit": limits.orders_per_day, "count": day,
        },
    ]


def restrictions(context: Context) -> Any:
    """What the key may do: read and trade spot, and never withdraw unless it was made so."""
    return {
        "ipRestrict": False,
        "createTime": payloads.ms(context.account.created_ns),
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
        **context.account.permissions,
    }


def nothing(_context: Context) -> Any:
    """An empty list: a service that exists, with nothing in it here."""
    return []


def _assets(context: Context) -> list[str]:
    instruments = context.exchange.instruments
    return sorted({asset for item in instruments for asset in (item.base, item.quote)})


ACCOUNT_ROUTES = {
    ("GET", "/api/v3/account"): Route(answer=account, weight=flat(20), is_signed=True),
    ("GET", "/api/v3/myTrades"): Route(
        answer=my_trades,
        weight=lambda params: 5 if params.has("orderId") else 20,
        is_signed=True,
    ),
    ("GET", "/api/v3/account/commission"): Route(
        answer=commission, weight=flat(20), is_signed=True
    ),
    ("GET", "/api/v3/rateLimit/order"): Route(answer=order_usage, weight=flat(40), is_signed=True),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(
        answer=restrictions, weight=flat(1), is_signed=True
    ),
    ("GET", "/sapi/v1/capital/config/getall"): Route(
        answer=nothing, weight=flat(10), is_signed=True
    ),
    ("GET", "/sapi/v1/margin/allPairs"): Route(answer=nothing, weight=flat(1)),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(answer=nothing, weight=flat(1)),
}
