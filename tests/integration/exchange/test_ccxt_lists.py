"""An unmodified ccxt places, asks for and cancels order lists, by its implicit methods."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ccxt_clients import Caller, Flavour, calling
from tests.support.hosted import Hosted
from tests.support.order_lists import OCO, OTO, SYMBOL, THEN_PAIR, THEN_SELL

NAMES = ("listClientOrderId", "aboveClientOrderId", "belowClientOrderId")


@pytest.fixture(scope="module", params=[Flavour.SYNC, Flavour.ASYNC])
def caller(request: pytest.FixtureRequest, shared: Hosted) -> Iterator[Caller]:
    client = shared.client
    with calling(request.param, shared.url, client.api_key, client.secret) as made:
        yield made


def test_an_oco_from_its_placement_to_its_cancel(caller: Caller, hosted: Hosted) -> None:
    placed = caller("private_post_orderlist_oco", dict(OCO))
    assert [row["clientOrderId"] for row in placed["orders"]] == ["loss", "gain"]
    number = {"orderListId": placed["orderListId"]}
    found = caller("private_get_orderlist", number)
    assert (found["listClientOrderId"], found["listOrderStatus"]) == ("list", "EXECUTING")
    assert caller("private_get_openorderlist") == [found]
    assert found in caller("private_get_allorderlist")
    orders = caller("fetch_open_orders", "BTC/USDT")
    assert [(order["type"], order["triggerPrice"]) for order in orders] == [
        ("market", 59990.0), ("limit", None),
    ]
    done = caller("private_delete_orderlist", {**SYMBOL, **number})
    assert [row["status"] for row in done["orderReports"]] == ["CANCELED", "CANCELED"]
    assert caller("private_get_openorderlist") == []


def test_ccxt_names_what_its_caller_does_not(caller: Caller, hosted: Hosted) -> None:
    unnamed = {name: value for name, value in OCO.items() if name not in NAMES}
    placed = caller("private_post_orderlist_oco", unnamed)
    sent = hosted.last_request()["params"]
    assert placed["listClientOrderId"] == sent["listClientOrderId"]
    assert [row["clientOrderId"] for row in placed["orders"]] == [
        sent["belowClientOrderId"], sent["aboveClientOrderId"],
    ]


@pytest.mark.parametrize(("kind", "then"), [("oto", THEN_SELL), ("otoco", THEN_PAIR)])
def test_an_entry_and_what_it_brings(
    caller: Caller, hosted: Hosted, kind: str, then: dict[str, str]
) -> None:
    placed = caller(f"private_post_orderlist_{kind}", {**OTO, **then})
    statuses = [row["status"] for row in placed["orderReports"]]
    assert statuses == ["NEW", *["PENDING_NEW"] * (len(statuses) - 1)]
    entry = caller("cancel_order", placed["orders"][0]["orderId"], "BTC/USDT")
    assert entry["info"]["listOrderStatus"] == "ALL_DONE"
    assert caller("fetch_open_orders", "BTC/USDT") == []
