"""The truth for checkers: every order ever accepted, every execution, every balance, as text.

Not here: what queries show (`views`); this is the engine's own state, without any lag.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from holdfast.domain.money import plain
from holdfast.exchange.accounts import Account
from holdfast.exchange.core import Exchange, ListReport, OrderReport, UserEvent
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Execution, Order

_Key = tuple[str, int] | int  # of an order in its account: its symbol and id; of a list: its id


class LedgerLog:
    """When each order and list changed last, so that who follows the ledger is told only of that.

    Numbers begin at the exchange time at which the log begins: of what an earlier log counted
    nothing is known here, and who asks from there gets all of it.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._next = exchange.now_ns()
        exchange.event_watchers.append(self._note)
        self.begin()

    def begin(self) -> None:
        """Everybody gets all of it the next time; for what changes rows without any report."""
        self._first = self._next = self._next + 1
        self._changed: dict[tuple[Account, _Key], int] = {}  # the latest change last

    def read(self, since: int) -> dict[str, Any]:
        """As `ledger`, of the orders and lists that changed, with all their executions.

        Args:
            since: the `next` of an earlier answer; 0 for everything.

        Returns what `ledger` does, with all balances; also `whole`, whether it is everything, and
        `next`, from where to ask the next time.
        """
        is_whole = not self._first <= since <= self._next
        keys = None
        if not is_whole:
            latest = takewhile(lambda item: item[1] >= since, reversed(self._changed.items()))
            keys = [key for key, _number in latest]
        return {"whole": is_whole, "next": self._next, **ledger(self._exchange, keys)}

    def _note(self, account: Account, event: UserEvent) -> None:
        if isinstance(event, OrderReport):
            key: _Key = (event.order.symbol, event.order.order_id)
        elif isinstance(event, ListReport):
            key = event.order_list.list_id
        else:
            return
        self._changed.pop((account, key), None)
        self._changed[account, key] = self._next
        self._next += 1


def ledger(
    exchange: Exchange, only: Iterable[tuple[Account, _Key]] | None = None
) -> dict[str, Any]:
    """All of it; numbers are text, times nanoseconds, symbols as on the wire.

    Args:
        only: the orders, with their executions, and lists to tell of; None for all there are.

    Returns `orders`, `orderLists` and `executions` in order of their making, `balances` by API key
    and asset.
    """
    names = {item.symbol: item.venue_symbol for item in exchange.instruments}
    accounts = list(exchange.accounts.values())
    if only is None:
        orders = [(order, account) for account in accounts for order in account.orders.values()]
        lists = [(each, account) for account in accounts for each in account.lists.values()]
        fills = [(fill, account) for account in accounts for fill in account.executions]
    else:
        only = list(only)
        orders = [(a.orders[key], a) for a, key in only if isinstance(key, tuple)]
        lists = [(a.lists[key], a) for a, key in only if isinstance(key, int)]
        fills = [(fill, account) for order, account in orders for fill in order.fills]
    orders.sort(key=lambda pair: pair[0].sequence)
    lists.sort(key=lambda pair: pair[0].list_id)
    fills.sort(key=lambda pair: (pair[0].at_ns, pair[0].symbol, pair[0].trade_id))
    return {
        "at_ns": exchange.now_ns(),
        "orders": [_order(order, account, names[order.symbol]) for order, account in orders],
        "orderLists": [_list(each, account, names[each.symbol]) for each, account in lists],
        "executions": [_execution(fill, account, names[fill.symbol]) for fill, account in fills],
        "balances": {account.api_key: _balances(account) for account in accounts},
    }


def _order(order: Order, account: Account, symbol: str) -> dict[str, Any]:
    return {
        "apiKey": account.api_key,
        "symbol": symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_order_id,
        "side": order.side.value,
        "type": order.kind.value,
        "timeInForce": order.time_in_force.value,
        "price": None if order.price is None else plain(order.price),
        "stopPrice": None if order.stop_price is None else plain(order.stop_price),
        "origQty": plain(order.quantity),
        "origQuoteOrderQty": plain(order.quote_quantity),
        "executedQty": plain(order.executed),
        "cummulativeQuoteQty": plain(order.executed_cost),
        "status": order.status.value,
        "cancelId": order.cancel_id,
        "expiryReason": None if order.expiry is None else order.expiry.value,
        "time": order.created_ns // 1_000_000,
        "updateTime": order.updated_ns // 1_000_000,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
    }


def _list(order_list: OrderList, account: Account, symbol: str) -> dict[str, Any]:
    return {
        "apiKey": account.api_key,
        "symbol": symbol,
        "orderListId": order_list.list_id,
        "listClientOrderId": order_list.client_list_id,
        "contingencyType": order_list.contingency.value,
        "listOrderStatus": order_list.status.value,
        "orderIds": [leg.order_id for leg in order_list.legs],
        "created_ns": order_list.created_ns,
        "updated_ns": order_list.updated_ns,
    }


def _execution(fill: Execution, account: Account, symbol: str) -> dict[str, Any]:
    order = account.orders[fill.symbol, fill.order_id]
    return {
        "apiKey": account.api_key,
        "symbol": symbol,
        "tradeId": fill.trade_id,
        "orderId": fill.order_id,
        "clientOrderId": order.client_order_id,
        "side": fill.side.value,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "quoteQty": plain(fill.cost),
        "commission": plain(fill.fee),
        "commissionAsset": fill.fee_asset,
        "isMaker": fill.is_maker,
        "time": fill.at_ns // 1_000_000,
        "at_ns": fill.at_ns,
    }


def _balances(account: Account) -> dict[str, dict[str, str]]:
    return {
        asset: {"free": plain(item.free), "locked": plain(item.locked)}
        for asset, item in sorted(account.balances.items())
    }
