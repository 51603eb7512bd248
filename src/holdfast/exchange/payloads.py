"""How the exchange's values look on the wire: Binance Spot's JSON objects as plain dicts.

Not here: routes, streams, or any decision. Decimals are text with eight places, times milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import islice
from typing import Any

from holdfast.domain.money import ZERO, plain
from holdfast.exchange.accounts import Account
from holdfast.exchange.book import Level
from holdfast.exchange.core import ListReport, OrderReport, Position, Transfer, UserEvent
from holdfast.exchange.listing import Listing
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Change, Execution, Order, Trade
from holdfast.exchange.tape import INTERVAL_NS, Candle
from holdfast.exchange.views import Balances

Json = dict[str, Any]
_PLACES = Decimal("0.00000001")


def amount(value: Decimal) -> str:
    """Eight places, as the exchange writes all numbers; more only where the value has more."""
    text = format(value, ".8f")
    return text if value == value.quantize(_PLACES) else plain(value)


def ms(at_ns: int) -> int:
    """Nanoseconds as milliseconds, cut."""
    return at_ns // 1_000_000


def order_ack(order: Order, symbol: str) -> Json:
    """The ACK reply to a new order."""
    return {
        "symbol": symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "transactTime": ms(order.updated_ns),
    }


def order_result(order: Order, symbol: str) -> Json:
    """The RESULT reply to a new order."""
    body = {
        **order_ack(order, symbol),
        "price": amount(order.price or ZERO),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed),
        "origQuoteOrderQty": amount(order.quote_quantity),
        "cummulativeQuoteQty": amount(order.executed_cost),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.kind.value,
        "side": order.side.value,
    }
    if order.stop_price is not None:
        body["stopPrice"] = amount(order.stop_price)
    body["workingTime"] = ms(order.working_ns) if order.is_working else -1
    body["selfTradePreventionMode"] = order.self_trade.value
    if order.expiry is not None:
        body["expiryReason"] = order.expiry.value
    return body


def order_full(order: Order, symbol: str) -> Json:
    """The FULL reply to a new order: the result and its fills."""
    body = order_result(order, symbol)
    body["fills"] = [
        {
            "price": amount(fill.price),
            "qty": amount(fill.quantity),
            "commission": amount(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in order.fills
    ]
    return body


def order_row(order: Order, symbol: str) -> Json:
    """An order as queries show it."""
    body = {
        "symbol": symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "price": amount(order.price or ZERO),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed),
        "cummulativeQuoteQty": amount(order.executed_cost),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.kind.value,
        "side": order.side.value,
        "stopPrice": amount(order.stop_price or ZERO),
        "icebergQty": amount(ZERO),
        "time": ms(order.created_ns),
        "updateTime": ms(order.updated_ns),
        "isWorking": order.is_working,
        "workingTime": ms(order.working_ns) if order.is_working else -1,
        "origQuoteOrderQty": amount(order.quote_quantity),
        "selfTradePreventionMode": order.self_trade.value,
    }
    if order.expiry is not None:
        body["expiryReason"] = order.expiry.value
    return body


def cancelled(order: Order, symbol: str) -> Json:
    """The reply to a cancel: `clientOrderId` is the cancel's, `origClientOrderId` the order's."""
    body = {
        "symbol": symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.cancel_id,
        "transactTime": ms(order.updated_ns),
        "price": amount(order.price or ZERO),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed),
        "origQuoteOrderQty": amount(order.quote_quantity),
        "cummulativeQuoteQty": amount(order.executed_cost),
        "status": order.status.value,
        "timeInForce": order.time_in_force.value,
        "type": order.kind.value,
        "side": order.side.value,
    }
    if order.stop_price is not None:
        body["stopPrice"] = amount(order.stop_price)
    body["selfTradePreventionMode"] = order.self_trade.value
    return body


def list_row(order_list: OrderList, symbol: str) -> Json:
    """A list as queries show it, and as the replies to its placement and its cancel begin."""
    is_executing = order_list.is_executing
    return {
        "orderListId": order_list.list_id,
        "contingencyType": order_list.contingency.value,
        "listStatusType": "EXEC_STARTED" if is_executing else "ALL_DONE",
        "listOrderStatus": order_list.status.value,
        "listClientOrderId": order_list.client_list_id,
        "transactionTime": ms(order_list.updated_ns),
        "symbol": symbol,
        "orders": [
            {"symbol": symbol, "orderId": leg.order_id, "clientOrderId": leg.client_order_id}
            for leg in order_list.legs
        ],
    }


def cancelled_list(order_list: OrderList, orders: Iterable[Order], symbol: str) -> Json:
    """The reply to the cancel of a list: the list, and those `orders` of it that were open."""
    reports = [cancelled(order, symbol) for order in orders]
    return {**list_row(order_list, symbol), "orderReports": reports}


def my_trade(fill: Execution, symbol: str, list_id: int) -> Json:
    """A row of the account's trades; `list_id` is its order's."""
    return {
        "symbol": symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": list_id,
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "quoteQty": amount(fill.cost),
        "commission": amount(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": ms(fill.at_ns),
        "isBuyer": fill.side.value == "BUY",
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def account_body(account: Account, balances: Balances, *, omit_zero: bool) -> Json:
    """The account's state; rates are fractions."""
    maker, taker = amount(account.fees.maker), amount(account.fees.taker)
    return {
        "makerCommission": int(account.fees.maker * 10_000),
        "takerCommission": int(account.fees.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": maker, "taker": taker, "buyer": amount(ZERO), "seller": amount(ZERO),
        },
        "canTrade": account.can_trade,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": ms(account.updated_ns),
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": amount(free), "locked": amount(locked)}
            for asset, (free, locked) in sorted(balances.items())
            if free or locked or not omit_zero
        ],
        "permissions": ["SPOT"],
        "uid": account.number,
    }


