"""Every way an order can go wrong: what stands on the wire, and what ccxt makes of it.

Each row is met four times: by the synchronous and the asynchronous ccxt, with its error table for
unknown addresses and with that of Binance's own. Two are traps: a reply cut in half looks like a
definite no, and a garbled one like an order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.support.ccxt_clients import (
    Caller,
    Flavour,
    calling,
    error,
    map_errors_as_on_binance,
)
from tests.support.hosted import Hosted
from tests.support.ports import refusing_port
from tests.support.waiting import PATIENCE_S

S = "BTC/USDT"
POST = {"method": "POST", "path": "/api/v3/order"}


class Row(msgspec.Struct, kw_only=True):
    """One line of the table.

    Attributes:
        fault: to inject before.
        order: the arguments of create_order; a market buy of 0.01 unless told otherwise.
        does: what to call instead of it.
        wire: HTTP status, code (0: no JSON) and a part of the text; None when there is no reply.
        raises: the name of ccxt's class, exactly.
        sync_raises: the synchronous ccxt's, where it differs.
        on_binance: the class with Binance's own error table, where it differs.
    """

    fault: dict[str, Any] | None = None
    order: tuple[Any, ...] = ("market", "buy", 0.01)
    does: Callable[[Caller], Any] | None = None
    wire: tuple[int, int, str] | None
    raises: str
    sync_raises: str = ""
    on_binance: str = ""


def code(number: int, status: int, text: str = "") -> dict[str, Any]:
    """A fault that answers with an error of the exchange's."""
    params: dict[str, Any] = {"code": number, "status": status}
    return {"kind": "error_code", "params": {**params, "msg": text} if text else params}


def page(status: int) -> dict[str, Any]:
    """A fault that answers with a page of some proxy."""
    return {"kind": "http_status", "params": {"status": status}}


def sized(**params: str) -> tuple[Any, ...]:
    """An order whose numbers ccxt does not round."""
    return ("limit", "buy", 0.01, 50000, params)


def twice(caller: Caller) -> Any:
    caller("create_order", S, "limit", "buy", 0.01, 50000, {"clientOrderId": "twin"})
    return caller("create_order", S, "limit", "buy", 0.01, 50001, {"clientOrderId": "twin"})


# How long ccxt waits for a reply that never comes; the request must have left by then.
UNHEARD_MS = 1000
PATIENCE_MS = int(PATIENCE_S * 1000)
DISABLED = "This action is disabled on this account."
LATE = {"timestamp": 1_700_000_000_000}

