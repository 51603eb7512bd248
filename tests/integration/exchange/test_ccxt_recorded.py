"""Bodies that the real exchange once sent, beside ours: the same keys and kinds of values, and the
same reading by ccxt's own parsers. Skips where the recordings are absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.ccxt_clients import Caller, Flavour, calling
from tests.support.exchange import Client
from tests.support.hosted import Hosted
from tests.support.recordings import recording
from tests.support.waiting import PATIENCE_S

SAMPLES = "payloads/nautilus-binance-samples"
_NUMBER = re.compile(r"-?\d+\.\d{8}")

# What the real exchange has learned to say since these bodies were recorded.
NEWER = {
    "symbol": {
        "otoAllowed", "opoAllowed", "amendAllowed", "pegInstructionsAllowed", "permissionSets",
        "defaultSelfTradePreventionMode", "allowedSelfTradePreventionModes", "allowTrailingStop",
        "cancelReplaceAllowed",
    },
    "account": {
        "commissionRates", "brokered", "requireSelfTradePrevention", "preventSor", "uid",
    },
    "avgPrice": {"closeTime"},
    "report": {"W", "V", "eR"},
}  # fmt: skip
# What it said then and no longer does, or says only of what is not offered here.
OLDER = {"trade": {"b", "a"}, "bookTicker": {"T", "E"}, "aggTrade": {"st"}}


def sample(name: str) -> Any:
    return json.loads(recording(f"{SAMPLES}/{name}.json").read_bytes())


def shape(value: Any) -> Any:
    """Keys and kinds of values; of a list its first row, of a number in text its eight places."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        return "0.00000000" if _NUMBER.fullmatch(value) else "text"
    return type(value).__name__


def assert_same_shape(ours: Any, theirs: Any, about: str) -> None:
    newer, older = NEWER.get(about, set()), OLDER.get(about, set())
    seen, recorded = shape(ours), shape(theirs)
    if isinstance(recorded, list) and isinstance(recorded[0], dict):
        seen, recorded = seen[0], recorded[0]
    if isinstance(recorded, dict):
        seen = {key: kind for key, kind in seen.items() if key not in newer}
        recorded = {key: kind for key, kind in recorded.items() if key not in older}
    assert seen == recorded


@pytest.fixture(scope="module")
def trading(shared: Hosted) -> Hosted:
    """The exchange after a few trades."""
    for side in ("BUY", "SELL"):
        status, body = shared.ask(lambda client, side=side: client.order(side=side))  # type: ignore[misc]
        assert status == 200, body
    return shared


@pytest.fixture(scope="module")
def parser(shared: Hosted) -> Iterator[Caller]:
    with calling(Flavour.PRO, shared.url) as made:
        made("load_markets")
        yield made


def ask(hosted: Hosted, path: str, **params: Any) -> Any:
    status, body = hosted.ask(lambda client: client.get(path, **params))
    assert status == 200, body
    return body


REST: dict[str, tuple[str, dict[str, Any]]] = {
    "agg_trades": ("aggTrades", {"symbol": "BTCUSDT"}),
    "avg_price": ("avgPrice", {"symbol": "BTCUSDT"}),
    "book_ticker": ("ticker/bookTicker", {"symbol": "BTCUSDT"}),
    "depth": ("depth", {"symbol": "BTCUSDT", "limit": 10}),
    "klines": ("klines", {"symbol": "BTCUSDT", "interval": "1m"}),
    "ping": ("ping", {}),
    "ticker_price": ("ticker/price", {"symbol": "BTCUSDT"}),
    "time": ("time", {}),
    "trades": ("trades", {"symbol": "BTCUSDT"}),
    "historical_trades": ("trades", {"symbol": "BTCUSDT"}),
}


@pytest.mark.parametrize("name", REST)
def test_public_replies_have_the_recorded_shape(name: str, trading: Hosted) -> None:
    path, params = REST[name]

    theirs = sample(f"http/http_spot_market_{name}")

    assert_same_shape(ask(trading, f"/api/v3/{path}", **params), theirs, path)


def test_the_account_has_the_recorded_shape(trading: Hosted) -> None:
    status, ours = trading.signed("GET", "/api/v3/account")

    assert status == 200
    assert_same_shape(ours, sample("http/http_spot_wallet_account"), "account")


