"""Every refusal of an order or a query, as it looks on the wire; nothing may have changed by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exchange import Client, local_exchange, on_loop

LIMIT = {"type": "LIMIT", "price": "59000", "quantity": "0.01"}
SYMBOL = {"symbol": "BTCUSDT"}
STOP = {"type": "STOP_LOSS", "side": "SELL", "quantity": "0.01"}

# What is asked, and the code and words that the exchange answers with.
FORMS: list[tuple[dict[str, Any], int, str]] = [
    ({"symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
    ({"symbol": None}, -1102, "Mandatory parameter 'symbol'"),
    ({"side": "HOLD"}, -1117, "Invalid side."),
    ({"side": None}, -1102, "Mandatory parameter 'side'"),
    ({"type": "SOMEHOW"}, -1116, "Invalid orderType."),
    ({"type": None}, -1102, "Mandatory parameter 'type'"),
    ({"quantity": None}, -1102, "Mandatory parameter 'quantity'"),
    ({"quantity": "-1"}, -1100, "Illegal characters found in parameter 'quantity'"),
    ({"quantity": "1e3"}, -1100, "Illegal characters found in parameter 'quantity'"),
    ({"quantity": "0"}, -1100, "Illegal characters found in parameter 'quantity'"),
    ({"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
    ({"quantity": "1", "quoteOrderQty": "1"}, -1106, "'quoteOrderQty' sent when not required"),
    ({**LIMIT, "quoteOrderQty": "1"}, -1106, "'quoteOrderQty' sent when not required"),
    ({"price": "60000"}, -1106, "'price' sent when not required"),
    ({"timeInForce": "GTC"}, -1106, "'timeInForce' sent when not required"),
    ({"stopPrice": "60000"}, -1106, "'stopPrice' sent when not required"),
    ({**LIMIT, "price": None}, -1102, "Mandatory parameter 'price'"),
    ({**LIMIT, "timeInForce": None}, -1102, "Mandatory parameter 'timeInForce'"),
    ({**LIMIT, "timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
    ({**STOP, "timeInForce": None}, -1102, "Mandatory parameter 'stopPrice'"),
    ({"newClientOrderId": "has space"}, -1100, "parameter 'newClientOrderId'"),
    ({"newClientOrderId": "x" * 37}, -1100, "parameter 'newClientOrderId'"),
    ({"selfTradePreventionMode": "MAYBE"}, -1130, "'selfTradePreventionMode' is not valid"),
    ({"somethingElse": "1"}, -1104, "Not all sent parameters were read"),
    ({**LIMIT, "icebergQty": "0.001"}, -1020, "icebergQty"),
    ({**STOP, "timeInForce": None, "trailingDelta": "100"}, -1020, "trailingDelta"),
    ({**LIMIT, "pegPriceType": "PRIMARY_PEG"}, -1020, "pegPriceType"),
    ({"isIsolated": "TRUE"}, -1020, "isIsolated"),
    ({**LIMIT, "price": "59000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({**LIMIT, "price": "2000000"}, -1013, "Filter failure: PRICE_FILTER"),
    ({**LIMIT, "price": "300001"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({**LIMIT, "price": "11999"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({**LIMIT, "quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
    ({**LIMIT, "quantity": "9001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "101"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
    ({**LIMIT, "quantity": "0.00008"}, -1013, "Filter failure: NOTIONAL"),
    ({"quantity": "0.00008"}, -1013, "Filter failure: NOTIONAL"),
    ({"quantity": None, "quoteOrderQty": "4"}, -1013, "Filter failure: NOTIONAL"),
    ({**LIMIT, "quantity": "200"}, -1013, "Filter failure: NOTIONAL"),
    ({"quantity": "5"}, -2010, "Account has insufficient balance for requested action."),
    ({"side": "SELL", "quantity": "11"}, -2010, "Account has insufficient balance"),
    (
        {**LIMIT, "type": "LIMIT_MAKER", "price": "60000", "timeInForce": None},
        -2010,
        "Order would immediately match and take.",
    ),
    (
        {**STOP, "stopPrice": "60001", "timeInForce": None},
        -2010,
        "Stop price would trigger immediately.",
    ),
]


@pytest.mark.parametrize(("params", "code", "words"), FORMS, ids=lambda value: str(value)[:60])
@on_loop
async def test_an_order_that_cannot_be(params: dict[str, Any], code: int, words: str) -> None:
    async with local_exchange() as (_, client):
        before = (await client.ledger())["balances"]
        status, body = await client.order(**params)
        assert (status, body["code"]) == (400, code), body
        assert words in body["msg"]
        after = await client.ledger()
        assert after["orders"] == []
        assert after["balances"] == before


@on_loop
async def test_the_same_id_is_refused_while_the_first_is_open_and_taken_once_it_filled() -> None:
    async with local_exchange() as (_, client):
        status, _ = await client.order(**LIMIT, newClientOrderId="same")
        assert status == 200
        status, body = await client.order(newClientOrderId="same")
        assert (status, body) == (400, {"code": -2010, "msg": "Duplicate order sent."})
        await client.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
        # The trap: a marketable order sent twice with one id executes twice.
        for _ in range(2):
            status, body = await client.order(newClientOrderId="same")
            assert (status, body["status"]) == (200, "FILLED")


@on_loop
async def test_too_many_open_orders() -> None:
    async with local_exchange() as (_, client):
        await client.fault(
            "change_filters", None, symbol="BTCUSDT", maxNumOrders=2, maxNumAlgoOrders=1
        )
        stop = {**STOP, "stopPrice": "59000", "timeInForce": None}
        assert (await client.order(**stop))[0] == 200
        status, body = await client.order(**stop)
        assert (status, body["msg"]) == (400, "Filter failure: MAX_NUM_ALGO_ORDERS")
        assert (await client.order(**LIMIT))[0] == 200
        status, body = await client.order(**LIMIT)
        assert (status, body["msg"]) == (400, "Filter failure: MAX_NUM_ORDERS")


@on_loop
async def test_too_large_a_position() -> None:
    async with local_exchange() as (_, client):
        await client.fault("change_filters", None, symbol="BTCUSDT", maxPosition="10.01")
        assert (await client.order(quantity="0.01"))[0] == 200
        status, body = await client.order(quantity="0.01")
        assert (status, body["msg"]) == (400, "Filter failure: MAX_POSITION")


@pytest.mark.parametrize(
    ("method", "path", "params", "status", "code"),
    [
        ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": 99}, 400, -2013),
        ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "x"}, 400, -2013),
        ("GET", "/api/v3/order", {"symbol": "BTCUSDT"}, 400, -1102),
        ("GET", "/api/v3/order", {"orderId": 1}, 400, -1102),
        ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": "abc"}, 400, -1100),
        ("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": 99}, 400, -2011),
        ("GET", "/api/v3/myTrades", {}, 400, -1102),
        ("GET", "/api/v3/myTrades", {**SYMBOL, "fromId": 1, "startTime": 1}, 400, -1128),
        ("GET", "/api/v3/myTrades", {**SYMBOL, "orderId": 1, "endTime": 1}, 400, -1128),
        ("GET", "/api/v3/myTrades", {**SYMBOL, "startTime": 0, "endTime": 86_400_001}, 400, -1127),
        ("GET", "/api/v3/allOrders", {**SYMBOL, "startTime": 0, "endTime": 86_400_001}, 400, -1127),
        ("GET", "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, 400, -1120),
        ("GET", "/api/v3/depth", {"symbol": "XYZ"}, 400, -1121),
        ("POST", "/api/v3/order/cancelReplace", {"symbol": "BTCUSDT"}, 400, -1020),
        ("POST", "/api/v3/orderList/opo", {"symbol": "BTCUSDT"}, 400, -1020),
        ("POST", "/sapi/v1/margin/order", {"symbol": "BTCUSDT"}, 400, -1020),
        ("PUT", "/api/v3/order", {"symbol": "BTCUSDT"}, 404, -1000),
        ("POST", "/api/v3/userDataStream", {}, 410, -1000),
        ("PUT", "/api/v3/userDataStream", {}, 410, -1000),
    ],
)
@on_loop
async def test_what_is_not_there(
    method: str, path: str, params: dict[str, Any], status: int, code: int
) -> None:
    async with local_exchange() as (_, client):
        seen, body = await client.call(method, path, **params)
        assert (seen, body["code"]) == (status, code), body


@on_loop
async def test_who_asks() -> None:
    async with local_exchange() as (running, client):
        stranger = Client(client.http, client.url, "A" * 64, client.secret)
        assert (await stranger.order())[0::1][1]["code"] == -2015
        forger = Client(client.http, client.url, client.api_key, "wrong")
        status, body = await forger.order()
        assert (status, body["code"]) == (400, -1022)
        nameless = Client(client.http, client.url, "", client.secret)
        status, body = await nameless.order()
        assert (status, body["code"]) == (401, -2014)
        text = client.signed(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        shouted = text[:-64] + text[-64:].upper()
        url = f"{running.url}/api/v3/order?{shouted}"
        async with client.http.post(url, headers={"X-MBX-APIKEY": client.api_key}) as response:
            assert response.status == 200
        assert len((await client.ledger())["orders"]) == 1


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
        ({"symbols": '["BTCUSDT","NOPEUSDT"]'}, -1121, "Invalid symbol."),
        ({"symbols": '["BTCUSDT", "ETHUSDT"]'}, -1100, "parameter 'symbols'; legal range is '^"),
        ({"symbols": '["btcusdt"]'}, -1100, "parameter 'symbols'"),
        ({"symbols": "BTCUSDT"}, -1100, "parameter 'symbols'"),
        ({"symbols": '["BTCUSDT","BTCUSDT"]'}, -1151, "present multiple times in the list"),
        ({"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128, "Combination of optional"),
    ],
)
@pytest.mark.parametrize("path", ["exchangeInfo", "ticker/price"])
@on_loop
async def test_markets_that_cannot_be_listed(
    path: str, params: dict[str, str], code: int, words: str
) -> None:
    async with local_exchange() as (_, client):
        status, body = await client.get(f"/api/v3/{path}", **params)
        assert (status, body["code"]) == (400, code), body
        assert words in body["msg"]
