"""Signatures by the documentation's own example, and requests as exact text."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.order import OrderSpec, OrderType, Side, TimeInForce
from holdfast.venues.binance.request import cancellation_query, listing_path, placement_query
from holdfast.venues.binance.signing import Key, query_text
from holdfast.venues.port import Cancellation, Placement, Purpose

# The key pair and the results that the exchange's documentation prints.
KEY = Key(
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
)


def test_a_request_is_signed_as_the_documentation_shows() -> None:
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
        "&recvWindow=5000&timestamp=1499827319559"
    )
    expected = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert KEY.sign(query) == expected
    assert KEY.signed(query) == f"{query}&signature={expected}"


def test_a_websocket_request_is_signed_over_sorted_names() -> None:
    params = KEY.signed_params({"timestamp": 2, "recvWindow": 1})
    assert params["signature"] == KEY.sign(f"apiKey={KEY.api_key}&recvWindow=1&timestamp=2")


def test_the_secret_shows_nowhere() -> None:
    assert "Nhqp" not in repr(KEY)
    assert KEY.api_key not in repr(KEY)


def test_query_text_escapes_what_is_not_plain() -> None:
    assert query_text({"a": "x y&z/", "b": 1}) == "a=x%20y%26z%2F&b=1"


def placement(spec: OrderSpec, cid: str = "abc123") -> Placement:
    return Placement(cid, spec, 1_499_827_319_559, 500, Purpose.ENTER)


@pytest.mark.parametrize(
    ("spec", "middle"),
    [
        (
            OrderSpec(
                symbol="BTC/USDT", side=Side.BUY, type=OrderType.MARKET, quantity=Decimal("0.10")
            ),
            "side=BUY&type=MARKET&quantity=0.1",
        ),
        (
            OrderSpec(
                symbol="BTC/USDT",
                side=Side.SELL,
                type=OrderType.LIMIT,
                quantity=Decimal("1E+2"),
                price=Decimal("1E-8"),
                time_in_force=TimeInForce.IOC,
            ),
            "side=SELL&type=LIMIT&quantity=100&price=0.00000001&timeInForce=IOC",
        ),
        (
            OrderSpec(
                symbol="BTC/USDT",
                side=Side.SELL,
                type=OrderType.LIMIT_MAKER,
                quantity=Decimal(1),
                price=Decimal(5),
            ),
            "side=SELL&type=LIMIT_MAKER&quantity=1&price=5",
        ),
        (
            OrderSpec(
                symbol="BTC/USDT",
                side=Side.SELL,
                type=OrderType.STOP_LOSS_LIMIT,
                quantity=Decimal(1),
                price=Decimal(4),
                stop_price=Decimal(5),
            ),
            "side=SELL&type=STOP_LOSS_LIMIT&quantity=1&price=4&stopPrice=5&timeInForce=GTC",
        ),
        (
            OrderSpec(
                symbol="BTC/USDT",
                side=Side.SELL,
                type=OrderType.STOP_LOSS,
                quantity=Decimal(1),
                stop_price=Decimal(5),
            ),
            "side=SELL&type=STOP_LOSS&quantity=1&stopPrice=5",
        ),
    ],
)
def test_each_kind_of_order_is_written_out(spec: OrderSpec, middle: str) -> None:
    assert placement_query(placement(spec)) == (
        f"symbol=BTCUSDT&{middle}&newClientOrderId=abc123&newOrderRespType=FULL"
        "&recvWindow=500&timestamp=1499827319559"
    )


def test_nothing_can_slip_a_parameter_or_a_line_into_the_request() -> None:
    spec = OrderSpec(
        symbol="BTC/USDT&x=1", side=Side.BUY, type=OrderType.MARKET, quantity=Decimal(1)
    )
    query = placement_query(placement(spec, cid="a&side=SELL\r\nX: y"))
    assert query.count("side=") == 1
    assert query.startswith("symbol=BTCUSDT%26x%3D1&side=BUY&")
    assert not set(query) & set("\r\n ")


def test_a_cancel_is_written_out() -> None:
    assert cancellation_query(Cancellation("c1", "abc123", "BTC/USDT", 5, 500)) == (
        "symbol=BTCUSDT&origClientOrderId=abc123&newClientOrderId=c1&recvWindow=500&timestamp=5"
    )


def test_a_cancel_of_one_order_of_several_names_both_ids() -> None:
    query = cancellation_query(Cancellation("c1", "abc123", "BTC/USDT", 5, 500, order_id="8"))
    assert query.startswith("symbol=BTCUSDT&orderId=8&origClientOrderId=abc123&")


def test_markets_are_asked_for_by_name_each_once() -> None:
    """Without a space and escaped, as the exchange's own form of a list wants it."""
    assert listing_path(()) == "/api/v3/exchangeInfo"
    assert listing_path(["BTC/USDT", "ETH/USDT", "BTC/USDT"]) == (
        "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"
    )