def exchange_infos() -> dict[str, Any]:
    line = recording("payloads/cryptofeed/BINANCE.0").read_text().split("\n", 1)[0]
    return {
        "basana": json.loads(
            recording("payloads/basana/binance_btc_usdt_exchange_info.json").read_bytes()
        ),
        "nautilus": sample("http/http_spot_market_exchange_info"),
        "cryptofeed": json.loads(line.partition(": ")[2]),
    }


@pytest.mark.parametrize("name", ["basana", "nautilus", "cryptofeed"])
def test_exchange_info_has_the_recorded_shape(name: str, trading: Hosted, parser: Caller) -> None:
    theirs, ours = exchange_infos()[name], ask(trading, "/api/v3/exchangeInfo")
    their_row = next(row for row in theirs["symbols"] if row["symbol"] == "BTCUSDT")
    our_row = ours["symbols"][0]

    assert ours.keys() == theirs.keys()
    assert shape(ours["rateLimits"]) == shape(theirs["rateLimits"])
    plain = {"filters", "permissions", *NEWER["symbol"]}
    assert {k: v for k, v in shape(our_row).items() if k not in plain} == {
        k: v for k, v in shape(their_row).items() if k not in plain
    }
    their_filters = {row["filterType"]: row for row in their_row["filters"]}
    our_filters = {row["filterType"]: row for row in our_row["filters"]}
    both = our_filters.keys() & their_filters.keys()
    assert {"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MAX_NUM_ORDERS"} <= both
    for kind in both:
        assert shape(our_filters[kind]) == shape(their_filters[kind]), kind
    our_market = parser.exchange.parse_market(our_row)
    their_market = parser.exchange.parse_market(their_row)
    for part in ("id", "symbol", "base", "quote", "type", "spot", "active"):
        assert our_market[part] == their_market[part]
    our_limits, their_limits = filled(our_market["limits"]), filled(their_market["limits"])
    assert our_limits.pop("cost") == {"min": True, "max": True}, "NOTIONAL came after MIN_NOTIONAL"
    assert their_limits.pop("cost") == {"min": True, "max": False}
    assert our_limits == their_limits
    assert our_market["precision"]["price"] == their_market["precision"]["price"]


def filled(value: Any) -> Any:
    """Which parts of a unified structure ccxt has found something for."""
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items() if key != "info"}
    return value is not None


def test_ccxt_reads_a_recorded_book_and_trade_as_it_reads_ours(
    trading: Hosted, parser: Caller
) -> None:
    exchange = parser.exchange
    market = exchange.market("BTC/USDT")
    symbol = {"symbol": "BTCUSDT"}
    pairs = [
        (exchange.parse_order_book(body, "BTC/USDT") | {"bids": 0, "asks": 0})
        for body in (ask(trading, "/api/v3/depth", **symbol), _recorded_depth())
    ]
    assert filled(pairs[0]) == filled(pairs[1])
    for name, path in (("agg_trades", "aggTrades"), ("trades", "trades")):
        ours, theirs = (
            ask(trading, f"/api/v3/{path}", **symbol),
            sample(f"http/http_spot_market_{name}"),
        )
        assert filled(exchange.parse_trade(ours[0], market)) == filled(
            exchange.parse_trade(theirs[0], market)
        )
    ours = ask(trading, "/api/v3/klines", interval="1m", **symbol)[0]
    theirs = sample("http/http_spot_market_klines")[0]
    assert [type(x) for x in exchange.parse_ohlcv(ours)] == [
        type(x) for x in exchange.parse_ohlcv(theirs)
    ]


def _recorded_depth() -> Any:
    lines = recording("payloads/cryptofeed/BINANCE.http.0.0").read_text().splitlines()
    return json.loads(lines[0].partition(" -> ")[2].partition(": ")[2])