def trade_row(trade: Trade) -> Json:
    """A recent public trade."""
    return {
        "id": trade.trade_id,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.cost),
        "time": ms(trade.at_ns),
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_row(trade: Trade) -> Json:
    """A trade in the aggregate form; here each aggregate is one trade."""
    return {
        "a": trade.trade_id,
        "p": amount(trade.price),
        "q": amount(trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": ms(trade.at_ns),
        "m": trade.buyer_is_maker,
        "M": True,
    }


def kline_row(candle: Candle, interval: str) -> list[Any]:
    """A candle as the REST reply has it: a row of twelve."""
    return [
        ms(candle.open_ns),
        amount(candle.open),
        amount(candle.high),
        amount(candle.low),
        amount(candle.close),
        amount(candle.volume),
        ms(candle.open_ns + INTERVAL_NS[interval]) - 1,
        amount(candle.cost),
        candle.trades,
        amount(candle.taker_volume),
        amount(candle.taker_cost),
        "0",
    ]


def depth_rows(levels: Iterable[Level], limit: int) -> list[list[str]]:
    """Price and quantity of the first `limit` levels."""
    return [[amount(level.price), amount(level.quantity)] for level in islice(levels, limit)]


def depth_body(listing: Listing, limit: int) -> Json:
    """A snapshot of the book."""
    return {
        "lastUpdateId": listing.book.update_id,
        "bids": depth_rows(listing.book.bids.levels(), limit),
        "asks": depth_rows(listing.book.asks.levels(), limit),
    }


def book_ticker(listing: Listing) -> Json:
    """The best level of both sides; zeros where there is none."""
    bid, ask = listing.book.bids.best, listing.book.asks.best
    return {
        "symbol": listing.instrument.venue_symbol,
        "bidPrice": amount(bid.price if bid else ZERO),
        "bidQty": amount(bid.quantity if bid else ZERO),
        "askPrice": amount(ask.price if ask else ZERO),
        "askQty": amount(ask.quantity if ask else ZERO),
    }


def day_ticker(listing: Listing, day: Candle | None, now_ns: int) -> Json:
    """Statistics of the last 24 hours; zeros before the first trade."""
    zero = Candle(now_ns, ZERO, ZERO, ZERO, ZERO)
    day = day or zero
    change = day.close - day.open
    best = book_ticker(listing)
    return {
        "symbol": listing.instrument.venue_symbol,
        "priceChange": amount(change),
        "priceChangePercent": f"{change / day.open * 100 if day.open else ZERO:.3f}",
        "weightedAvgPrice": f"{day.cost / day.volume if day.volume else ZERO:.8f}",
        "prevClosePrice": amount(day.open),
        "lastPrice": amount(day.close),
        "lastQty": amount(ZERO),
        "bidPrice": best["bidPrice"],
        "bidQty": best["bidQty"],
        "askPrice": best["askPrice"],
        "askQty": best["askQty"],
        "openPrice": amount(day.open),
        "highPrice": amount(day.high),
        "lowPrice": amount(day.low),
        "volume": amount(day.volume),
        "quoteVolume": amount(day.cost),
        "openTime": ms(day.open_ns),
        "closeTime": ms(now_ns),
        "firstId": day.first_id,
        "lastId": day.last_id,
        "count": day.trades,
    }


def user_event(event: UserEvent, symbol_of: dict[str, str]) -> Json:
    """An event of the user stream; `symbol_of` turns unified names into the exchange's."""
    if isinstance(event, OrderReport):
        return execution_report(event, symbol_of[event.order.symbol])
    if isinstance(event, ListReport):
        return list_status(event.order_list, symbol_of[event.order_list.symbol])
    if isinstance(event, Position):
        return {
            "e": "outboundAccountPosition",
            "E": ms(event.at_ns),
            "u": ms(event.at_ns),
            "B": [
                {"a": asset, "f": amount(free), "l": amount(locked)}
                for asset, free, locked in event.balances
            ],
        }
    return balance_update(event)


def balance_update(event: Transfer) -> Json:
    """Money moved by hand."""
    return {
        "e": "balanceUpdate",
        "E": ms(event.at_ns),
        "a": event.asset,
        "d": amount(event.delta),
        "T": ms(event.at_ns),
    }


def list_status(order_list: OrderList, symbol: str) -> Json:
    """A list's change."""
    at_ms = ms(order_list.updated_ns)
    return {
        "e": "listStatus",
        "E": at_ms,
        "s": symbol,
        "g": order_list.list_id,
        "c": order_list.contingency.value,
        "l": "EXEC_STARTED" if order_list.is_executing else "ALL_DONE",
        "L": order_list.status.value,
        "r": "NONE",
        "C": order_list.client_list_id,
        "T": at_ms,
        "O": [
            {"s": symbol, "i": leg.order_id, "c": leg.client_order_id}
            for leg in order_list.legs
        ],
    }


def execution_report(report: OrderReport, symbol: str) -> Json:
    """An order's change; on a cancel `c` is the cancel's id and `C` the order's."""
    order, fill = report.order, report.execution
    is_cancel = report.change is Change.CANCELED
    body: Json = {
        "e": "executionReport",
        "E": ms(report.at_ns),
        "s": symbol,
        "c": order.cancel_id if is_cancel else order.client_order_id,
        "S": order.side.value,
        "o": order.kind.value,
        "f": order.time_in_force.value,
        "q": amount(order.quantity),
        "p": amount(order.price or ZERO),
        "P": amount(order.stop_price or ZERO),
        "F": amount(ZERO),
        "g": order.list_id,
        "C": order.client_order_id if is_cancel else "",
        "x": report.change.value,
        "X": order.status.value,
        "r": "NONE",
        "i": order.order_id,
        "l": amount(fill.quantity if fill else ZERO),
        "z": amount(order.executed),
        "L": amount(fill.price if fill else ZERO),
        "n": amount(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": ms(report.at_ns),
        "t": fill.trade_id if fill else -1,
        "I": order.sequence,
        "w": order.is_working and order.is_open,
        "m": fill.is_maker if fill else False,
        "M": False,
        "O": ms(order.created_ns),
        "Z": amount(order.executed_cost),
        "Y": amount(fill.cost if fill else ZERO),
        "Q": amount(order.quote_quantity),
    }
    if order.is_working:
        body["W"] = ms(order.working_ns)
    body["V"] = order.self_trade.value
    if order.expiry is not None:
        body["eR"] = order.expiry.value
    return body
