"""Every refusal of an order list, as it looks on the wire; nothing may have changed by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exchange import local_exchange, on_loop
from tests.support.order_lists import OCO, OTO, SYMBOL, THEN_PAIR, THEN_SELL, place

LIMITED = {"newClientOrderId": "taken", "type": "LIMIT", "price": "50000", "quantity": "0.01"}
REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("oco", {"symbol": None}, -1102, "'symbol'"),
    ("oco", {"side": "HOLD"}, -1117, "Invalid side."),
    ("oco", {"quantity": None}, -1102, "'quantity'"),
    ("oco", {"aboveType": None}, -1102, "'aboveType'"),
    ("oco", {"abovePrice": None}, -1102, "'abovePrice'"),
    ("oco", {"belowStopPrice": None}, -1102, "'belowStopPrice'"),
    ("oco", {"belowPrice": "59000"}, -1106, "'belowPrice' sent when not required"),
    ("oco", {"aboveTimeInForce": "GTC"}, -1106, "'aboveTimeInForce' sent when not required"),
    ("oco", {"belowType": "STOP_LOSS_LIMIT", "belowPrice": "1"}, -1102, "'belowTimeInForce'"),
    ("oco", {"aboveType": "LIMIT"}, -1158, "Order type not supported in OCO."),
    ("oco", {"belowType": "MARKET"}, -1158, "Order type not supported in OCO."),
    (
        "oco",
        {"belowType": "LIMIT_MAKER", "belowPrice": "59000", "belowStopPrice": None},
        -1168,
        "At least one OCO order must be contingent.",
    ),
    (
        "oco",
        {"side": "BUY", "belowType": "TAKE_PROFIT"},
        -1165,
        "A limit order in a buy OCO must be below.",
    ),
    (
        "oco",
        {
            "aboveType": "TAKE_PROFIT", "abovePrice": None, "aboveStopPrice": "60500",
            "belowType": "LIMIT_MAKER", "belowPrice": "59000", "belowStopPrice": None,
        },
        -1166,
        "A limit order in a sell OCO must be above.",
    ),
    ("oco", {"side": "BUY"}, -1196, "A stop loss order in a buy OCO must be above."),
    (
        "oco",
        {"aboveType": "STOP_LOSS", "abovePrice": None, "aboveStopPrice": "60500"},
        -1197,
        "A stop loss order in a sell OCO must be below.",
    ),
    (
        "oco",
        {
            "side": "BUY", "belowType": "TAKE_PROFIT", "aboveType": "TAKE_PROFIT",
            "abovePrice": None, "aboveStopPrice": "60500",
        },
        -1198,
        "A take profit order in a buy OCO must be below.",
    ),
    (
        "oco",
        {"belowType": "TAKE_PROFIT"},
        -1199,
        "A take profit order in a sell OCO must be above.",
    ),
    ("oco", {"abovePrice": "60000"}, -2010, "The relationship of the prices"),
    ("oco", {"belowStopPrice": "60000"}, -2010, "The relationship of the prices"),
    (
        "oco",
        {
            "aboveType": "TAKE_PROFIT_LIMIT", "aboveStopPrice": "60100", "abovePrice": "59995",
            "aboveTimeInForce": "GTC",
        },
        -2010,
        "The relationship of the prices",
    ),
    ("oco", {"quantity": "11"}, -2010, "Account has insufficient balance"),
    ("oco", {"quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
    ("oco", {"belowStopPrice": "59000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ("oco", {"aboveClientOrderId": "taken"}, -2010, "Duplicate order sent."),
    ("oco", {"belowClientOrderId": "gain"}, -2010, "Duplicate order sent."),
    ("oco", {"listClientOrderId": "has space"}, -1100, "'listClientOrderId'"),
    ("oco", {"aboveIcebergQty": "0.1"}, -1020, "aboveIcebergQty"),
    ("oco", {"belowTrailingDelta": "100"}, -1020, "belowTrailingDelta"),
    ("oco", {"price": "60000"}, -1104, "Not all sent parameters were read"),
    ("oco", {"newOrderRespType": "ALL"}, -1130, "'newOrderRespType'"),
    ("oto", {"workingType": "MARKET", "workingPrice": None, "workingTimeInForce": None}, -1159, ""),
    ("oto", {"workingTimeInForce": None}, -1102, "'workingTimeInForce'"),
    ("oto", {"pendingQuantity": None}, -1102, "'pendingQuantity'"),
    ("oto", {"pendingPrice": "400000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ("oto", {"workingQuantity": "50"}, -2010, "Account has insufficient balance"),
    (
        "oto",
        {"workingType": "LIMIT_MAKER", "workingPrice": "60000", "workingTimeInForce": None},
        -2010,
        "Order would immediately match and take.",
    ),
    ("otoco", {"pendingBelowStopPrice": "61000"}, -2010, "The relationship of the prices"),
    ("otoco", {"pendingAboveType": "LIMIT"}, -1158, "Order type not supported in OCO."),
]
COMPLETE = {"oco": OCO, "oto": {**OTO, **THEN_SELL}, "otoco": {**OTO, **THEN_PAIR}}


@pytest.mark.parametrize(
    ("kind", "changes", "code", "words"), REFUSED, ids=lambda value: str(value)[:50]
)
@on_loop
async def test_a_list_that_cannot_be_leaves_nothing(
    kind: str, changes: dict[str, Any], code: int, words: str
) -> None:
    async with local_exchange() as (_, client):
        await client.order(**LIMITED)
        before = await client.ledger()
        wanted = {name: v for name, v in {**COMPLETE[kind], **changes}.items() if v is not None}
        status, body = await client.call("POST", f"/api/v3/orderList/{kind}", **wanted)
        assert (status, body["code"]) == (400, code), body
        assert words in body["msg"]
        after = await client.ledger()
        assert {**before, "at_ns": 0} == {**after, "at_ns": 0}
        assert after["orderLists"] == []


@on_loop
async def test_counts_of_orders_and_of_lists_are_bounded_and_a_list_counts_whole() -> None:
    async with local_exchange() as (_, client):
        small = {**OCO, "quantity": "0.01", "listClientOrderId": None}
        names = ("aboveClientOrderId", "belowClientOrderId")

        async def more() -> tuple[int, Any]:
            wanted = {k: v for k, v in small.items() if v is not None and k not in names}
            return await client.call("POST", "/api/v3/orderList/oco", **wanted)

        await client.fault("change_filters", None, symbol="BTCUSDT", maxNumOrderLists=2)
        assert [(await more())[0] for _ in range(2)] == [200, 200]
        assert (await more())[1]["msg"] == "Filter failure: MAX_NUM_ORDER_LISTS"
        await client.fault("change_filters", None, symbol="BTCUSDT", maxNumOrderLists=20)
        await client.fault("change_filters", None, symbol="BTCUSDT", maxNumOrders=5)
        assert (await more())[1]["msg"] == "Filter failure: MAX_NUM_ORDERS"
        await client.fault("change_filters", None, symbol="BTCUSDT", maxNumOrders=200)
        assert [(await more())[0] for _ in range(3)] == [200, 200, 200]
        assert (await more())[1]["msg"] == "Filter failure: MAX_NUM_ALGO_ORDERS"


@on_loop
async def test_a_name_is_taken_while_its_list_is_at_work() -> None:
    async with local_exchange() as (_, client):
        await place(client, "oco", **OCO)
        again = {**OCO, "aboveClientOrderId": "other", "belowClientOrderId": "another"}
        status, body = await client.call("POST", "/api/v3/orderList/oco", **again)
        assert (status, body) == (400, {"code": -2010, "msg": "Duplicate order sent."})


@pytest.mark.parametrize(
    ("method", "params", "code", "words"),
    [
        ("GET", {}, -1128, "'orderListId' should also be sent."),
        ("GET", {"orderListId": 7}, -2013, "Order list does not exist."),
        ("GET", {"origClientOrderId": "nobody-s"}, -2013, "Order list does not exist."),
        ("GET", {"orderListId": 0, **SYMBOL}, -1104, "Not all sent parameters were read"),
        ("DELETE", {"orderListId": 0}, -1102, "'symbol'"),
        ("DELETE", {**SYMBOL}, -1102, "'orderListId' or 'listClientOrderId'"),
        ("DELETE", {**SYMBOL, "orderListId": 7}, -2011, "Unknown order list sent."),
        ("DELETE", {"symbol": "ETHUSDT", "orderListId": 0}, -2011, "Unknown order list sent."),
        (
            "DELETE",
            {**SYMBOL, "orderListId": 0, "listClientOrderId": "other"},
            -2011,
            "Unknown order list sent.",
        ),
    ],
    ids=str,
)
@on_loop
async def test_what_a_query_or_a_cancel_is_refused(
    method: str, params: dict[str, Any], code: int, words: str
) -> None:
    async with local_exchange() as (_, client):
        await place(client, "oco", **OCO)
        status, body = await client.call(method, "/api/v3/orderList", **params)
        assert (status, body["code"]) == (400, code), body
        assert words in body["msg"]
        assert len((await client.call("GET", "/api/v3/openOrderList"))[1]) == 1
