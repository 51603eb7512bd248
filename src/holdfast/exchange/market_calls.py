"""Calls about the market: time, symbols, book, trades, candles, tickers.

Not here: streams of the same (`streams`).
"""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Any

from holdfast.domain.money import ZERO
from holdfast.exchange import errors, payloads
from holdfast.exchange.limits import Limits
from holdfast.exchange.listing import Listing
from holdfast.exchange.order_calls import row_limit
from holdfast.exchange.orders import Kind, SelfTrade
from holdfast.exchange.params import Params
from holdfast.exchange.routes import Context, Route, by_symbol, flat
from holdfast.exchange.tape import INTERVAL_NS, Tape

_DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
_MOST_LEVELS = 5000


def ping(_context: Context) -> Any:
    """Nothing, quickly."""
    return {}


def server_time(context: Context) -> Any:
    """Exchange time, as this gateway sees it."""
    return {"serverTime": payloads.ms(context.server_ns)}


def exchange_info(context: Context) -> Any:
    """Limits, symbols and their filters."""
    listings = _wanted(context)
    return {
        "timezone": "UTC",
        "serverTime": payloads.ms(context.server_ns),
        "rateLimits": rate_limits(context.gatekeeper.limits),
        "exchangeFilters": [],
        "symbols": [symbol_info(listing) for listing in listings],
    }


def no_symbols(context: Context) -> Any:
    """What the futures exchanges list here: nothing."""
    return {
        "timezone": "UTC",
        "serverTime": payloads.ms(context.server_ns),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [],
    }


def depth(context: Context) -> Any:
    """A snapshot of the book."""
    limit = context.params.integer("limit") or 100
    listing = _one(context)
    return payloads.depth_body(listing, min(limit, _MOST_LEVELS))


def trades(context: Context) -> Any:
    """The latest trades, oldest first."""
    tape = _tape(context)
    return [payloads.trade_row(trade) for trade in _last(tape, row_limit(context.params))]


def aggregate_trades(context: Context) -> Any:
    """Aggregate trades from an id, in a span, or the latest."""
    params = context.params
    tape = _tape(context)
    from_id, limit = params.integer("fromId"), row_limit(params)
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    rows = [
        trade
        for trade in tape.trades
        if (from_id is None or trade.trade_id >= from_id)
        and (start_ms is None or payloads.ms(trade.at_ns) >= start_ms)
        and (end_ms is None or payloads.ms(trade.at_ns) <= end_ms)
    ]
    newest = from_id is None and start_ms is None
    rows = rows[-limit:] if newest else rows[:limit]
    return [payloads.aggregate_row(trade) for trade in rows]


def klines(context: Context) -> Any:
    """Candles of an interval, oldest first, the last one open."""
    if context.passed_on is not None:
        return context.passed_on
    params = context.params
    tape = _tape(context)
    interval = params.required("interval")
    if interval not in INTERVAL_NS:
        raise errors.bad_interval()
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    limit = row_limit(params)
    candles = tape.candles(interval, context.exchange.now_ns(), (start_ms or 0) * 1_000_000)
    if end_ms is not None:
        candles = [item for item in candles if payloads.ms(item.open_ns) <= end_ms]
    candles = candles[-limit:] if start_ms is None else candles[:limit]
    return [payloads.kline_row(item, interval) for item in candles]


def average_price(context: Context) -> Any:
    """The price that market orders' notional is judged by."""
    listing = _one(context)
    last = _tape(context).trades
    return {
        "mins": 5,
        "price": f"{listing.average.value or ZERO:.8f}",
        "closeTime": payloads.ms(last[-1].at_ns) if last else 0,
    }


def day_ticker(context: Context) -> Any:
    """The last 24 hours of one symbol or of all."""
    if context.passed_on is not None:
        return context.passed_on
    now_ns = context.exchange.now_ns()
    return _each(
        context,
        lambda listing: payloads.day_ticker(
            listing, context.exchange.tapes[listing.symbol].last_day(now_ns), now_ns
        ),
    )


def price_ticker(context: Context) -> Any:
    """The last price of one symbol or of all."""
    return _each(
        context,
        lambda listing: {
            "symbol": listing.instrument.venue_symbol,
            "price": payloads.amount(listing.last_price or ZERO),
        },
    )


def book_ticker(context: Context) -> Any:
    """The best levels of one symbol or of all."""
    return _each(context, payloads.book_ticker)


