"""Orders over REST: placing, asking, cancelling, and what the account shows of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.exchange import Client, local_exchange, on_loop


@on_loop
async def test_a_market_buy_fills_and_shows_everywhere() -> None:
    async with local_exchange({"USDT": "1000"}) as (_, client):
        status, body = await client.order(newClientOrderId="mine")
        assert status == 200
        assert (body["status"], body["executedQty"], body["cummulativeQuoteQty"]) == (
            "FILLED",
            "0.01000000",
            "600.00000000",
        )
        (fill,) = body["fills"]
        assert (fill["price"], fill["commission"], fill["commissionAsset"]) == (
            "60000.00000000",
            "0.00001000",
            "BTC",
        )
        _, order = await client.call(
            "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine"
        )
        assert (order["orderId"], order["status"]) == (body["orderId"], "FILLED")
        _, trades = await client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT")
        assert [(row["id"], row["orderId"], row["isMaker"]) for row in trades] == [
            (fill["tradeId"], body["orderId"], False)
        ]
        _, account = await client.call("GET", "/api/v3/account")
        free = {row["asset"]: row["free"] for row in account["balances"]}
        assert (free["USDT"], free["BTC"]) == ("400.00000000", "0.00999000")


@on_loop
async def test_the_three_reply_forms() -> None:
    async with local_exchange() as (_, client):
        forms = {}
        for form in ("ACK", "RESULT", "FULL"):
            _, forms[form] = await client.order(newOrderRespType=form)
        ack, result, full = forms["ACK"], forms["RESULT"], forms["FULL"]
        assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
        assert set(ack) < set(result) < set(full)
        assert set(full) - set(result) == {"fills"}
        status, body = await client.order(newOrderRespType="SOME")
        assert (status, body["code"]) == (400, -1130)


@on_loop
async def test_a_cancel_carries_its_own_id_and_names_the_orders() -> None:
    async with local_exchange() as (_, client):
        await resting(client, "mine")
        status, body = await client.call(
            "DELETE",
            "/api/v3/order",
            symbol="BTCUSDT",
            origClientOrderId="mine",
            newClientOrderId="undo",
        )
        assert status == 200
        assert (body["clientOrderId"], body["origClientOrderId"], body["status"]) == (
            "undo",
            "mine",
            "CANCELED",
        )
        status, body = await client.call(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine"
        )
        assert (status, body) == (400, {"code": -2011, "msg": "Unknown order sent."})


@on_loop
async def test_when_both_ids_are_given_they_must_agree() -> None:
    async with local_exchange() as (_, client):
        first = await resting(client, "one")
        await resting(client, "two")
        for method in ("GET", "DELETE"):
            status, body = await client.call(
                method, "/api/v3/order", symbol="BTCUSDT", orderId=first, origClientOrderId="two"
            )
            assert (status, body["code"]) == (400, -2039)


@on_loop
async def test_a_client_id_asks_for_the_latest_order_that_carried_it() -> None:
    async with local_exchange() as (_, client):
        await client.order(newClientOrderId="again")
        _, second = await client.order(newClientOrderId="again", quantity="0.02")
        _, order = await client.call(
            "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="again"
        )
        assert order["orderId"] == second["orderId"]
        ledger = await client.ledger()
        assert [row["clientOrderId"] for row in ledger["orders"]] == ["again", "again"]


@on_loop
async def test_open_orders_of_one_symbol_and_of_all() -> None:
    async with local_exchange() as (_, client):
        await resting(client, "btc")
        await client.order(
            symbol="ETHUSDT", type="LIMIT", price="2000", quantity="1", newClientOrderId="eth"
        )
        _, both = await client.call("GET", "/api/v3/openOrders")
        _, one = await client.call("GET", "/api/v3/openOrders", symbol="ETHUSDT")
        assert [row["clientOrderId"] for row in both] == ["btc", "eth"]
        assert [row["clientOrderId"] for row in one] == ["eth"]
        # Ids count per symbol, as at the real exchange: alone they name nothing.
        assert both[0]["orderId"] == both[1]["orderId"] == 1
        status, gone = await client.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
        assert (status, [row["origClientOrderId"] for row in gone]) == (200, ["btc"])
        status, body = await client.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
        assert (status, body["code"]) == (400, -2011)


@on_loop
async def test_lists_page_by_id_by_time_and_by_limit() -> None:
    async with local_exchange() as (running, client):
        for _ in range(5):
            await client.order(quantity="0.001")
        _, orders = await client.call("GET", "/api/v3/allOrders", symbol="BTCUSDT", limit=2)
        assert [row["orderId"] for row in orders] == [4, 5]
        _, orders = await client.call(
            "GET", "/api/v3/allOrders", symbol="BTCUSDT", orderId=2, limit=2
        )
        assert [row["orderId"] for row in orders] == [2, 3]
        _, trades = await client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT")
        ids = [row["id"] for row in trades]
        _, later = await client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT", fromId=ids[3])
        assert [row["id"] for row in later] == ids[3:]
        _, own = await client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=2)
        assert [row["id"] for row in own] == [ids[1]]
        future = running.desk.exchange.now_ns() // 1_000_000 + 10_000
        _, none = await client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT", startTime=future)
        assert none == []
        _, none = await client.call("GET", "/api/v3/allOrders", symbol="BTCUSDT", startTime=future)
        assert none == []


@on_loop
async def test_accounts_do_not_see_each_other() -> None:
    async with local_exchange() as (_, client):
        await resting(client, "mine")
        keys = await client.admin("POST", "accounts", {"balances": {"USDT": "1"}})
        other = Client(client.http, client.url, keys["apiKey"], keys["secret"])
        _, orders = await other.call("GET", "/api/v3/openOrders")
        assert orders == []
        status, body = await other.call(
            "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="mine"
        )
        assert (status, body["code"]) == (400, -2011)


@on_loop
async def test_parameters_may_come_in_the_body_or_in_both_places() -> None:
    async with local_exchange() as (running, client):
        text = client.signed(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        headers = {
            "X-MBX-APIKEY": client.api_key,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        url = f"{running.url}/api/v3/order"
        async with client.http.post(url, data=text, headers=headers) as response:
            assert response.status == 200
        body = client.signed(quantity="0.01").partition("&signature=")[0]
        query = "symbol=BTCUSDT&side=BUY&type=MARKET"
        signed = f"{body}&signature={client.sign(query + body)}"
        async with client.http.post(f"{url}?{query}", data=signed, headers=headers) as response:
            assert response.status == 200


@on_loop
async def test_testing_an_order_does_nothing() -> None:
    async with local_exchange() as (_, client):
        params: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
        assert await client.call("POST", "/api/v3/order/test", quantity="0.01", **params) == (
            200,
            {},
        )
        status, body = await client.call("POST", "/api/v3/order/test", quantity="0", **params)
        assert (status, body["code"]) == (400, -1100)
        assert (await client.ledger())["orders"] == []


@pytest.mark.parametrize(
    ("path", "params", "check"),
    [
        ("/api/v3/ping", {}, lambda body: body == {}),
        ("/api/v3/time", {}, lambda body: body["serverTime"] > 1_500_000_000_000),
        ("/api/v3/exchangeInfo", {}, lambda body: len(body["symbols"]) == 2),
        (
            "/api/v3/exchangeInfo", {"symbol": "ETHUSDT"},
            lambda body: [row["symbol"] for row in body["symbols"]] == ["ETHUSDT"],
        ),
        (
            "/api/v3/exchangeInfo", {"symbols": '["ETHUSDT"]'},
            lambda body: [row["symbol"] for row in body["symbols"]] == ["ETHUSDT"],
        ),
        (
            "/api/v3/exchangeInfo", {"symbols": '["ETHUSDT","BTCUSDT"]'},
            lambda body: {row["symbol"] for row in body["symbols"]} == {"BTCUSDT", "ETHUSDT"}
            and body["rateLimits"],
        ),
        (
            "/api/v3/depth", {"symbol": "BTCUSDT", "limit": "5"},
            lambda body: body["asks"][0][0] == "60000.00000000" and len(body["bids"]) == 5,
        ),
        ("/api/v3/trades", {"symbol": "BTCUSDT"}, lambda body: body[0]["qty"] == "0.10000000"),
        ("/api/v3/aggTrades", {"symbol": "BTCUSDT"}, lambda body: body[0]["a"] == 1),
        (
            "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m"},
            lambda body: len(body[-1]) == 12 and body[-1][4] == "60000.00000000",
        ),
        ("/api/v3/avgPrice", {"symbol": "BTCUSDT"}, lambda body: body["price"][:5] == "60000"),
        ("/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}, lambda body: body["count"] == 1),
        ("/api/v3/ticker/24hr", {}, lambda body: len(body) == 2),
        ("/api/v3/ticker/price", {"symbol": "ETHUSDT"}, lambda body: body["price"][:4] == "3000"),
        (
            "/api/v3/ticker/bookTicker", {"symbol": "BTCUSDT"},
            lambda body: (body["bidPrice"], body["askPrice"])
            == ("59999.00000000", "60000.00000000"),
        ),
        ("/fapi/v1/exchangeInfo", {}, lambda body: body["symbols"] == []),
        ("/dapi/v1/exchangeInfo", {}, lambda body: body["symbols"] == []),
        ("/sapi/v1/margin/allPairs", {}, lambda body: body == []),
    ],
)  # fmt: skip
@on_loop
async def test_what_anybody_may_ask(path: str, params: dict[str, Any], check: Any) -> None:
    async with local_exchange() as (_, client):
        status, body = await client.get(path, **params)
        assert status == 200, body
        assert check(body), body


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ("/api/v3/account", lambda body: body["canTrade"] and body["accountType"] == "SPOT"),
        (
            "/api/v3/account/commission?symbol=BTCUSDT",
            lambda body: body["standardCommission"]["taker"] == "0.00100000",
        ),
        (
            "/api/v3/rateLimit/order",
            lambda body: [row["limit"] for row in body] == [50, 160_000],
        ),
        (
            "/sapi/v1/account/apiRestrictions",
            lambda body: body["enableWithdrawals"] is False,
        ),
        ("/sapi/v1/capital/config/getall", lambda body: body == []),
    ],
)
@on_loop
async def test_what_the_account_may_ask(path: str, check: Any) -> None:
    async with local_exchange() as (_, client):
        route, _, query = path.partition("?")
        params: dict[str, Any] = dict(part.split("=") for part in query.split("&") if part)
        status, body = await client.call("GET", route, **params)
        assert status == 200, body
        assert check(body), body


async def resting(client: Client, name: str) -> int:
    """A bid far below the market; returns its id."""
    status, body = await client.order(
        type="LIMIT", price="50000", quantity="0.001", newClientOrderId=name
    )
    assert (status, body["status"]) == (200, "NEW"), body
    return int(body["orderId"])
