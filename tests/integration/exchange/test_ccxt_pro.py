"""ccxt.pro on the streams and the WebSocket API: what it asks for, hears, and makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.support.ccxt_clients import Caller, Flavour, calling, error
from tests.support.hosted import Hosted
from tests.support.waiting import PATIENCE_S, until

S = "BTC/USDT"


@pytest.fixture
def caller(hosted: Hosted) -> Iterator[Caller]:
    client = hosted.client
    with calling(Flavour.PRO, hosted.url, client.api_key, client.secret) as made:
        made("load_markets")
        yield made


@pytest.fixture(scope="module")
def talker(shared: Hosted) -> Iterator[Caller]:
    """One for all tests that only call over the socket: closing it takes a while."""
    client = shared.client
    with calling(Flavour.PRO, shared.url, client.api_key, client.secret) as made:
        made("load_markets")
        yield made


def during(
    caller: Caller, watch: Callable[[Any], Awaitable[Any]], act: Callable[[Any], Awaitable[Any]]
) -> Any:
    """What `watch` gives when `act` happens after it has subscribed."""

    async def both() -> Any:
        exchange = caller.exchange
        confirmed = answer_to_subscribing(exchange)
        watching = asyncio.ensure_future(watch(exchange))
        await asyncio.wait_for(confirmed.wait(), PATIENCE_S)
        await act(exchange)
        return await asyncio.wait_for(watching, PATIENCE_S)

    return caller.run(both())


def answer_to_subscribing(exchange: Any) -> asyncio.Event:
    """Is set when the exchange has confirmed the next subscription of ccxt's."""
    confirmed = asyncio.Event()
    handle = exchange.handle_message

    def listening(client: Any, message: Any) -> Any:
        if "id" in message and "result" in message:
            confirmed.set()
        return handle(client, message)

    exchange.handle_message = listening
    return confirmed


def buys(amount: float = 0.02) -> Callable[[Any], Awaitable[Any]]:
    """A market buy."""
    return lambda exchange: exchange.create_order(S, "market", "buy", amount)


async def ended(exchange: Any) -> Any:
    """The last order once it has ended.

    ccxt keeps what it hears while nobody awaits, but does not wake the next who does: after the
    first news its cache is the only place to look.
    """
    await exchange.watch_orders(S)
    await until(lambda: exchange.orders[-1]["status"] != "open", "the end of the order")
    return exchange.orders[-1]


def test_orders(caller: Caller) -> None:
    order = during(caller, ended, buys())

    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.02, 60000.0)
    assert order["clientOrderId"].startswith("x-TKT5PX2F")


def test_a_cancel_is_told_under_the_name_of_the_order(caller: Caller) -> None:
    async def act(exchange: Any) -> None:
        order = await exchange.create_order(
            S, "limit", "buy", 0.01, 50000, {"clientOrderId": "to-go"}
        )
        await exchange.cancel_order(order["id"], S)

    order = during(caller, ended, act)

    assert (order["status"], order["clientOrderId"], order["filled"]) == ("canceled", "to-go", 0.0)
    assert order["info"]["c"] != "to-go", "there stands the name of the cancel"
    assert order["info"]["C"] == "to-go"


def test_fills(caller: Caller) -> None:
    (trade, *_) = during(caller, lambda e: e.watch_my_trades(S), buys())

    assert (trade["price"], trade["amount"], trade["side"]) == (60000.0, 0.02, "buy")
    assert trade["takerOrMaker"] == "taker"
    assert trade["fee"] == {"currency": "BTC", "cost": 0.00002}


def test_balances(caller: Caller) -> None:
    before = caller("fetch_balance")

    after = during(caller, lambda e: e.watch_balance(), buys())

    assert after["USDT"]["total"] == pytest.approx(before["USDT"]["total"] - 1200)
    assert after["BTC"]["total"] == pytest.approx(before["BTC"]["total"] + 0.02 - 0.00002)


def test_a_balance_moved_by_hand(caller: Caller, hosted: Hosted) -> None:
    async def act(_exchange: Any) -> None:
        transfer = {"apiKey": hosted.client.api_key, "asset": "USDT", "delta": "250"}
        await asyncio.to_thread(hosted.admin, "POST", "balances", transfer)

    before = caller("fetch_balance")["USDT"]["total"]
    after = during(caller, lambda e: e.watch_balance(), act)

    assert after["USDT"]["total"] == pytest.approx(before + 250)


def test_public_trades(caller: Caller) -> None:
    (trade,) = during(caller, lambda e: e.watch_trades(S), buys())

    assert (trade["price"], trade["amount"], trade["side"]) == (60000.0, 0.02, "buy")


def test_candles(caller: Caller) -> None:
    (candle,) = during(caller, lambda e: e.watch_ohlcv(S, "1m"), buys())

    assert candle[0] % 60_000 == 0
    assert candle[1:5] == [60000.0] * 4


def test_the_book_stays_that_of_the_exchange_change_by_change(
    caller: Caller, hosted: Hosted
) -> None:
    async def scenario() -> tuple[Any, Any]:
        exchange = caller.exchange
        book = await asyncio.wait_for(exchange.watch_order_book(S), PATIENCE_S)
        for number in range(12):
            await exchange.create_order(S, "limit", "buy", 0.01, 59_000 + number)
        bids: list[Any] = []
        while len(bids) < 12:
            book = await asyncio.wait_for(exchange.watch_order_book(S), PATIENCE_S)
            bids = [row for row in book["bids"] if row[0] < 59_979]
        return book, await exchange.fetch_order_book(S, 100)

    watched, fetched = caller.run(scenario())

    assert list(map(list, watched["bids"])) == fetched["bids"]
    assert list(map(list, watched["asks"])) == fetched["asks"]
    assert watched["nonce"] == fetched["nonce"]


