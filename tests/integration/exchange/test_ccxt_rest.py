"""Every REST call that ccxt makes, as it stands on the wire and as ccxt understands the answer.

The wire is what `/admin/requests` saw of a signed request, and the address of an unsigned one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from tests.support.ccxt_clients import OPTIONS, Caller, Flavour, calling
from tests.support.hosted import Hosted

S = "BTC/USDT"
ANY = "*"
ORDER = {"symbol": "BTCUSDT", "newOrderRespType": "FULL", "newClientOrderId": ANY}
LIMIT = {**ORDER, "quantity": "0.01", "timeInForce": "GTC"}


class Row(msgspec.Struct, kw_only=True):
    """One line of the table.

    Attributes:
        does: calls ccxt; gets the id of an open buy of 0.01 at 50,000 named `mine`.
        sends: method and path.
        params: exactly what goes over the wire beside timestamp and signature; ANY is any text.
        gives: whether the unified result is right.
        is_signed: and so is seen by `/admin/requests`.
    """

    does: Callable[[Caller, str], Any]
    sends: tuple[str, str]
    params: dict[str, str] = {}
    gives: Callable[[Any], bool]
    is_signed: bool = True


def order(kind: str, side: str, price: float | None = None, **params: Any) -> Any:
    """A call of create_order for 0.01 BTC."""
    return lambda c, _: c("create_order", S, kind, side, 0.01, price, params)


def is_cancelled(order: Any) -> bool:
    """The reply to a cancel carries the cancel's own id where one would look for the order's."""
    return (order["status"], order["info"]["origClientOrderId"]) == ("canceled", "mine") and order[
        "clientOrderId"
    ] != "mine"


PUBLIC = {
    "fetch_time": Row(
        does=lambda c, _: c("fetch_time"),
        sends=("GET", "/api/v3/time"),
        gives=lambda ms: abs(ms - time.time() * 1000) < 60_000,
        is_signed=False,
    ),
    "fetch_ohlcv": Row(
        does=lambda c, _: c("fetch_ohlcv", S, "1m", 1_700_000_000_000, 5),
        sends=("GET", "/api/v3/klines"),
        params={
            "symbol": "BTCUSDT",
            "interval": "1m",
            "limit": "5",
            "startTime": "1700000000000",
        },
        gives=lambda rows: rows[0][0] % 60_000 == 0 and rows[0][1:5] == [60000.0] * 4,
        is_signed=False,
    ),
    "fetch_ticker": Row(
        does=lambda c, _: c("fetch_ticker", S),
        sends=("GET", "/api/v3/ticker/24hr"),
        params={"symbol": "BTCUSDT"},
        gives=lambda t: (t["symbol"], t["bid"], t["last"]) == (S, 59999.0, 60000.0),
        is_signed=False,
    ),
    "fetch_order_book": Row(
        does=lambda c, _: c("fetch_order_book", S, 5),
        sends=("GET", "/api/v3/depth"),
        params={"symbol": "BTCUSDT", "limit": "5"},
        gives=lambda book: (
            book["bids"][:2] == [[59999.0, 1.0], [59998.0, 1.0]]
            and [row[0] for row in book["asks"]] == [60000.0 + n for n in range(5)]
            and book["nonce"] > 0
        ),
        is_signed=False,
    ),
    "fetch_trades": Row(
        does=lambda c, _: c("fetch_trades", S),
        sends=("GET", "/api/v3/aggTrades"),
        params={"symbol": "BTCUSDT"},
        gives=lambda rows: (
            (rows[0]["price"], rows[0]["amount"], rows[0]["side"]) == (60000.0, 0.1, "buy")
        ),
        is_signed=False,
    ),
}

ORDERS = {
    "limit": Row(
        does=order("limit", "buy", 50000),
        sends=("POST", "/api/v3/order"),
        params={**LIMIT, "side": "BUY", "type": "LIMIT", "price": "50000"},
        gives=lambda o: (
            (o["status"], o["type"], o["price"], o["filled"], o["remaining"])
            == ("open", "limit", 50000.0, 0.0, 0.01)
        ),
    ),
    "market": Row(
        does=order("market", "buy"),
        sends=("POST", "/api/v3/order"),
        params={**ORDER, "side": "BUY", "type": "MARKET", "quantity": "0.01"},
        gives=lambda o: (
            (o["status"], o["filled"], o["average"], o["cost"]) == ("closed", 0.01, 60000.0, 600.0)
            and o["fee"] == {"currency": "BTC", "cost": 0.00001}
            and len(o["trades"]) == 1
        ),
    ),
    "market with a price spends a quote amount": Row(
        does=order("market", "buy", 60000),
        sends=("POST", "/api/v3/order"),
        params={**ORDER, "side": "BUY", "type": "MARKET", "quoteOrderQty": "600"},
        gives=lambda o: (o["status"], o["filled"], o["cost"]) == ("closed", 0.01, 600.0),
    ),
    "stop at market": Row(
        does=order("market", "sell", stopLossPrice=59000),
        sends=("POST", "/api/v3/order"),
        params={
            **ORDER,
            "side": "SELL",
            "type": "STOP_LOSS",
            "quantity": "0.01",
            "stopPrice": "59000",
        },
        gives=lambda o: (o["status"], o["triggerPrice"]) == ("open", 59000.0),
    ),
    "take profit at market": Row(
        does=order("market", "sell", takeProfitPrice=61000),
        sends=("POST", "/api/v3/order"),
        params={
            **ORDER,
            "side": "SELL",
            "type": "TAKE_PROFIT",
            "quantity": "0.01",
            "stopPrice": "61000",
        },
        gives=lambda o: (o["status"], o["triggerPrice"]) == ("open", 61000.0),
    ),
    "stop with a limit": Row(
        does=order("limit", "sell", 58900, triggerPrice=59000),
        sends=("POST", "/api/v3/order"),
        params={
            **LIMIT,
            "side": "SELL",
            "type": "STOP_LOSS_LIMIT",
            "price": "58900",
            "stopPrice": "59000",
        },
        gives=lambda o: (o["status"], o["triggerPrice"], o["price"]) == ("open", 59000.0, 58900.0),
    ),
    "take profit with a limit": Row(
        does=order("limit", "sell", 61100, takeProfitPrice=61000),
        sends=("POST", "/api/v3/order"),
        params={
            **LIMIT,
            "side": "SELL",
            "type": "TAKE_PROFIT_LIMIT",
            "price": "61100",
            "stopPrice": "61000",
        },
        gives=lambda o: (o["status"], o["triggerPrice"]) == ("open", 61000.0),
    ),
    "post only": Row(
        does=order("limit", "sell", 60500, postOnly=True),
        sends=("POST", "/api/v3/order"),
        params={
            **ORDER,
            "side": "SELL",
            "type": "LIMIT_MAKER",
            "quantity": "0.01",
            "price": "60500",
        },
        gives=lambda o: (o["status"], o["postOnly"]) == ("open", True),
    ),
    "immediate or cancel": Row(
        does=order("limit", "buy", 50000, timeInForce="IOC"),
        sends=("POST", "/api/v3/order"),
        params={**LIMIT, "side": "BUY", "type": "LIMIT", "price": "50000", "timeInForce": "IOC"},
        gives=lambda o: (o["status"], o["filled"]) == ("expired", 0.0),
    ),
    "a client's own name": Row(
        does=order("limit", "buy", 50000, clientOrderId="the-order_1"),
        sends=("POST", "/api/v3/order"),
        params={
            **LIMIT,
            "side": "BUY",
            "type": "LIMIT",
            "price": "50000",
            "newClientOrderId": "the-order_1",
        },
        gives=lambda o: o["clientOrderId"] == "the-order_1",
    ),
    "ccxt's name when there is none": Row(
        does=order("limit", "buy", 50000),
        sends=("POST", "/api/v3/order"),
        params={**LIMIT, "side": "BUY", "type": "LIMIT", "price": "50000"},
        gives=lambda o: (
            o["clientOrderId"].startswith("x-TKT5PX2F") and len(o["clientOrderId"]) == 32
        ),
    ),
}

PRIVATE = {
    "fetch_balance": Row(
        does=lambda c, _: c("fetch_balance"),
        sends=("GET", "/api/v3/account"),
        gives=lambda b: b["USDT"]["used"] == 500.0 and b["BTC"]["total"] > 9,
    ),
    "cancel by id": Row(
        does=lambda c, number: c("cancel_order", number, S),
        sends=("DELETE", "/api/v3/order"),
        params={"symbol": "BTCUSDT", "orderId": ANY},
        gives=is_cancelled,
    ),
    "cancel by client id": Row(
        does=lambda c, _: c("cancel_order", None, S, {"clientOrderId": "mine"}),
        sends=("DELETE", "/api/v3/order"),
        params={"symbol": "BTCUSDT", "origClientOrderId": "mine"},
        gives=is_cancelled,
    ),
    "cancel all": Row(
        does=lambda c, _: c("cancel_all_orders", S),
        sends=("DELETE", "/api/v3/openOrders"),
        params={"symbol": "BTCUSDT"},
        gives=lambda rows: [row["status"] for row in rows] == ["canceled"],
    ),
    "fetch_order by id": Row(
        does=lambda c, number: c("fetch_order", number, S),
        sends=("GET", "/api/v3/order"),
        params={"symbol": "BTCUSDT", "orderId": ANY},
        gives=lambda o: (o["status"], o["clientOrderId"], o["amount"]) == ("open", "mine", 0.01),
    ),
    "fetch_order by clientOrderId": Row(
        does=lambda c, _: c("fetch_order", None, S, {"clientOrderId": "mine"}),
        sends=("GET", "/api/v3/order"),
        params={"symbol": "BTCUSDT", "origClientOrderId": "mine"},
        gives=lambda o: (o["status"], o["price"]) == ("open", 50000.0),
    ),
    "fetch_order by origClientOrderId": Row(
        does=lambda c, _: c("fetch_order", None, S, {"origClientOrderId": "mine"}),
        sends=("GET", "/api/v3/order"),
        params={"symbol": "BTCUSDT", "origClientOrderId": "mine"},
        gives=lambda o: (o["status"], o["price"]) == ("open", 50000.0),
    ),
    "fetch_open_orders": Row(
        does=lambda c, _: c("fetch_open_orders", S),
        sends=("GET", "/api/v3/openOrders"),
        params={"symbol": "BTCUSDT"},
        gives=lambda rows: [row["clientOrderId"] for row in rows] == ["mine"],
    ),
    "fetch_my_trades": Row(
        does=lambda c, _: c("fetch_my_trades", S),
        sends=("GET", "/api/v3/myTrades"),
        params={"symbol": "BTCUSDT"},
        gives=lambda rows: (rows[-1]["price"], rows[-1]["takerOrMaker"], rows[-1]["amount"])
        == (60000.0, "taker", 0.02)
        and rows[-1]["fee"] == {"currency": "BTC", "cost": 0.00002},
    ),
    "fetch_my_trades since": Row(
        does=lambda c, _: c("fetch_my_trades", S, 4_000_000_000_000),
        sends=("GET", "/api/v3/myTrades"),
        params={"symbol": "BTCUSDT", "startTime": "4000000000000"},
        gives=lambda rows: rows == [],
    ),
    "fetch_orders": Row(
        does=lambda c, _: c("fetch_orders", S),
        sends=("GET", "/api/v3/allOrders"),
        params={"symbol": "BTCUSDT"},
        gives=lambda rows: [row["status"] for row in rows][-2:] == ["closed", "open"],
    ),
    "fetch_orders since": Row(
        does=lambda c, _: c("fetch_orders", S, 4_000_000_000_000),
        sends=("GET", "/api/v3/allOrders"),
        params={"symbol": "BTCUSDT", "startTime": "4000000000000"},
        gives=lambda rows: rows == [],
    ),
}  # fmt: skip

ROWS = {**PUBLIC, **ORDERS, **PRIVATE}


@pytest.fixture(scope="module", params=[Flavour.SYNC, Flavour.ASYNC])
def caller(request: pytest.FixtureRequest, shared: Hosted) -> Iterator[Caller]:
    client = shared.client
    with calling(request.param, shared.url, client.api_key, client.secret) as made:
        made("load_markets")
        yield made


@pytest.mark.parametrize("name", ROWS)
def test_call(name: str, caller: Caller, hosted: Hosted) -> None:
    row = ROWS[name]
    number = ""
    if name in PRIVATE:
        hosted.ask(lambda client: client.order(quantity="0.02"))
        status, body = hosted.ask(
            lambda client: client.order(type="LIMIT", price="50000", newClientOrderId="mine")
        )
        assert status == 200, body
        number = str(body["orderId"])

    result = row.does(caller, number)

    assert row.gives(result), result
    if row.is_signed:
        seen = hosted.last_request()
        sent = (seen["method"], seen["path"])
        params = {k: v for k, v in seen["params"].items() if k not in {"timestamp", "signature"}}
        assert params.pop("recvWindow") == "10000"
        assert {"timestamp", "signature"} <= seen["params"].keys()
        assert (seen["verdict"], seen["delivered"]) == ("accepted", True)
    else:
        address = urlsplit(caller.exchange.last_request_url)
        sent, params = ("GET", address.path), dict(parse_qsl(address.query))
    assert sent == row.sends
    assert params.keys() == row.params.keys()
    assert {k: v if row.params[k] != ANY else ANY for k, v in params.items()} == row.params


def test_a_caller_may_fix_the_deadline_itself(caller: Caller, hosted: Hosted) -> None:
    stamp = int(time.time() * 1000) - 300
    pinned = {"timestamp": stamp, "recvWindow": 45_000}

    caller("create_order", S, "limit", "buy", 0.01, 50000, pinned)

    params = hosted.last_request()["params"]
    assert (params["timestamp"], params["recvWindow"]) == (str(stamp), "45000")


def test_open_orders_of_all_symbols_need_an_option(hosted: Hosted) -> None:
    key, secret = hosted.client.api_key, hosted.client.secret
    options = {**OPTIONS, "fetchOpenOrders": {"warnWithoutSymbol": False}}
    hosted.ask(lambda client: client.order(type="LIMIT", price="50000"))
    with calling(Flavour.SYNC, hosted.url, key, secret, options=options) as caller:
        orders = caller("fetch_open_orders")

    assert [order["symbol"] for order in orders] == [S]
    assert hosted.last_request()["path"] == "/api/v3/openOrders"
    assert "symbol" not in hosted.last_request()["params"]


def test_markets_come_with_the_grid_and_the_limits(caller: Caller) -> None:
    market = caller.exchange.market(S)

    assert (market["id"], market["active"], market["spot"]) == ("BTCUSDT", True, True)
    assert market["precision"]["price"] == 0.01
    assert market["precision"]["amount"] == 0.00001
    assert market["limits"]["amount"] == {"min": 0.00001, "max": 9000.0}
    assert market["limits"]["cost"]["min"] == 5.0
    assert market["limits"]["market"]["max"] == 100.0
    assert market["info"]["permissionSets"] == [["SPOT"]]


@pytest.mark.parametrize("flavour", [Flavour.SYNC, Flavour.ASYNC])
def test_loading_markets_needs_one_request_with_options_and_seven_without(
    flavour: Flavour, hosted: Hosted
) -> None:
    key, secret = hosted.client.api_key, hosted.client.secret
    for options, paths in (
        (OPTIONS, ["/api/v3/exchangeInfo"]),
        ({}, [
            "/sapi/v1/capital/config/getall", "/sapi/v1/margin/allPairs", "/api/v3/exchangeInfo",
            "/sapi/v1/margin/allPairs", "/sapi/v1/margin/isolated/allPairs",
            "/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo",
        ]),
    ):  # fmt: skip
        seen: list[str] = []
        with calling(flavour, hosted.url, key, secret, options=options) as caller:
            _note_paths(caller.exchange, seen)
            markets = caller("load_markets")
        assert sorted(markets) == ["BTC/USDT", "ETH/USDT"]
        assert sorted(set(seen)) == sorted(set(paths))


def _note_paths(exchange: Any, seen: list[str]) -> None:
    """Listen to what ccxt signs, without changing it."""
    sign = exchange.sign

    def listening(*args: Any, **options: Any) -> Any:
        request = sign(*args, **options)
        seen.append(urlsplit(request["url"]).path)
        return request

    exchange.sign = listening
