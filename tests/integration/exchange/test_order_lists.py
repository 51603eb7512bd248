"""Order lists over the wire: an OCO, an OTO, an OTOCO, from their placement to their end."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.support.exchange import Client, local_exchange, on_loop
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


@on_loop
async def test_an_oco_is_two_orders_that_lock_one_quantity_and_know_their_list() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        body = await place(client, "oco", **OCO)
        reports = body.pop("orderReports")
        names = [
            {**SYMBOL, "orderId": 1, "clientOrderId": "loss"},
            {**SYMBOL, "orderId": 2, "clientOrderId": "gain"},
        ]
        at_ms = body.pop("transactionTime")
        assert body == {
            "orderListId": 0, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED",
            "listOrderStatus": "EXECUTING", "listClientOrderId": "list", **SYMBOL, "orders": names,
        }  # fmt: skip
        assert [
            (row["orderListId"], row["status"], row["type"], row.get("stopPrice"), row["price"])
            for row in reports
        ] == [
            (0, "NEW", "STOP_LOSS", "59990.00000000", "0.00000000"),
            (0, "NEW", "LIMIT_MAKER", None, "60500.00000000"),
        ]
        assert [row["workingTime"] for row in reports] == [-1, at_ms]
        assert (await balances_of(client))["BTC"] == ("9.50000000", "0.50000000")
        events = [(await socket.receive_json(timeout=PATIENCE_S))["event"] for _ in range(4)]
        assert [event["e"] for event in events] == [
            "executionReport", "executionReport", "listStatus", "outboundAccountPosition",
        ]
        assert [event["g"] for event in events[:3]] == [0, 0, 0]
        del events[2]["E"], events[2]["T"]
        assert events[2] == {
            "e": "listStatus", "s": "BTCUSDT", "g": 0, "c": "OCO", "l": "EXEC_STARTED",
            "L": "EXECUTING", "r": "NONE", "C": "list",
            "O": [{"s": "BTCUSDT", "i": n, "c": name} for n, name in ((1, "loss"), (2, "gain"))],
        }  # fmt: skip
        row = {**body, "transactionTime": at_ms}
        for asked in ({"orderListId": 0}, {"origClientOrderId": "list"}):
            assert await client.call("GET", "/api/v3/orderList", **asked) == (200, row)
        assert await client.call("GET", "/api/v3/openOrderList") == (200, [row])
        assert await client.call("GET", "/api/v3/allOrderList") == (200, [row])
        assert {row["orderListId"] for row in (await orders_of(client)).values()} == {0}
        ledger = await client.ledger()
        assert [row["orderListId"] for row in ledger["orders"]] == [0, 0]
        assert [row["orderIds"] for row in ledger["orderLists"]] == [[1, 2]]
        await socket.close()


@on_loop
async def test_the_first_part_of_the_limit_order_that_executes_expires_the_stop() -> None:
    async with local_exchange() as (running, client):
        await place(client, "oco", **{**OCO, "abovePrice": "60000.50"})
        socket = await client.subscribe(running)
        await others_trade(client, "BUY", "1.1")  # 1 at 60,000, then 0.1 of ours
        assert await hear_until_done(socket) == [
            ("gain", "TRADE", "PARTIALLY_FILLED"),
            ("loss", "EXPIRED", "EXPIRED"),
            ("ALL_DONE", "ALL_DONE"),
        ]
        rows = await orders_of(client)
        assert (rows["loss"]["status"], rows["loss"]["expiryReason"]) == ("EXPIRED", "OCO_TRIGGER")
        assert (await balances_of(client))["BTC"] == ("9.50000000", "0.40000000")
        _, trades = await client.call("GET", "/api/v3/myTrades", **SYMBOL)
        assert [trade["orderListId"] for trade in trades] == [0]
        # The list is done, so what is left of it is an order like any other.
        assert await client.call("GET", "/api/v3/openOrderList") == (200, [])
        gone = await client.call("DELETE", "/api/v3/orderList", **SYMBOL, orderListId=0)
        assert gone == (400, {"code": -2011, "msg": "Unknown order list sent."})
        _, left = await client.call("DELETE", "/api/v3/order", **SYMBOL, origClientOrderId="gain")
        assert (left["status"], left["orderListId"], left["executedQty"]) == (
            "CANCELED", 0, "0.10000000",
        )
        await socket.close()


@on_loop
async def test_a_stop_that_triggers_expires_the_limit_order_before_it_executes() -> None:
    async with local_exchange() as (running, client):
        await place(client, "oco", **OCO)
        socket = await client.subscribe(running)
        await others_trade(client, "SELL", "10")
        assert await hear_until_done(socket) == [
            ("gain", "EXPIRED", "EXPIRED"), ("ALL_DONE", "ALL_DONE"),
        ]
        new, trade = [(await socket.receive_json(timeout=PATIENCE_S))["event"] for _ in range(2)]
        assert [(e["c"], e["x"], e["X"], e["g"]) for e in (new, trade)] == [
            ("loss", "NEW", "NEW", 0), ("loss", "TRADE", "FILLED", 0),
        ]
        balances = await balances_of(client)
        assert balances["BTC"] == ("9.50000000", "0.00000000")
        await socket.close()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/v3/orderList", {"orderListId": 0}),
        ("/api/v3/orderList", {"listClientOrderId": "list"}),
        ("/api/v3/orderList", {"orderListId": 0, "listClientOrderId": "list"}),
        ("/api/v3/order", {"orderId": 2}),
        ("/api/v3/order", {"origClientOrderId": "loss"}),
    ],
    ids=str,
)
@on_loop
async def test_cancelling_a_list_or_any_order_of_it_cancels_all(
    path: str, params: dict[str, Any]
) -> None:
    async with local_exchange() as (running, client):
        await place(client, "oco", **OCO)
        socket = await client.subscribe(running)
        status, body = await client.call("DELETE", path, **SYMBOL, **params, newClientOrderId="no")
        assert status == 200, body
        assert (body["listStatusType"], body["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
        assert [
            (row["origClientOrderId"], row["clientOrderId"], row["status"], row["orderListId"])
            for row in body["orderReports"]
        ] == [("loss", "no", "CANCELED", 0), ("gain", "no", "CANCELED", 0)]
        assert body["orderReports"][0]["stopPrice"] == "59990.00000000"
        assert await hear_until_done(socket) == [
            ("loss", "CANCELED", "CANCELED"),
            ("gain", "CANCELED", "CANCELED"),
            ("ALL_DONE", "ALL_DONE"),
        ]
        assert (await balances_of(client))["BTC"] == ("10.00000000", "0.00000000")
        await place(client, "oco", **OCO)  # all three ids are free again
        _, found = await client.call("GET", "/api/v3/orderList", origClientOrderId="list")
        assert (found["orderListId"], found["listOrderStatus"]) == (1, "EXECUTING")
        await socket.close()


@on_loop
async def test_a_buying_pair_locks_what_the_dearer_order_costs_and_once() -> None:
    async with local_exchange({"USDT": "100000"}) as (_, client):
        pair = {
            **SYMBOL, "side": "BUY", "quantity": "1",
            "aboveType": "STOP_LOSS_LIMIT", "aboveStopPrice": "60010", "abovePrice": "60100",
            "aboveTimeInForce": "GTC", "aboveClientOrderId": "chase",
            "belowType": "LIMIT_MAKER", "belowPrice": "59000", "belowClientOrderId": "dip",
        }  # fmt: skip
        body = await place(client, "oco", **pair)
        assert [row["clientOrderId"] for row in body["orders"]] == ["chase", "dip"]
        assert (await balances_of(client))["USDT"] == ("39900.00000000", "60100.00000000")
        await others_trade(client, "SELL", "100")  # through all bids, and 59,000 on its way
        rows = await orders_of(client)
        assert (rows["dip"]["status"], rows["chase"]["status"]) == ("FILLED", "EXPIRED")
        assert (await balances_of(client))["USDT"] == ("41000.00000000", "0.00000000")


@on_loop
async def test_cancelling_all_orders_of_a_symbol_replies_a_list_once() -> None:
    async with local_exchange() as (_, client):
        await place(client, "oco", **OCO)
        await client.order(type="LIMIT", price="50000", quantity="0.01", newClientOrderId="alone")
        status, rows = await client.call("DELETE", "/api/v3/openOrders", **SYMBOL)
        assert status == 200
        assert [row.get("contingencyType", row["orderListId"]) for row in rows] == ["OCO", -1]
        assert (await client.call("GET", "/api/v3/openOrders", **SYMBOL))[1] == []
