"""Fixed windows aligned to the clock: weight per address, orders per account, 429, 418."""

from __future__ import annotations

from holdfast.exchange.limits import Limits
from tests.support.exchange import Clock, local_exchange, on_loop


@on_loop
async def test_each_reply_says_how_much_weight_was_used() -> None:
    async with local_exchange(now_ns=Clock()) as (running, client):
        await client.get("/api/v3/ping")
        async with client.http.get(f"{running.url}/api/v3/depth?symbol=BTCUSDT") as response:
            assert response.headers["X-MBX-USED-WEIGHT-1M"] == "6"
        async with client.http.get(f"{running.url}/api/v3/exchangeInfo") as response:
            assert response.headers["X-MBX-USED-WEIGHT-1M"] == "26"


@on_loop
async def test_too_much_weight_is_429_until_the_minute_turns() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock, limits=Limits(weight_per_minute=2)) as (run, client):
        for _ in range(2):
            assert (await client.get("/api/v3/ping"))[0] == 200
        async with client.http.get(f"{run.url}/api/v3/ping") as response:
            assert (response.status, (await response.json())["code"]) == (429, -1003)
            assert response.headers["Retry-After"] == "55"  # at five seconds past the minute
        clock.move(54)
        assert (await client.get("/api/v3/ping"))[0] == 429
        clock.move(1)
        assert (await client.get("/api/v3/ping"))[0] == 200


@on_loop
async def test_going_on_after_429_is_a_ban_that_outlives_the_minute_and_grows() -> None:
    clock = Clock()
    limits = Limits(weight_per_minute=1, ban_after=3, ban_s=120)
    async with local_exchange(now_ns=clock, limits=limits) as (running, client):
        seen = [(await client.get("/api/v3/ping"))[0] for _ in range(6)]
        assert seen == [200, 429, 429, 429, 418, 418]
        clock.move(60)
        async with client.http.get(f"{running.url}/api/v3/ping") as response:
            assert (response.status, response.headers["Retry-After"]) == (418, "60")
        clock.move(60)
        assert [(await client.get("/api/v3/ping"))[0] for _ in range(5)][-1] == 418
        clock.move(121)
        assert (await client.get("/api/v3/ping"))[0] == 418  # the second ban lasts 240 s


@on_loop
async def test_orders_count_per_account_while_they_are_unfilled() -> None:
    clock = Clock()
    async with local_exchange(now_ns=clock, limits=Limits(orders_per_10s=2)) as (_, client):
        resting = {"type": "LIMIT", "price": "50000", "quantity": "0.001"}
        for _ in range(5):
            assert (await client.order())[0] == 200  # a fill gives the count back
        for _ in range(2):
            assert (await client.order(**resting))[0] == 200
        status, body = await client.order(**resting)
        assert (status, body["code"]) == (429, -1015)
        assert "2 orders per 10 SECOND" in body["msg"]
        status, _ = await client.call("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
        assert status == 200
        clock.move(10)
        assert (await client.order(**resting))[0] == 200


@on_loop
async def test_a_makers_first_fill_gives_five_orders_back() -> None:
    async with local_exchange(now_ns=Clock()) as (_, client):
        for _ in range(6):
            await client.order(type="LIMIT", price="59999.5", quantity="0.001")
        await client.admin(
            "POST",
            "orders",
            {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.0005"},
        )
        _, usage = await client.call("GET", "/api/v3/rateLimit/order")
        assert [row["count"] for row in usage] == [1, 1]


@on_loop
async def test_the_order_count_is_a_header_of_accepted_orders_only() -> None:
    async with local_exchange() as (running, client):
        text = client.signed(
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            price="50000",
            quantity="0.001",
            timeInForce="GTC",
        )
        headers = {"X-MBX-APIKEY": client.api_key}
        url = f"{running.url}/api/v3/order?{text}"
        async with client.http.post(url, headers=headers) as response:
            assert response.headers["X-MBX-ORDER-COUNT-10S"] == "1"
            assert response.headers["X-MBX-ORDER-COUNT-1D"] == "1"
        text = client.signed(symbol="BTCUSDT")
        url = f"{running.url}/api/v3/order?{text}"
        async with client.http.post(url, headers=headers) as response:
            assert response.status == 400
            assert "X-MBX-ORDER-COUNT-10S" not in response.headers


@on_loop
async def test_too_many_connections() -> None:
    limits = Limits(connections_per_5m=1)
    async with local_exchange(now_ns=Clock(), limits=limits) as (running, client):
        plain_url = running.stream_url.replace("ws", "http", 1)
        async with (
            client.http.ws_connect(running.stream_url),
            client.http.get(plain_url) as response,
        ):
            assert response.status == 429
