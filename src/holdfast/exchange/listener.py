"""Who the engine tells what becomes of orders, lists and prices. Not here: what they make of it."""

from __future__ import annotations

from typing import Protocol

from holdfast.exchange.accounts import Account
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Change, Execution, Order, Trade


class Listener(Protocol):
    """Told of each change while it is made; must not call the engine."""

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        """`order` of an account has just become what it now is."""

    def on_list(self, account: Account, order_list: OrderList) -> None:
        """A list of `account` has just become what it now is; its orders were told of before."""

    def on_trade(self, trade: Trade) -> None:
        """A trade was printed."""


class Silence:
    """A listener that needs to know nothing."""

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        """Ignore it."""

    def on_list(self, account: Account, order_list: OrderList) -> None:
        """Ignore it."""

    def on_trade(self, trade: Trade) -> None:
        """Ignore it."""
