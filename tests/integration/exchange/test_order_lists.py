"""Order lists over the wire: an OCO, an OTO, an OTOCO, from their placement to their end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exchange import Clock, local_exchange, on_loop
from tests.support.order_lists import (
    OCO,
    OTO,
    SYMBOL,
    THEN_PAIR,
    THEN_SELL,
    balances_of,
    hear_until_done,
    orders_of,
    others_trade,
    place,
)
from tests.support.waiting import PATIENCE_S


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


@pytest.mark.parametrize("loss", ["STOP_LOSS", "STOP_LOSS_LIMIT"])
@pytest.mark.parametrize("gain", ["LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
@on_loop
async def test_every_pair_that_the_documents_name(side: str, gain: str, loss: str) -> None:
    above, below = (loss, gain) if side == "BUY" else (gain, loss)
    params: dict[str, Any] = {**SYMBOL, "side": side, "quantity": "0.5"}
    for place_in_list, kind, price in (("above", above, "60500"), ("below", below, "59500")):
        params[f"{place_in_list}Type"] = kind
        if kind != "LIMIT_MAKER":
            params[f"{place_in_list}StopPrice"] = price
        if kind.endswith(("LIMIT", "MAKER")):
            params[f"{place_in_list}Price"] = price
        if kind.endswith("LIMIT"):
            params[f"{place_in_list}TimeInForce"] = "GTC"
    async with local_exchange() as (_, client):
        body = await place(client, "oco", **params)
        assert [(row["type"], row["side"]) for row in body["orderReports"]] == [
            (loss, side), (gain, side),
        ]
        # The price goes up, through what waits above, whichever of the two that is.
        await others_trade(client, "BUY", "20")
        await others_trade(client, "SELL", "2", "60500")
        await others_trade(client, "BUY", "1")
        await others_trade(client, "BUY", "2")
        rows = {row["type"]: row["status"] for row in (await orders_of(client)).values()}
        assert rows == {above: "FILLED", below: "EXPIRED"}


@on_loop
async def test_cancelling_all_orders_of_a_symbol_replies_a_list_once() -> None:
    async with local_exchange() as (_, client):
        await place(client, "oco", **OCO)
        await client.order(type="LIMIT", price="50000", quantity="0.01", newClientOrderId="alone")
        status, rows = await client.call("DELETE", "/api/v3/openOrders", **SYMBOL)
        assert status == 200
        assert [row.get("contingencyType", row["orderListId"]) for row in rows] == ["OCO", -1]
        assert (await client.call("GET", "/api/v3/openOrders", **SYMBOL))[1] == []


@on_loop
async def test_what_an_oto_brings_waits_until_the_working_order_is_wholly_filled() -> None:
    async with local_exchange({"USDT": "100000"}) as (running, client):
        await others_trade(client, "SELL", "18")  # the bids down to 59,982 are gone
        entry = {**OTO, "workingPrice": "59990"}
        body = await place(client, "oto", **entry, **THEN_SELL)
        assert body["contingencyType"] == "OTO"
        assert [(row["status"], row["workingTime"] > 0) for row in body["orderReports"]] == [
            ("NEW", True), ("PENDING_NEW", False),
        ]
        # No bitcoin is there to sell: what is pending locks nothing.
        assert await balances_of(client) == {
            "BTC": ("0.00000000", "0.00000000"), "ETH": ("0.00000000", "0.00000000"),
            "USDT": ("70005.00000000", "29995.00000000"),
        }
        socket = await client.subscribe(running)
        await others_trade(client, "SELL", "0.3")
        rows = await orders_of(client)
        assert [(row["status"], row["isWorking"]) for row in rows.values()] == [
            ("PARTIALLY_FILLED", True), ("PENDING_NEW", False),
        ]
        _, is_open = await client.call("GET", "/api/v3/openOrders", **SYMBOL)
        assert [row["clientOrderId"] for row in is_open] == ["entry", "exit"]
        await others_trade(client, "SELL", "0.2")
        assert await hear_until_done(socket) == [
            ("entry", "TRADE", "PARTIALLY_FILLED"),
            ("entry", "TRADE", "FILLED"),
            ("exit", "NEW", "NEW"),
            ("ALL_DONE", "ALL_DONE"),
        ]
        assert (await balances_of(client))["BTC"] == ("0.09950000", "0.40000000")
        await others_trade(client, "BUY", "30")
        assert (await orders_of(client))["exit"]["status"] == "FILLED"
        await socket.close()


@on_loop
async def test_a_working_order_that_fills_at_once_is_answered_before_what_it_brings() -> None:
    async with local_exchange() as (_, client):
        entry = {**OTO, "workingPrice": "60000"}
        body = await place(client, "oto", **entry, **THEN_SELL, newOrderRespType="FULL")
        assert [(row["status"], len(row["fills"])) for row in body["orderReports"]] == [
            ("FILLED", 1), ("PENDING_NEW", 0),
        ]
        assert body["listOrderStatus"] == "EXECUTING"
        assert (await orders_of(client))["exit"]["status"] == "NEW"
        _, now = await client.call("GET", "/api/v3/orderList", orderListId=body["orderListId"])
        assert now["listOrderStatus"] == "ALL_DONE"


@on_loop
async def test_a_filled_entry_brings_a_pair_of_which_one_expires_the_other() -> None:
    async with local_exchange({"USDT": "100000"}) as (running, client):
        socket = await client.subscribe(running)
        near = {**THEN_PAIR, "pendingBelowStopPrice": "59990", "pendingBelowPrice": "59995"}
        body = await place(client, "otoco", **{**OTO, "workingPrice": "60000"}, **near)
        assert [row["clientOrderId"] for row in body["orders"]] == ["entry", "loss", "gain"]
        assert body["contingencyType"] == "OTO"
        _, lists = await client.call("GET", "/api/v3/openOrderList")
        assert [row["orderListId"] for row in lists] == [body["orderListId"]]
        assert (await balances_of(client))["BTC"] == ("0.09950000", "0.40000000")
        await others_trade(client, "SELL", "10")
        assert await hear_until_done(socket) == [
            ("entry", "NEW", "NEW"),
            ("loss", "NEW", "PENDING_NEW"),
            ("gain", "NEW", "PENDING_NEW"),
            ("EXEC_STARTED", "EXECUTING"),
            ("entry", "TRADE", "FILLED"),
            ("loss", "NEW", "NEW"),
            ("gain", "NEW", "NEW"),
            ("EXEC_STARTED", "EXECUTING"),
            ("gain", "EXPIRED", "EXPIRED"),
            ("ALL_DONE", "ALL_DONE"),
        ]
        rows = await orders_of(client)
        assert [rows[name]["status"] for name in ("entry", "loss", "gain")] == [
            "FILLED", "NEW", "EXPIRED",
        ]
        assert (await balances_of(client))["BTC"] == ("0.09950000", "0.40000000")
        await socket.close()


@pytest.mark.parametrize(
    ("pending", "because"),
    [
        ({**THEN_SELL, "pendingQuantity": "0.6"}, "the fee leaves less than that"),
        (
            {**THEN_SELL, "pendingType": "LIMIT_MAKER", "pendingPrice": "59000",
             "pendingTimeInForce": ""},
            "it would take",
        ),
        (
            {**THEN_SELL, "pendingType": "STOP_LOSS", "pendingPrice": "", "pendingTimeInForce": "",
             "pendingStopPrice": "60001"},
            "it would trigger at once",
        ),
    ],
    ids=str,
)  # fmt: skip
@on_loop
async def test_what_the_market_does_not_take_when_its_time_has_come_expires(
    pending: dict[str, str], because: str
) -> None:
    async with local_exchange({"USDT": "100000"}) as (running, client):
        socket = await client.subscribe(running)
        given = {name: value for name, value in pending.items() if value}
        await place(client, "oto", **{**OTO, "workingPrice": "60000"}, **given)
        assert (await hear_until_done(socket))[-3:] == [
            ("entry", "TRADE", "FILLED"), ("exit", "EXPIRED", "EXPIRED"), ("ALL_DONE", "ALL_DONE"),
        ], because
        assert (await orders_of(client))["exit"]["expiryReason"] == "REJECTED"
        assert (await balances_of(client))["BTC"] == ("0.49950000", "0.00000000")
        await socket.close()


@on_loop
async def test_a_pair_that_the_market_has_left_behind_expires_together() -> None:
    async with local_exchange({"USDT": "100000"}) as (_, client):
        late = {**THEN_PAIR, "pendingAboveStopPrice": "60000"}
        await place(client, "otoco", **{**OTO, "workingPrice": "60000"}, **late)
        rows = await orders_of(client)
        assert {rows[name]["expiryReason"] for name in ("loss", "gain")} == {"REJECTED"}
        assert (await client.call("GET", "/api/v3/openOrderList"))[1] == []


@pytest.mark.parametrize(
    ("lasting", "why"),
    [("IOC", "UNFILLED_IOC_QUANTITY_EXPIRED"), ("FOK", "UNFILLED_FOK_ORDER_EXPIRED")],
)
@on_loop
async def test_a_working_order_that_expires_ends_its_list_and_the_reply_forgets_its_name(
    lasting: str, why: str
) -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        body = await place(client, "otoco", **{**OTO, "workingTimeInForce": lasting}, **THEN_PAIR)
        assert (body["listClientOrderId"], body["listStatusType"]) == (None, "ALL_DONE")
        assert [(row["status"], row["expiryReason"]) for row in body["orderReports"]] == [
            ("EXPIRED", why),
            ("EXPIRED", "OTO_PHASE_ONE_EXPIRED"),
            ("EXPIRED", "OTO_PHASE_ONE_EXPIRED"),
        ]
        heard = await hear_until_done(socket)
        assert heard[3:] == [
            ("EXEC_STARTED", "EXECUTING"),
            ("entry", "EXPIRED", "EXPIRED"),
            ("loss", "EXPIRED", "EXPIRED"),
            ("gain", "EXPIRED", "EXPIRED"),
            ("ALL_DONE", "ALL_DONE"),
        ]
        _, found = await client.call("GET", "/api/v3/orderList", origClientOrderId="list")
        assert found["listClientOrderId"] == "list"
        await socket.close()


@pytest.mark.parametrize("name", ["entry", "exit"])
@on_loop
async def test_cancelling_a_working_or_a_pending_order_cancels_the_other(name: str) -> None:
    async with local_exchange() as (_, client):
        await place(client, "oto", **OTO, **THEN_SELL)
        asked = {**SYMBOL, "origClientOrderId": name}
        status, body = await client.call("DELETE", "/api/v3/order", **asked)
        assert (status, body["listOrderStatus"]) == (200, "ALL_DONE")
        assert {row["status"] for row in (await orders_of(client)).values()} == {"CANCELED"}
        assert (await balances_of(client))["USDT"] == ("100000.00000000", "0.00000000")


@on_loop
async def test_a_pair_that_self_trade_prevention_breaks_ends_whole() -> None:
    async with local_exchange() as (running, client):
        await place(client, "oco", **{**OCO, "abovePrice": "60000.50"})
        socket = await client.subscribe(running)
        await client.order(quantity="1.2")  # 1 of others, then its own 60,000.50
        heard = await hear_until_done(socket)
        assert heard[-3:] == [
            ("gain", "TRADE_PREVENTION", "EXPIRED_IN_MATCH"),
            ("loss", "EXPIRED", "EXPIRED"),
            ("ALL_DONE", "ALL_DONE"),
        ]
        await socket.close()


@on_loop
async def test_lists_are_listed_from_an_id_in_a_span_and_the_latest_first() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        for _number in range(3):
            clock.move(60)
            await place(client, "oco", **{**OCO, "quantity": "0.1"})
            await client.call("DELETE", "/api/v3/orderList", **SYMBOL, listClientOrderId="list")

        async def listed(**params: Any) -> list[int]:
            status, rows = await client.call("GET", "/api/v3/allOrderList", **params)
            assert status == 200, rows
            return [row["orderListId"] for row in rows]

        end_ms = clock.ns // 1_000_000
        assert await listed() == [2, 1, 0]
        assert await listed(limit=2) == [2, 1]
        assert await listed(fromId=1) == [1, 2]
        assert await listed(startTime=end_ms - 60_000, endTime=end_ms) == [1, 2]
        assert await listed(startTime=end_ms - 90_000, limit=1) == [1]
        assert await listed(endTime=end_ms - 60_000) == [1, 0]
        _, body = await client.call("GET", "/api/v3/allOrderList", fromId=0, startTime=end_ms)
        assert body["code"] == -1128