def test_several_watchers_share_one_subscription(caller: Caller) -> None:
    async def scenario() -> list[str]:
        exchange = caller.exchange
        confirmed = answer_to_subscribing(exchange)
        tasks = [
            asyncio.ensure_future(watch)
            for watch in (exchange.watch_orders(S), exchange.watch_my_trades(S),
                          exchange.watch_balance())
        ]  # fmt: skip
        await asyncio.wait_for(confirmed.wait(), PATIENCE_S)
        await exchange.create_order(S, "market", "buy", 0.01)
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
        return list(exchange.clients)

    assert [url.rpartition("/ws-api")[2] for url in caller.run(scenario())] == ["/v3"]


@pytest.mark.parametrize("name", ["clientOrderId", "newClientOrderId"])
def test_an_order_over_the_socket(name: str, talker: Caller, hosted: Hosted) -> None:
    order = talker("create_order_ws", S, "limit", "buy", 0.01, 50000, {name: f"ws-{name}"})

    seen = hosted.last_request()
    assert (order["status"], order["clientOrderId"]) == ("open", f"ws-{name}")
    assert (seen["door"], seen["verdict"], seen["executed"]) == ("ws", "accepted", True)
    assert seen["params"]["newClientOrderId"] == f"ws-{name}"
    assert ("clientOrderId" in seen["params"]) is (name == "clientOrderId")
    cancelled = talker("cancel_order_ws", order["id"], S)
    assert (cancelled["status"], cancelled["id"]) == ("canceled", order["id"])


SOCKET_CALLS: dict[str, Callable[[Caller, str], Any]] = {
    "fetch_order_ws": lambda c, number: c("fetch_order_ws", number, S)["status"] == "open",
    "fetch_open_orders_ws": lambda c, n: c("fetch_open_orders_ws", S)[-1]["id"] == n,
    "fetch_orders_ws": lambda c, number: c("fetch_orders_ws", S)[-1]["id"] == number,
    "fetch_my_trades_ws": lambda c, _: isinstance(c("fetch_my_trades_ws", S), list),
    # ccxt looks for the futures' word `assets` in this reply, so only the raw part has balances.
    "fetch_balance_ws": lambda c, _: (
        {"asset": "USDT", "locked": "500.00000000"}.items()
        <= c("fetch_balance_ws")["info"]["balances"][-1].items()
    ),
    "fetch_ohlcv_ws": lambda c, _: c("fetch_ohlcv_ws", S)[-1][4] == 60000.0,
    "cancel_all_orders_ws": lambda c, n: c("cancel_all_orders_ws", S)[0]["id"] == n,
}


@pytest.mark.parametrize("name", SOCKET_CALLS)
def test_a_call_over_the_socket(name: str, talker: Caller, hosted: Hosted) -> None:
    number = talker("create_order", S, "limit", "buy", 0.01, 50000)["id"]

    assert SOCKET_CALLS[name](talker, number)
    assert hosted.last_request()["door"] == "ws" or name == "fetch_ohlcv_ws"


def test_a_refusal_over_the_socket_has_the_same_class(talker: Caller, hosted: Hosted) -> None:
    with pytest.raises(error("InsufficientFunds")):
        talker("create_order_ws", S, "market", "sell", 50)

    assert hosted.last_request()["verdict"] == "refused"


def test_a_dropped_line_is_told_and_the_next_watch_subscribes_again(
    caller: Caller, hosted: Hosted
) -> None:
    async def cut(exchange: Any) -> None:
        fault = {"kind": "stream_disconnect", "match": {"door": "user"}, "count": 1}
        await asyncio.to_thread(hosted.admin, "POST", "faults", fault)
        await exchange.create_order(S, "market", "buy", 0.01)

    with pytest.raises(error("NetworkError")):
        during(caller, lambda e: e.watch_orders(S), cut)
    order = during(caller, ended, buys(0.03))

    assert (order["status"], order["filled"]) == ("closed", 0.03)


def test_a_lost_event_never_comes(caller: Caller, hosted: Hosted) -> None:
    fault = {"kind": "stream_drop", "match": {"path": "executionReport"}, "count": 2}
    hosted.admin("POST", "faults", fault)

    async def act(exchange: Any) -> None:
        await exchange.create_order(S, "market", "buy", 0.01)
        await exchange.create_order(S, "market", "buy", 0.02)

    order = during(caller, ended, act)

    assert order["amount"] == 0.02
    assert len(caller.exchange.orders) == 1, "nothing tells that there was another one before"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_listen_keys_are_gone(method: str, hosted: Hosted) -> None:
    status, body = hosted.signed(method, "/api/v3/userDataStream")

    assert (status, body["code"]) == (410, -1000)


@pytest.mark.parametrize("method", ["start", "ping", "stop"])
def test_listen_keys_are_gone_from_the_socket(method: str, hosted: Hosted) -> None:
    async def ask(client: Any) -> Any:
        url = f"{client.url.replace('http', 'ws', 1)}/ws-api/v3"
        async with client.http.ws_connect(url) as socket:
            params = {"apiKey": client.api_key}
            await socket.send_json(
                {"id": 1, "method": f"userDataStream.{method}", "params": params}
            )
            return await socket.receive_json(timeout=PATIENCE_S)

    answer = hosted.ask(ask)

    assert (answer["id"], answer["status"]) == (1, 410)
