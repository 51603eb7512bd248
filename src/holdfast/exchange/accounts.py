"""Accounts of the local exchange: keys, balances, fee plan, and all they ever ordered.

Not here: deciding what to hold or to pay (`matching`), or rendering any of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.money import ZERO
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Execution, Order, SelfTrade

RECEIVED: Final = "received"
QUOTE: Final = "quote"
BASE: Final = "base"


class FeePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What an account pays per trade.

    Attributes:
        maker, taker: share of the traded amount, 0.001 for ten basis points.
        asset: `received` (as the real exchange does), `quote`, `base`, or the name of a third one,
            which falls back to `received` where it cannot pay.
        asset_price: quote units per unit of the third asset; used when no market here shows it.
    """

    maker: Decimal = Decimal("0.001")
    taker: Decimal = Decimal("0.001")
    asset: str = RECEIVED
    asset_price: Decimal = Decimal(600)


class Balance(msgspec.Struct):
    """What an account has of one asset; neither part is ever negative."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


class Account:
    """One account. The matching engine is the only writer of its money and orders."""

    def __init__(
        self, number: int, api_key: str, secret: str, fees: FeePlan | None = None
    ) -> None:
        self.number = number
        self.api_key = api_key
        self.secret = secret
        self.fees = fees or FeePlan()
        self.self_trade = SelfTrade.EXPIRE_MAKER
        self.can_trade = True
        self.is_revoked = False
        self.permissions: dict[str, bool] = {}  # of the key, where they are not the usual ones
        self.created_ns = 0
        self.updated_ns = 0
        self.balances: dict[str, Balance] = {}
        self.orders: dict[tuple[str, int], Order] = {}
        self.open_orders: dict[tuple[str, int], Order] = {}
        self.lists: dict[int, OrderList] = {}
        self.executing_lists: dict[int, OrderList] = {}
        self.executions: list[Execution] = []
        self._open_by_client_id: dict[tuple[str, str], Order] = {}

    def balance(self, asset: str) -> Balance:
        """The balance of `asset`, made when there is none yet."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found

    def enter(self, order: Order) -> None:
        """Keep a new order for good."""
        self.orders[order.symbol, order.order_id] = order

    def open(self, order: Order) -> None:
        """Note that an order rests or waits: its client id is taken meanwhile."""
        self.open_orders[order.symbol, order.order_id] = order
        self._open_by_client_id[order.symbol, order.client_order_id] = order

    def close(self, order: Order) -> None:
        """Note that an order rests and waits no longer: its client id may be used again."""
        if not self.open_orders:
            return
        self.open_orders.pop((order.symbol, order.order_id), None)
        self._open_by_client_id.pop((order.symbol, order.client_order_id), None)

    def enter_list(self, order_list: OrderList) -> None:
        """Keep a list for good, and among those at work while it is."""
        self.lists[order_list.list_id] = order_list
        if order_list.is_executing:
            self.executing_lists[order_list.list_id] = order_list

    def close_list(self, order_list: OrderList) -> None:
        """Note that a list is at work no longer: its client id may be used again."""
        self.executing_lists.pop(order_list.list_id, None)

    def executing_by_client_id(self, client_list_id: str) -> OrderList | None:
        """The list *at work* with this client id, or None."""
        for order_list in self.executing_lists.values():
            if order_list.client_list_id == client_list_id:
                return order_list
        return None

    def open_by_client_id(self, symbol: str, client_order_id: str) -> Order | None:
        """The *open* order with this client id, or None."""
        return self._open_by_client_id.get((symbol, client_order_id))