TABLE = {
    "duplicate of an open order": Row(
        does=twice,
        wire=(400, -2010, "Duplicate order sent."),
        raises="InvalidOrder",
    ),
    "insufficient balance": Row(
        order=("market", "sell", 50),
        wire=(400, -2010, "Account has insufficient balance for requested action."),
        raises="InsufficientFunds",
    ),
    "disabled account": Row(
        fault=code(-2010, 400, DISABLED),
        wire=(400, -2010, DISABLED),
        raises="InvalidOrder",
    ),
    "post only would take": Row(
        order=("limit", "buy", 0.01, 60001, {"postOnly": True}),
        wire=(400, -2010, "Order would immediately match and take."),
        raises="OrderImmediatelyFillable",
    ),
    "filter of price": Row(
        order=sized(price="50000.001"),
        wire=(400, -1013, "Filter failure: PRICE_FILTER"),
        raises="InvalidOrder",
    ),
    "filter of lot size": Row(
        order=sized(quantity="0.000001"),
        wire=(400, -1013, "Filter failure: LOT_SIZE"),
        raises="InvalidOrder",
    ),
    "filter of notional": Row(
        order=sized(quantity="0.00001"),
        wire=(400, -1013, "Filter failure: NOTIONAL"),
        raises="BadRequest",
    ),
    "too much precision": Row(
        order=sized(quantity="0.0000000001"),
        wire=(400, -1111, "precision"),
        raises="BadRequest",
    ),
    "outside of recvWindow": Row(
        order=("market", "buy", 0.01, None, LATE),
        wire=(400, -1021, "outside of the recvWindow"),
        raises="InvalidNonce",
    ),
    "ahead of the server": Row(
        order=("market", "buy", 0.01, None, {"timestamp": 4_000_000_000_000}),
        wire=(400, -1021, "1000ms ahead of the server's time"),
        raises="InvalidNonce",
    ),
    "request weight": Row(
        fault={"kind": "rate_limit"},
        wire=(429, -1003, "Too much request weight used"),
        raises="DDoSProtection",
    ),
    "order count": Row(
        fault=code(-1015, 429, "Too many new orders; current limit is 50 orders per 10 SECOND."),
        wire=(429, -1015, "Too many new orders"),
        raises="DDoSProtection",
    ),
    "banned": Row(
        fault={"kind": "ban", "params": {"for_s": 60}},
        wire=(418, -1003, "IP banned until"),
        raises="DDoSProtection",
    ),
    "overloaded": Row(
        fault=code(-1008, 503),
        wire=(503, -1008, ""),
        raises="ExchangeError",
        on_binance="OperationFailed",
    ),
    "unknown": Row(
        fault=code(-1000, 500), wire=(500, -1000, ""), raises="OperationFailed"
    ),
    "disconnected": Row(
        fault=code(-1001, 500), wire=(500, -1001, ""), raises="OperationFailed"
    ),
    "unexpected response": Row(
        fault=code(-1006, 500), wire=(500, -1006, ""), raises="OperationFailed"
    ),
    "engine timeout, 408": Row(
        fault=code(-1007, 408), wire=(408, -1007, "status unknown"), raises="RequestTimeout"
    ),
    "engine timeout, 504": Row(
        fault=code(-1007, 504), wire=(504, -1007, "status unknown"), raises="RequestTimeout"
    ),
    "archived": Row(
        fault=code(-2026, 400),
        wire=(400, -2026, ""),
        raises="ExchangeError",
        on_binance="InvalidOrder",
    ),
    "partly failed": Row(
        fault=code(-2021, 409),
        wire=(409, -2021, ""),
        raises="ExchangeError",
        on_binance="BadResponse",
    ),
    "not authorised": Row(
        fault=code(-1099, 401),
        wire=(401, -1099, ""),
        raises="ExchangeError",
        on_binance="AuthenticationError",
    ),
    "bad cancel restriction": Row(
        fault=code(-1145, 400),
        wire=(400, -1145, ""),
        raises="ExchangeError",
        on_binance="BadRequest",
    ),
    "a page with 500": Row(
        fault=page(500), wire=(500, 0, "<html>"), raises="ExchangeNotAvailable"
    ),
    "a page with 502": Row(
        fault=page(502), wire=(502, 0, "<html>"), raises="ExchangeNotAvailable"
    ),
    "a page with 504": Row(fault=page(504), wire=(504, 0, "<html>"), raises="RequestTimeout"),
    "a page with 403": Row(
        fault=page(403), wire=(403, 0, "<html>"), raises="ExchangeNotAvailable"
    ),
    "a page with 400": Row(
        fault=page(400), wire=(400, 0, "<html>"), raises="ExchangeNotAvailable"
    ),
    "maintenance": Row(
        fault={"kind": "maintenance", "params": {"for_ms": 60_000}},
        wire=(503, -1016, ""),
        raises="BadRequest",
    ),
    "no reply in time": Row(
        fault={"kind": "drop_reply"}, wire=None, raises="RequestTimeout"
    ),
    "connection reset": Row(
        fault={"kind": "reset"},
        wire=None,
        raises="ExchangeNotAvailable",
        sync_raises="NetworkError",
    ),
    "cancel of what is not open": Row(
        does=lambda c: c("cancel_order", "999999", S),
        wire=(400, -2011, "Unknown order sent."),
        raises="OrderNotFound",
    ),
    "query of what is not visible": Row(
        does=lambda c: c("fetch_order", "999999", S),
        wire=(400, -2013, "Order does not exist."),
        raises="OrderNotFound",
    ),
    "a feature that is not offered": Row(
        does=lambda c: c("edit_order", "1", S, "limit", "buy", 0.01, 50000),
        wire=(400, -1020, "This operation is not supported"),
        raises="BadRequest",
    ),
    "an order with an iceberg": Row(
        order=("limit", "buy", 0.01, 50000, {"icebergQty": "0.001"}),
        wire=(400, -1020, "icebergQty"),
        raises="BadRequest",
    ),
    "no such route": Row(
        does=lambda c: c("fetch_deposit_address", "BTC"),
        wire=(404, -1000, "is invalid"),
        raises="OperationFailed",
    ),
    "cut in half": Row(
        fault={"kind": "truncate_body"},
        wire=None,
        raises="ExchangeError",
        sync_raises="NetworkError",
    ),
}  # fmt: skip


class Ear:
    """Hears each reply before ccxt judges it."""

    def __init__(self, exchange: Any) -> None:
        self.replies: list[tuple[int, str]] = []
        judge = exchange.handle_errors

        def listening(status: int, *args: Any) -> Any:
            self.replies.append((status, args[4]))
            return judge(status, *args)

        exchange.handle_errors = listening


@pytest.fixture(scope="module", params=[Flavour.SYNC, Flavour.ASYNC])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return Flavour(request.param)


@pytest.fixture(scope="module", params=["loopback", "binance"])
def caller(request: pytest.FixtureRequest, flavour: Flavour, shared: Hosted) -> Iterator[Caller]:
    client = shared.client
    with calling(flavour, shared.url, client.api_key, client.secret) as made:
        if request.param == "binance":
            map_errors_as_on_binance(made.exchange)
        made.exchange.table = request.param
        made("load_markets")
        yield made


