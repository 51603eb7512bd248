"""Order lists for tests of the local exchange: requests, and what is heard of them.

Not here: the exchange, or a client of it (`tests.support.exchange`).
"""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.support.exchange import Client
from tests.support.waiting import PATIENCE_S

SYMBOL: dict[str, Any] = {"symbol": "BTCUSDT"}
# The market: best bid 59,999, best ask and last price 60,000.
OCO: dict[str, Any] = {
    **SYMBOL, "side": "SELL", "quantity": "0.5", "listClientOrderId": "list",
    "aboveType": "LIMIT_MAKER", "abovePrice": "60500", "aboveClientOrderId": "gain",
    "belowType": "STOP_LOSS", "belowStopPrice": "59990", "belowClientOrderId": "loss",
}  # fmt: skip
OTO: dict[str, Any] = {
    **SYMBOL, "listClientOrderId": "list", "workingType": "LIMIT", "workingSide": "BUY",
    "workingPrice": "59000", "workingQuantity": "0.5", "workingTimeInForce": "GTC",
    "workingClientOrderId": "entry",
}  # fmt: skip
THEN_SELL: dict[str, Any] = {
    "pendingType": "LIMIT", "pendingSide": "SELL", "pendingPrice": "61000",
    "pendingTimeInForce": "GTC", "pendingQuantity": "0.4", "pendingClientOrderId": "exit",
}  # fmt: skip
THEN_PAIR: dict[str, Any] = {
    "pendingSide": "SELL", "pendingQuantity": "0.4",
    "pendingAboveType": "TAKE_PROFIT", "pendingAboveStopPrice": "61000",
    "pendingAboveClientOrderId": "gain",
    "pendingBelowType": "STOP_LOSS_LIMIT", "pendingBelowStopPrice": "58000",
    "pendingBelowPrice": "57900", "pendingBelowTimeInForce": "GTC",
    "pendingBelowClientOrderId": "loss",
}  # fmt: skip


async def place(client: Client, kind: str, **params: Any) -> dict[str, Any]:
    """Place a list; fails the test when it is refused."""
    status, body = await client.call("POST", f"/api/v3/orderList/{kind}", **params)
    assert status == 200, body
    assert isinstance(body, dict)
    return body


async def others_trade(client: Client, side: str, quantity: str, price: str | None = None) -> None:
    """Somebody else takes, or with a price offers as well."""
    order = {**SYMBOL, "side": side, "quantity": quantity, "type": "MARKET"}
    if price is not None:
        order |= {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
    await client.admin("POST", "orders", order)


async def orders_of(client: Client) -> dict[str, dict[str, Any]]:
    """The orders by client id, as a query shows them."""
    _, rows = await client.call("GET", "/api/v3/allOrders", **SYMBOL)
    return {row["clientOrderId"]: row for row in rows}


async def balances_of(client: Client) -> dict[str, tuple[str, str]]:
    """Free and locked by asset, as a query shows them."""
    _, account = await client.call("GET", "/api/v3/account")
    return {row["asset"]: (row["free"], row["locked"]) for row in account["balances"]}


async def hear_until_done(socket: aiohttp.ClientWebSocketResponse) -> list[tuple[str, ...]]:
    """What is told until a list is done: reports as (id, type, status), lists as (type, status)."""
    heard: list[tuple[str, ...]] = []
    while True:
        event = (await socket.receive_json(timeout=PATIENCE_S))["event"]
        if event["e"] == "executionReport":
            heard.append((event["C"] or event["c"], event["x"], event["X"]))
        elif event["e"] == "listStatus":
            heard.append((event["l"], event["L"]))
            if event["L"] == "ALL_DONE":
                return heard