# --- The user stream -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports(shared: Hosted) -> dict[str, Any]:
    """Our execution reports, by kind of change (a fill that leaves something open: PARTLY)."""

    async def scenario(client: Client) -> list[Any]:
        heard: list[Any] = []
        url = f"{client.url.replace('http', 'ws', 1)}/ws-api/v3"
        async with client.http.ws_connect(url) as socket:
            text = client.signed(apiKey=client.api_key)
            pairs = sorted(pair.split("=") for pair in text.split("&") if "signature" not in pair)
            signed = "&".join("=".join(pair) for pair in pairs)
            params = {**dict(pairs), "signature": client.sign(signed)}
            request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
            await socket.send_json(request)
            _, order = await client.order(type="LIMIT", price="59999.5", quantity="0.02")
            seller = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "IOC"}
            half = {**seller, "price": "59999.5", "quantity": "0.01"}
            await client.admin("POST", "orders", half)
            await client.order(type="LIMIT", price="50001", quantity="0.01", timeInForce="IOC")
            number = order["orderId"]
            await client.call("DELETE", "/api/v3/order", symbol="BTCUSDT", orderId=number)
            while True:
                frame = await socket.receive_json(timeout=PATIENCE_S)
                event = frame.get("event", {})
                if event.get("e") == "executionReport":
                    heard.append(event)
                if event.get("x") == "CANCELED":
                    return heard

    found: dict[str, Any] = {}
    for event in shared.ask(scenario):
        kind = "PARTLY" if event["X"] == "PARTIALLY_FILLED" else event["x"]
        found.setdefault(kind, event)
    return found


RECORDED_REPORTS = {
    "new": "NEW",
    "trade": "PARTLY",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "custom_client_id": "PARTLY",
}


@pytest.mark.parametrize("name", RECORDED_REPORTS)
def test_reports_have_the_recorded_shape_and_ccxt_reads_both_alike(
    name: str, reports: dict[str, Any], parser: Caller
) -> None:
    theirs = sample(f"ws/ws_spot_execution_report_{name}")["data"]
    ours = reports[RECORDED_REPORTS[name]]

    assert_same_shape(ours, theirs, "report")
    parse = parser.exchange.parse_ws_order
    assert filled(parse(ours)) == filled(parse(theirs))


# --- The market streams --------------------------------------------------------------------------


def recorded_streams() -> dict[str, Any]:
    """One recorded message of each kind."""
    found: dict[str, Any] = {}
    for line in recording("payloads/cryptofeed/BINANCE.ws.1.0").read_text().splitlines():
        _, _, text = line.partition(": ")
        if text.startswith('{"stream"'):
            message = json.loads(text)
            found.setdefault(message["stream"].partition("@")[2], message["data"])
    return {
        **found,
        "trade": sample("ws/ws_spot_trade")["data"],
        "depth@100ms": _fullest_depth() or found["depth@100ms"],
    }


def _fullest_depth() -> Any:
    for line in recording("payloads/cryptofeed/BINANCE.ws.1.0").read_text().splitlines():
        _, _, text = line.partition(": ")
        if text.startswith('{"stream"'):
            data = json.loads(text)["data"]
            if data.get("b") and data.get("a") and data.get("e") == "depthUpdate":
                return data
    return None


@pytest.fixture(scope="module")
def streams(shared: Hosted) -> dict[str, Any]:
    """One message of ours of each kind."""
    kinds = ["trade", "aggTrade", "kline_1m", "depth@100ms", "bookTicker"]

    async def scenario(client: Client) -> dict[str, Any]:
        found: dict[str, Any] = {}
        names = "/".join(f"btcusdt@{kind}" for kind in kinds)
        url = f"{client.url.replace('http', 'ws', 1)}/stream?streams={names}"
        async with client.http.ws_connect(url) as socket:
            await client.order(type="LIMIT", price="60000", quantity="2")
            await client.order(side="SELL", quantity="0.05")
            await client.order(type="LIMIT", price="58000.5", quantity="0.01")
            await client.order(type="LIMIT", side="SELL", price="62000.5", quantity="0.01")
            while len(found) < len(kinds):
                message = await socket.receive_json(timeout=PATIENCE_S)
                data = message["data"]
                if data.get("e") != "depthUpdate" or (data["b"] and data["a"]):
                    found[message["stream"].partition("@")[2]] = data
        return found

    return shared.ask(scenario)


@pytest.mark.parametrize("kind", ["trade", "aggTrade", "kline_1m", "depth@100ms", "bookTicker"])
def test_stream_messages_have_the_recorded_shape(kind: str, streams: dict[str, Any]) -> None:
    assert_same_shape(streams[kind], recorded_streams()[kind], kind)