def _do(row: Row, caller: Caller) -> None:
    # Only where no reply comes is it worth to wait less.
    comes_to_nothing = row.wire is None and row.raises == "RequestTimeout"
    caller.exchange.timeout = UNHEARD_MS if comes_to_nothing else PATIENCE_MS
    if row.does is not None:
        row.does(caller)
    else:
        caller("create_order", S, *row.order)


@pytest.mark.parametrize("name", TABLE)
def test_row(name: str, caller: Caller, flavour: Flavour, hosted: Hosted) -> None:
    row = TABLE[name]
    if row.fault is not None:
        hosted.admin("POST", "faults", {"match": POST, **row.fault})
    ear = Ear(caller.exchange)

    with pytest.raises(error("BaseError")) as caught:
        _do(row, caller)

    if row.wire is not None:
        status, number, text = row.wire
        seen_status, body = ear.replies[-1]
        assert seen_status == status
        assert text in body
        if number:
            assert msgspec.json.decode(body)["code"] == number
    expected = row.raises
    if flavour is Flavour.SYNC:
        expected = row.sync_raises or expected
    if caller.exchange.table == "binance":
        expected = row.on_binance or expected
    assert type(caught.value) is error(expected), caught.value


def test_a_garbled_reply_looks_like_an_order_without_id(caller: Caller, hosted: Hosted) -> None:
    hosted.admin("POST", "faults", {"kind": "garbage_json", "match": POST})

    order = caller("create_order", S, "market", "buy", 0.01)

    assert (order["id"], order["status"]) == (None, None)
    assert hosted.admin("GET", "ledger")["orders"][-1]["status"] == "FILLED", "and yet it filled"


@pytest.mark.parametrize("kind", ["drop_reply", "reset", "truncate_body", "garbage_json"])
def test_an_order_without_a_clean_reply_was_executed(
    kind: str, caller: Caller, hosted: Hosted
) -> None:
    before = len(hosted.admin("GET", "ledger")["orders"])
    hosted.admin("POST", "faults", {"kind": kind, "match": POST, "count": 1})
    caller.exchange.timeout = UNHEARD_MS if kind == "drop_reply" else PATIENCE_MS

    try:
        caller("create_order", S, "market", "buy", 0.01)
    except error("BaseError"):
        assert kind != "garbage_json"
    else:
        assert kind == "garbage_json"

    seen = hosted.last_request()
    assert (seen["executed"], seen["delivered"], seen["faults"]) == (True, False, [kind])
    assert len(hosted.admin("GET", "ledger")["orders"]) == before + 1


@pytest.mark.parametrize(
    ("key", "secret", "wire"),
    [
        ("k", "s", (401, -2014, "API-key format invalid.")),
        (None, "wrong", (400, -1022, "Signature for this request is not valid.")),
        ("A" * 64, "s", (401, -2015, "Invalid API-key, IP, or permissions for action.")),
    ],
)
def test_a_wrong_key_or_signature_is_an_authentication_error(
    key: str | None, secret: str, wire: tuple[int, int, str], flavour: Flavour, hosted: Hosted
) -> None:
    with calling(flavour, hosted.url, key or hosted.client.api_key, secret) as stranger:
        stranger("load_markets")
        ear = Ear(stranger.exchange)
        with pytest.raises(error("AuthenticationError")):
            stranger("create_order", S, "market", "buy", 0.01)

    status, body = ear.replies[-1]
    assert (status, *msgspec.json.decode(body).values()) == wire


def test_a_revoked_key_looks_transient_after_a_success(caller: Caller, hosted: Hosted) -> None:
    caller("fetch_balance")
    hosted.admin("POST", "faults", {"kind": "revoke_key"})
    ear = Ear(caller.exchange)

    with pytest.raises(error("BaseError")) as caught:
        caller("fetch_balance")

    assert type(caught.value) is error("DDoSProtection")
    assert (ear.replies[-1][0], msgspec.json.decode(ear.replies[-1][1])["code"]) == (401, -2015)


def test_a_refused_connection_has_the_class_of_a_reset_one(flavour: Flavour) -> None:
    with (
        refusing_port() as port,
        calling(flavour, f"http://127.0.0.1:{port}", "A" * 64, "s") as nobody,
        pytest.raises(error("NetworkError")) as caught,
    ):
        nobody("fetch_balance")

    same = error("NetworkError") if flavour is Flavour.SYNC else error("ExchangeNotAvailable")
    assert type(caught.value) is same


def test_a_delayed_request_is_refused_by_its_own_deadline(caller: Caller, hosted: Hosted) -> None:
    fault = {"kind": "delay_request", "match": POST, "params": {"delay_ms": 120}}
    hosted.admin("POST", "faults", fault)
    deadline = {"timestamp": int(time.time() * 1000), "recvWindow": 60}

    with pytest.raises(error("InvalidNonce")):
        caller("create_order", S, "market", "buy", 0.01, None, deadline)

    assert hosted.last_request()["executed"] is False