def rate_limits(limits: Limits) -> list[payloads.Json]:
    """The limits as exchangeInfo lists them."""
    rows = (
        ("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_per_minute),
        ("ORDERS", "SECOND", 10, limits.orders_per_10s),
        ("ORDERS", "DAY", 1, limits.orders_per_day),
        ("RAW_REQUESTS", "MINUTE", 5, limits.raw_requests_per_5m),
    )
    return [
        {"rateLimitType": kind, "interval": unit, "intervalNum": number, "limit": limit}
        for kind, unit, number, limit in rows
    ]


def symbol_info(listing: Listing) -> payloads.Json:
    """A symbol with its filters as they are now."""
    instrument = listing.instrument
    return {
        "symbol": instrument.venue_symbol,
        "status": listing.status,
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [kind.value for kind in Kind],
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": SelfTrade.EXPIRE_MAKER.value,
        "allowedSelfTradePreventionModes": [mode.value for mode in SelfTrade],
    }


def _filters(listing: Listing) -> list[payloads.Json]:
    rules, show = listing.rules, payloads.amount
    up, down = _short(rules.price_band_up), _short(rules.price_band_down)
    rows: list[payloads.Json] = [
        {
            "filterType": "PRICE_FILTER", "minPrice": show(rules.min_price),
            "maxPrice": show(rules.max_price), "tickSize": show(rules.tick),
        },
        {
            "filterType": "LOT_SIZE", "minQty": show(rules.min_quantity),
            "maxQty": show(rules.max_quantity), "stepSize": show(rules.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE", "minQty": show(ZERO),
            "maxQty": show(rules.market_max_quantity), "stepSize": show(ZERO),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": up, "bidMultiplierDown": down,
            "askMultiplierUp": up, "askMultiplierDown": down, "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL", "minNotional": show(rules.min_notional),
            "applyMinToMarket": True, "maxNotional": show(rules.max_notional),
            "applyMaxToMarket": True, "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.max_algo_orders},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": rules.max_order_lists},
    ]
    if rules.max_position:
        rows.append({"filterType": "MAX_POSITION", "maxPosition": show(rules.max_position)})
    return rows


def _short(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _one(context: Context) -> Listing:
    return context.exchange.listing(context.params.required("symbol"))


def _tape(context: Context) -> Tape:
    return context.exchange.tapes[_one(context).symbol]


def _last(tape: Tape, limit: int) -> list[Any]:
    return list(islice(tape.trades, max(0, len(tape.trades) - limit), None))


def _wanted(context: Context) -> list[Listing]:
    """The listings that `symbol` or `symbols` name, all without either; RefusedError with both."""
    exchange, params = context.exchange, context.params
    one, several = params.text("symbol"), params.symbols("symbols")
    if one is not None and several is not None:
        raise errors.bad_combination()
    if one is not None:
        return [exchange.listing(one)]
    if several is not None:
        return [exchange.listing(name) for name in several]
    return list(exchange.engine.listings.values())


def _each(context: Context, render: Any) -> Any:
    rows = [render(listing) for listing in _wanted(context)]
    return rows[0] if context.params.has("symbol") else rows


def _depth_weight(params: Params) -> int:
    text = params.values.get("limit", "100")
    limit = int(text) if text.isdigit() else 100
    return next((weight for most, weight in _DEPTH_WEIGHTS if limit <= most), 250)


MARKET_ROUTES = {
    ("GET", "/api/v3/ping"): Route(answer=ping, weight=flat(1)),
    ("GET", "/api/v3/time"): Route(answer=server_time, weight=flat(1)),
    ("GET", "/api/v3/exchangeInfo"): Route(answer=exchange_info, weight=flat(20)),
    ("GET", "/api/v3/depth"): Route(answer=depth, weight=_depth_weight),
    ("GET", "/api/v3/trades"): Route(answer=trades, weight=flat(25)),
    ("GET", "/api/v3/historicalTrades"): Route(answer=trades, weight=flat(25)),
    ("GET", "/api/v3/aggTrades"): Route(answer=aggregate_trades, weight=flat(4)),
    ("GET", "/api/v3/klines"): Route(answer=klines, weight=flat(2), is_passed_on=True),
    ("GET", "/api/v3/avgPrice"): Route(answer=average_price, weight=flat(2)),
    ("GET", "/api/v3/ticker/24hr"): Route(
        answer=day_ticker, weight=by_symbol(2, 80), is_passed_on=True
    ),
    ("GET", "/api/v3/ticker/price"): Route(answer=price_ticker, weight=by_symbol(2, 4)),
    ("GET", "/api/v3/ticker/bookTicker"): Route(answer=book_ticker, weight=by_symbol(2, 4)),
    ("GET", "/fapi/v1/exchangeInfo"): Route(answer=no_symbols, weight=flat(1)),
    ("GET", "/dapi/v1/exchangeInfo"): Route(answer=no_symbols, weight=flat(1)),
}
