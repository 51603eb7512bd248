"""Order lists when replies get lost, queries lag, orders are counted, and the exchange dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from holdfast.exchange.limits import Limits
from holdfast.exchange.server import serve
from holdfast.exchange.statelog import FILE_NAME
from tests.integration.exchange.test_user_stream import ask
from tests.support.exchange import Client, Clock, LadderFlow, local_exchange, on_loop, struck
from tests.support.order_lists import (
    OCO,
    OTO,
    SYMBOL,
    THEN_PAIR,
    THEN_SELL,
    balances_of,
    orders_of,
    others_trade,
    place,
)
from tests.support.waiting import PATIENCE_S

PATH = "/api/v3/orderList/oco"


@pytest.mark.parametrize(("kind", "is_placed"), [("drop_request", False), ("drop_reply", True)])
@on_loop
async def test_a_list_whose_reply_is_lost_is_there_whole_or_not_at_all(
    kind: str, is_placed: bool
) -> None:
    async with local_exchange() as (running, client):
        await client.fault(kind, PATH, count=1)
        asking = asyncio.ensure_future(client.call("POST", PATH, **OCO))
        await struck(running)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.1)
        status, found = await client.call("GET", "/api/v3/orderList", origClientOrderId="list")
        assert (status == 200, len(found.get("orders", []))) == (is_placed, 2 * is_placed)
        assert sorted(await orders_of(client)) == (["gain", "loss"] if is_placed else [])


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("http_status", {"status": 502, "executed": True}),
        ("error_code", {"code": -1006, "executed": True}),
        ("duplicate_request", {"reply": "second"}),
    ],
)
@on_loop
async def test_a_reply_that_says_no_may_hide_a_list_at_work(
    kind: str, params: dict[str, Any]
) -> None:
    async with local_exchange() as (_, client):
        await client.fault(kind, PATH, count=1, **params)
        url = f"{client.url}{PATH}?{client.signed(**OCO)}"
        async with client.http.post(url, headers={"X-MBX-APIKEY": client.api_key}) as response:
            assert response.status != 200
        _, lists = await client.call("GET", "/api/v3/openOrderList")
        assert [row["listClientOrderId"] for row in lists] == ["list"]


@on_loop
async def test_a_lost_reply_to_a_cancel_has_cancelled_the_list() -> None:
    async with local_exchange() as (running, client):
        await place(client, "oco", **OCO)
        await client.fault("drop_reply", "/api/v3/orderList", "DELETE", count=1)
        cancel = client.call("DELETE", "/api/v3/orderList", **SYMBOL, orderListId=0)
        asking = asyncio.ensure_future(cancel)
        await struck(running)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.1)
        again = await client.call("DELETE", "/api/v3/orderList", **SYMBOL, orderListId=0)
        assert again == (400, {"code": -2011, "msg": "Unknown order list sent."})
        assert {row["status"] for row in (await orders_of(client)).values()} == {"CANCELED"}


@pytest.mark.parametrize(
    ("source", "path", "params"),
    [
        ("database", "/api/v3/orderList", {"orderListId": 0}),
        ("database", "/api/v3/allOrderList", {}),
        ("memory", "/api/v3/openOrderList", {}),
    ],
)
@on_loop
async def test_a_list_shows_later_in_each_source(
    source: str, path: str, params: dict[str, Any]
) -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock) as (_, client):
        await client.fault("visibility_lag", None, ms=2000, sources=[source])
        await place(client, "oco", **OCO)
        unseen = await client.call("GET", path, **params)
        assert unseen in ((200, []), (400, {"code": -2013, "msg": "Order list does not exist."}))
        await client.call("DELETE", "/api/v3/orderList", **SYMBOL, orderListId=0)
        clock.move(2)
        _, seen = await client.call("GET", path, **params)
        # Both changes show by now; a cancelled list is among the open ones no more.
        rows = seen if isinstance(seen, list) else [seen]
        assert [row["listOrderStatus"] for row in rows] == (
            [] if source == "memory" else ["ALL_DONE"]
        )


@on_loop
async def test_a_list_counts_as_so_many_orders_as_it_has() -> None:
    limits = Limits(orders_per_10s=8)
    async with local_exchange(now_ns=Clock(), limits=limits) as (_, client):
        counts = []
        kinds = {"oco": OCO, "oto": {**OTO, **THEN_SELL}, "otoco": {**OTO, **THEN_PAIR}}
        for kind, params in kinds.items():
            own = {
                name: f"{kind}-{value}" if name.endswith("ClientOrderId") else value
                for name, value in params.items()
            }
            await place(client, kind, **own)
            _, usage = await client.call("GET", "/api/v3/rateLimit/order")
            counts.append(usage[0]["count"])
        assert counts == [2, 4, 7]
        status, body = await client.call("POST", PATH, **OCO)
        assert (status, body["code"]) == (429, -1015)
        assert (await client.order(type="LIMIT", price="50000"))[0] == 200  # one more still fits


@on_loop
async def test_the_same_over_the_websocket_api() -> None:
    async with local_exchange() as (running, client):
        socket = await client.http.ws_connect(running.ws_api_url)
        placed = await ask(client, socket, "orderList.place.oco", **OCO)
        assert (placed["status"], placed["result"]["orderListId"]) == (200, 0)
        status = await ask(client, socket, "orderList.status", origClientOrderId="list")
        assert status["result"]["orders"] == placed["result"]["orders"]
        is_open = await ask(client, socket, "openOrderLists.status")
        assert is_open["result"] == [status["result"]]
        gone = await ask(client, socket, "orderList.cancel", **SYMBOL, orderListId=0)
        assert [row["status"] for row in gone["result"]["orderReports"]] == ["CANCELED"] * 2
        for kind, then in (("oto", THEN_SELL), ("otoco", THEN_PAIR)):
            reply = await ask(client, socket, f"orderList.place.{kind}", **OTO, **then)
            assert reply["result"]["contingencyType"] == "OTO"
            await ask(client, socket, "order.cancel", **SYMBOL, origClientOrderId="entry")
        every = await ask(client, socket, "allOrderLists")
        assert [row["orderListId"] for row in every["result"]] == [2, 1, 0]
        await socket.close()


@on_loop
async def test_lists_go_on_where_they_were_when_the_exchange_starts_again(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await place(client, "oco", **OCO)
        own = {"listClientOrderId": "next", "pendingAboveClientOrderId": "gain2"}
        entry = {**OTO, **THEN_PAIR, **own, "pendingBelowClientOrderId": "loss2"}
        await place(client, "otoco", **entry)
        before = await client.ledger()
    for _start in range(2):  # the second one reads the file that the first has written anew
        async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
            again = Client(http, running.url, client.api_key, client.secret)
            after = await again.ledger()
            assert {**after, "at_ns": 0} == {**before, "at_ns": 0}
            _, lists = await again.call("GET", "/api/v3/openOrderList")
            assert [row["listClientOrderId"] for row in lists] == ["list", "next"]
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = Client(http, running.url, client.api_key, client.secret)
        await others_trade(again, "SELL", "10")  # reaches the stop of the first
        rows = await orders_of(again)
        assert [rows[name]["status"] for name in ("loss", "gain", "gain2")] == [
            "FILLED", "EXPIRED", "PENDING_NEW",
        ]
        _, body = await again.call("DELETE", "/api/v3/order", **SYMBOL, origClientOrderId="gain2")
        assert len(body["orderReports"]) == 3
        assert (await balances_of(again))["BTC"] == ("9.50000000", "0.00000000")
        again_placed = await place(again, "oco", **{**OCO, "belowStopPrice": "59980"})
        assert again_placed["orderListId"] == 2


@on_loop
async def test_what_happened_while_nobody_was_there_breaks_a_pair_at_the_start(
    tmp_path: Path,
) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await others_trade(client, "BUY", "20")  # the asks are gone, and the last price is 60,019
        above = {**OCO, "abovePrice": "60050", "belowStopPrice": "60005"}
        await place(client, "oco", **above)
        assert (await balances_of(client))["BTC"] == ("9.50000000", "0.50000000")
    # The market begins anew around 60,000: the stop is reached before anybody asks.
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = Client(http, running.url, client.api_key, client.secret)
        rows = await orders_of(again)
        assert (rows["loss"]["status"], rows["gain"]["status"]) == ("FILLED", "EXPIRED")
        assert (await balances_of(again))["BTC"] == ("9.50000000", "0.00000000")


@on_loop
async def test_entries_filled_at_the_start_bring_what_follows_to_their_own_markets(
    tmp_path: Path,
) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        for symbol, price, exit_price in (("BTCUSDT", 60_000, 61_000), ("ETHUSDT", 3000, 3100)):
            # No asks are left, so that the entry rests.
            buy = {"symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": "20"}
            await client.admin("POST", "orders", buy)
            entry = {**OTO, **THEN_SELL, "workingPrice": price, "pendingPrice": exit_price}
            named = {"symbol": symbol, "listClientOrderId": f"list-{symbol}"}
            await place(client, "oto", **{**entry, **named})
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = Client(http, running.url, client.api_key, client.secret)
        _, is_open = await again.call("GET", "/api/v3/openOrders")
        assert [(row["symbol"], row["price"], row["status"]) for row in is_open] == [
            ("BTCUSDT", "61000.00000000", "NEW"), ("ETHUSDT", "3100.00000000", "NEW"),
        ]
        balances = await balances_of(again)
        assert [balances[asset][1] for asset in ("BTC", "ETH")] == ["0.40000000"] * 2


@on_loop
async def test_a_file_from_before_there_were_lists_is_read(tmp_path: Path) -> None:
    async with local_exchange(state_dir=tmp_path) as (_, client):
        await client.order(type="LIMIT", price="50000", quantity="0.01", newClientOrderId="old")
        before = await client.ledger()
    path = tmp_path / FILE_NAME
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        assert "lists" not in line
        for order in line.get("orders", []):
            del order["list_id"], order["expiry"]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    async with aiohttp.ClientSession() as http, restored(tmp_path) as running:
        again = Client(http, running.url, client.api_key, client.secret)
        assert {**(await again.ledger()), "at_ns": 0} == {**before, "at_ns": 0}


@on_loop
async def test_an_event_of_a_list_may_be_lost_alone() -> None:
    async with local_exchange() as (running, client):
        socket = await client.subscribe(running)
        await client.fault("stream_drop", "listStatus", "STREAM", count=1)
        await place(client, "oco", **OCO)
        heard = [(await socket.receive_json(timeout=PATIENCE_S))["event"]["e"] for _ in range(3)]
        assert heard == ["executionReport", "executionReport", "outboundAccountPosition"]
        await socket.close()


def restored(directory: Path) -> Any:
    """An exchange that starts from what an earlier one has left."""
    return serve(LadderFlow(), speed=0, warm_up_s=1, state_dir=directory)
