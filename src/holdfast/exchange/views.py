"""What queries may see: each data source shows the engine's truth after a delay of its own.

The engine is the truth; `memory` and `database` are copies fed by changes, each of which shows from
its own time on. Orders, trades and balances are kept by systems of their own at a real exchange, so
one may show before another that was there first. Not here: who decides on the delays (`faults`).
"""

from __future__ import annotations

import copy
from collections import deque
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from holdfast.exchange.accounts import Account
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Execution, Order

Balances = dict[str, tuple[Decimal, Decimal]]
ViewChange = Order | OrderList | Execution | Balances
Shown = TypeVar("Shown", Order, OrderList)


class Aspect(StrEnum):
    """What of an account a change is about; order lists show with orders."""

    ORDERS = "orders"
    TRADES = "trades"
    BALANCES = "balances"


class AccountView:
    """One account as one data source shows it."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[int, Order]] = {}
        self.open_orders: dict[tuple[str, int], Order] = {}
        self.lists: dict[int, OrderList] = {}
        self.executing_lists: dict[int, OrderList] = {}
        self.executions: dict[str, list[Execution]] = {}
        self.balances: Balances = {}
        self._by_client_id: dict[tuple[str, str], int] = {}
        self._pending: dict[Aspect, deque[tuple[int, ViewChange]]] = {
            aspect: deque() for aspect in Aspect
        }

    def feed(self, change: ViewChange, visible_ns: int, now_ns: int) -> None:
        """Take a change that shows from `visible_ns` on; never before an earlier one of its
        aspect."""
        pending = self._pending[aspect_of(change)]
        if not pending and visible_ns <= now_ns:
            self._apply(change)
            return
        if pending:
            visible_ns = max(visible_ns, pending[-1][0])
        pending.append((visible_ns, change))

    def catch_up(self, now_ns: int) -> AccountView:
        """Itself, with everything applied that is visible by `now_ns`."""
        for pending in self._pending.values():
            while pending and pending[0][0] <= now_ns:
                self._apply(pending.popleft()[1])
        return self

    def order(self, symbol: str, order_id: int) -> Order | None:
        """The order as this source shows it, or None."""
        return self.orders.get(symbol, {}).get(order_id)

    def latest_by_client_id(self, symbol: str, client_order_id: str) -> Order | None:
        """The latest order that carried this client id, or None."""
        order_id = self._by_client_id.get((symbol, client_order_id))
        return None if order_id is None else self.order(symbol, order_id)

    def latest_list_by_client_id(self, client_list_id: str) -> OrderList | None:
        """The latest list that carried this client id, or None."""
        found = [x for x in self.lists.values() if x.client_list_id == client_list_id]
        return max(found, key=lambda order_list: order_list.list_id, default=None)

    def _apply(self, change: ViewChange) -> None:
        if isinstance(change, Order):
            key = (change.symbol, change.order_id)
            self.orders.setdefault(change.symbol, {})[change.order_id] = change
            self._by_client_id[change.symbol, change.client_order_id] = max(
                change.order_id,
                self._by_client_id.get((change.symbol, change.client_order_id), 0),
            )
            if change.is_open:
                self.open_orders[key] = change
            else:
                self.open_orders.pop(key, None)
        elif isinstance(change, OrderList):
            self.lists[change.list_id] = change
            if change.is_executing:
                self.executing_lists[change.list_id] = change
            else:
                self.executing_lists.pop(change.list_id, None)
        elif isinstance(change, Execution):
            self.executions.setdefault(change.symbol, []).append(change)
        else:
            self.balances.update(change)


def aspect_of(change: ViewChange) -> Aspect:
    """What a change is about."""
    if isinstance(change, Execution):
        return Aspect.TRADES
    return Aspect.ORDERS if isinstance(change, Order | OrderList) else Aspect.BALANCES


def snapshot(item: Shown) -> Shown:
    """A copy that later changes of an order or a list do not reach."""
    return copy.copy(item)


def balances_of(account: Account) -> Balances:
    """All balances of an account as plain values."""
    return {asset: (item.free, item.locked) for asset, item in account.balances.items()}
