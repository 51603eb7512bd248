"""A mirrored exchange against recorded messages of the real one: book, fills, and every break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from holdfast.app.markets.mirror import Mirror, open_mirror
from holdfast.errors import UnreachableError
from holdfast.exchange import live
from holdfast.exchange.server import Running, serve
from holdfast.venues.binance.endpoints import Endpoints
from tests.support.exchange import Client, on_loop, open_account
from tests.support.stand_in import Ladder, StandIn, stand_in
from tests.support.waiting import PATIENCE_S, until


class Mirrored:
    """A local exchange that mirrors a stand-in, and an account on it."""

    def __init__(self, source: StandIn, running: Running, client: Client) -> None:
        self.source = source
        self.running = running
        self.client = client

    @property
    def stream_url(self) -> str:
        """The local combined streams."""
        return f"{self.running.url.replace('http', 'ws', 1)}/stream"

    async def caught_up(self, symbol: str = "BTCUSDT") -> None:
        """Return when the local book is at the last change that was sent."""
        listing = self.running.desk.exchange.listing(symbol)
        await until(
            lambda: listing.status == "TRADING"
            and listing.book.update_id == self.source.ladder(symbol).last_id,
            f"the book of {symbol} at {self.source.ladder(symbol).last_id}",
        )

    async def step_to_depth(self, count: int = 1) -> None:
        """Send so many messages, and on until the last one is a change of the depth."""
        await self.source.step(count)
        while self.source.messages[self.source.sent - 1].kind != "depthUpdate":
            await self.source.step()
        await self.caught_up()

    async def resynced(self) -> None:
        """Send changes until the book is known again."""
        listing = self.running.desk.exchange.listing("BTCUSDT")
        deadline_s = time.monotonic() + PATIENCE_S
        while listing.status != "TRADING":
            assert time.monotonic() < deadline_s, "the book is not known again"
            if self.source.is_followed:
                await self.source.step()
            await asyncio.sleep(0.02)
        await self.step_to_depth()
        assert self.ladder() == plain(self.source.ladder("BTCUSDT"))

    async def in_break(self) -> None:
        """Wait for the break."""
        listing = self.running.desk.exchange.listing("BTCUSDT")
        await until(lambda: listing.status == "BREAK", "a break")

    def ladder(self) -> dict[str, list[tuple[Decimal, Decimal]]]:
        """The local book."""
        book = self.running.desk.exchange.listing("BTCUSDT").book
        return {
            "bids": [(level.price, level.quantity) for level in _levels(book.bids)],
            "asks": [(level.price, level.quantity) for level in _levels(book.asks)],
        }


def _levels(half: Any) -> list[Any]:
    return list(half.levels())


def plain(ladder: Ladder) -> dict[str, list[tuple[Decimal, Decimal]]]:
    return {
        "bids": sorted(ladder.bids.items(), reverse=True),
        "asks": sorted(ladder.asks.items()),
    }


def endpoints(source: StandIn) -> Endpoints:
    stream_url = f"{source.url.replace('http', 'ws', 1)}/stream"
    return Endpoints(rest_url=source.url, stream_url=stream_url)


@asynccontextmanager
async def mirrored(*symbols: str, **options: Any) -> AsyncIterator[Mirrored]:
    """A mirror whose books are known."""
    names = symbols or ("BTC/USDT",)
    async with (
        stand_in(*(name.replace("/", "") for name in names)) as source,
        open_mirror(endpoints(source), names) as mirror,
    ):
        async def begin() -> None:
            """A first change of each market, once somebody listens."""
            await until(lambda: source.is_followed, "a subscription")
            seen: set[str] = set()
            while len(seen) < len(names):
                await source.step()
                message = source.messages[source.sent - 1]
                if message.kind == "depthUpdate":
                    seen.add(message.symbol)

        beginning = asyncio.create_task(begin())
        async with serve(mirror, now_ns=mirror.now_ns, **options) as running:
            await beginning
            account = open_account(running, {"USDT": "10000000", "BTC": "100"})
            async with aiohttp.ClientSession() as http:
                client = Client(
                    http, running.url, account.api_key, account.secret,
                    running.desk.exchange.now_ns,
                )
                yield Mirrored(source, running, client)


@on_loop
async def test_the_book_is_that_of_the_recording_after_every_change() -> None:
    async with mirrored() as world:
        for _ in range(40):
            await world.step_to_depth(30)
            assert world.ladder() == plain(world.source.ladder("BTCUSDT"))
        _, body = await world.client.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
        assert body["lastUpdateId"] == world.source.ladder("BTCUSDT").last_id
        assert [Decimal(price) for price, _ in body["bids"]] == [
            price for price, _ in plain(world.source.ladder("BTCUSDT"))["bids"]
        ][:5000]


@on_loop
async def test_two_markets_are_followed_side_by_side() -> None:
    async with mirrored("BTC/USDT", "ETH/USDT") as world:
        await world.step_to_depth(2_000)
        for name in ("BTCUSDT", "ETHUSDT"):
            await world.caught_up(name)
            book = world.running.desk.exchange.listing(name).book
            shown = {level.price: level.quantity for level in _levels(book.bids)}
            assert shown == world.source.ladder(name).bids


@on_loop
async def test_a_mirror_can_be_mirrored() -> None:
    """So whoever follows the documented rules gets the book from it as well."""
    async with mirrored() as world:
        await world.step_to_depth(200)
        local = Endpoints(rest_url=world.running.url, stream_url=world.stream_url)
        async with open_mirror(local, ["BTC/USDT"]) as second:
            book = second.depths["BTC/USDT"]
            following = asyncio.create_task(_follow(second))
            deadline_s = time.monotonic() + PATIENCE_S
            while not book.is_known:
                assert time.monotonic() < deadline_s, "no book"
                await world.step_to_depth(5)  # it asks for a snapshot once something has changed
                await asyncio.sleep(0.05)
            await world.step_to_depth(500)
            last_id = world.source.ladder("BTCUSDT").last_id
            await until(lambda: book.is_known and book.last_id == last_id, "the last change")
            assert {"bids": list(book.bids()), "asks": list(book.asks())} == world.ladder()
            following.cancel()


async def _follow(mirror: Mirror) -> None:
    async for _ in mirror.events():
        pass


@on_loop
async def test_a_market_order_pays_what_the_recorded_book_asks() -> None:
    async with mirrored() as world:
        await world.step_to_depth(500)
        asks = plain(world.source.ladder("BTCUSDT"))["asks"]
        wanted = sum((size for _, size in asks[:7]), Decimal(0)) + asks[7][1] / 2
        wanted = wanted.quantize(Decimal("0.00001"))
        status, body = await world.client.order(
            quantity=str(wanted), newOrderRespType="FULL"
        )
        assert (status, body["status"]) == (200, "FILLED")
        expected, left = [], wanted
        for price, size in asks:
            part = min(size, left)
            expected.append((price, part))
            left -= part
            if not left:
                break
        paid = [(Decimal(fill["price"]), Decimal(fill["qty"])) for fill in body["fills"]]
        assert paid == expected

        # Nobody else sees it, and the same cannot be taken twice.
        assert world.ladder()["asks"] == asks
        _, again = await world.client.order(quantity="0.001", newOrderRespType="FULL")
        assert Decimal(again["fills"][0]["price"]) == asks[7][0]


SIZE = Decimal("0.5")


class ByHand:
    """What bids of one account get, counted from the messages alone.

    Args:
        ahead: what was shown at each bid's price when it joined.
    """

    def __init__(self, source: StandIn, ahead: dict[Decimal, Decimal]) -> None:
        self._source = source
        self._read = source.sent
        told = [each.at_ms for each in source.past("BTCUSDT", "depthUpdate")]
        self._joined_ms = told[-1]
        self._ahead = dict(sorted(ahead.items(), reverse=True))
        self.got = dict.fromkeys(ahead, Decimal(0))

    def read_on(self) -> None:
        """Count what was sent since the last call."""
        for each in self._source.messages[self._read : self._source.sent]:
            if each.kind == "depthUpdate":
                for price, shown in each.data["b"]:
                    if Decimal(price) in self._ahead:
                        key = Decimal(price)
                        self._ahead[key] = min(self._ahead[key], Decimal(shown))
            elif each.data["T"] >= self._joined_ms:
                self._count(Decimal(each.data["p"]), Decimal(each.data["q"]), each.data["m"])
        self._read = self._source.sent

    def _count(self, at: Decimal, left: Decimal, seller_takes: bool) -> None:
        for price, ahead in self._ahead.items():
            part = Decimal(0)
            if at < price:
                part = min(SIZE - self.got[price], left)
            elif at == price and seller_takes:
                part = min(SIZE - self.got[price], max(left - ahead, Decimal(0)))
                self._ahead[price] = max(ahead - left, Decimal(0))
            self.got[price] += part
            left -= part


@on_loop
async def test_resting_bids_fill_as_counted_by_hand_from_the_recording() -> None:
    async with mirrored() as world:
        await world.step_to_depth(400)
        bids = plain(world.source.ladder("BTCUSDT"))["bids"]
        ahead = {bids[place][0]: bids[place][1] for place in (0, 3, 15)}
        # Between the levels, and further down than it comes today.
        ahead |= {bids[1][0] + Decimal("0.01"): Decimal(0), bids[0][0] - 500: Decimal(0)}
        by_hand = ByHand(world.source, ahead)
        placed = {}
        for price in ahead:
            _, body = await world.client.order(type="LIMIT", price=str(price), quantity=str(SIZE))
            placed[price] = body["orderId"]
        seen = set()
        for _ in range(60):
            await world.step_to_depth(100)
            by_hand.read_on()
            for price, order_id in placed.items():
                _, row = await world.client.call(
                    "GET", "/api/v3/order", symbol="BTCUSDT", orderId=order_id
                )
                assert Decimal(row["executedQty"]) == by_hand.got[price]
                seen.add(row["status"])
        assert seen == {"NEW", "PARTIALLY_FILLED", "FILLED"}
        _, trades = await world.client.call("GET", "/api/v3/myTrades", symbol="BTCUSDT")
        assert all(row["isMaker"] for row in trades)


@on_loop
async def test_a_missing_change_closes_the_market_until_the_book_is_known_again() -> None:
    async with mirrored() as world:
        await world.step_to_depth(300)
        best = plain(world.source.ladder("BTCUSDT"))["bids"][0][0]
        _, resting = await world.client.order(
            type="LIMIT", price=str(best - 500), quantity="0.5"
        )
        world.source.drop = 1
        while world.source.drop:
            await world.source.step()
        while world.source.messages[world.source.sent].kind != "depthUpdate":
            await world.source.step()
        snapshots = [path for path in world.source.asked if "depth" in path]
        world.source.is_down = True  # so that the break lasts
        await world.source.step()
        await world.in_break()

        status, refusal = await world.client.order()
        assert (status, refusal["code"], refusal["msg"]) == (400, -1013, "Market is closed.")
        _, info = await world.client.get("/api/v3/exchangeInfo", symbol="BTCUSDT")
        assert info["symbols"][0]["status"] == "BREAK"
        _, best_rows = await world.client.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")
        assert Decimal(best_rows["bidPrice"]) == 0, "an old price would be taken for the present"

        world.source.is_down = False
        await world.resynced()
        assert len([path for path in world.source.asked if "depth" in path]) > len(snapshots)
        assert (await world.client.order())[0] == 200
        _, row = await world.client.call(
            "GET", "/api/v3/order", symbol="BTCUSDT", orderId=resting["orderId"]
        )
        assert row["status"] == "NEW", "it rested on"


@on_loop
async def test_a_lost_connection_and_a_cut_message_end_in_the_same_book() -> None:
    async with mirrored() as world:
        await world.step_to_depth(300)
        await world.source.hang_up()
        await world.in_break()
        await world.resynced()

        world.source.garble = 1
        while world.source.garble:
            await world.source.step()
        await world.in_break()
        await world.resynced()


@on_loop
async def test_a_connection_that_says_nothing_is_given_up() -> None:
    async with mirrored() as world:
        await world.step_to_depth(300)
        world.source.is_mute = True
        began_s = time.monotonic()
        await world.in_break()
        assert time.monotonic() - began_s > 1, "not for a moment's silence"
        world.source.is_mute = False
        await world.resynced()


@on_loop
async def test_news_that_come_late_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async with mirrored() as world:
        await world.step_to_depth(300)
        world.source.shift_ms -= 900_000  # minutes behind its clock from here on
        await world.source.step(20)
        await world.in_break()
        assert "ms late" in caplog.text
        world.source.shift_ms += 900_000
        await world.resynced()


@on_loop
async def test_trades_and_candles_are_those_of_the_mirrored_exchange() -> None:
    async with mirrored() as world:
        source = world.source
        async with world.client.http.ws_connect(f"{world.running.url}/stream") as socket:
            names = ["btcusdt@trade", "btcusdt@kline_1s", "btcusdt@depth@100ms"]
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            await socket.receive_json(timeout=PATIENCE_S)
            begin = source.sent
            await world.step_to_depth(600)
            told: dict[str, list[Any]] = {name: [] for name in names}
            sent = [each for each in source.messages[begin : source.sent] if each.kind == "trade"]
            while len(told["btcusdt@trade"]) < len(sent) or not told["btcusdt@depth@100ms"]:
                frame = await socket.receive_json(timeout=PATIENCE_S)
                told[frame["stream"]].append(frame["data"])
        assert [each["t"] for each in told["btcusdt@trade"]] == [each.data["t"] for each in sent]
        closed = [each["k"] for each in told["btcusdt@kline_1s"] if each["k"]["x"]]
        assert closed

        _, rows = await world.client.get("/api/v3/klines", symbol="BTCUSDT", interval="1s")
        by_time = {row[0]: row for row in rows}
        for candle in closed:
            row = by_time[candle["t"]]
            assert [candle[name] for name in "ohlcv"] == [row[place] for place in range(1, 6)]
        _, trades = await world.client.get("/api/v3/trades", symbol="BTCUSDT", limit=1000)
        every = [each.data["t"] for each in source.past("BTCUSDT", "trade")]
        assert [row["id"] for row in trades] == every[-1000:]

        source.is_down = True
        status, body = await world.client.get("/api/v3/klines", symbol="BTCUSDT", interval="1s")
        assert (status, body["code"]) == (500, -1001)
        status, body = await world.client.get("/api/v3/klines", symbol="NOUSDT", interval="1s")
        assert (status, body["code"]) == (400, -1121)


@on_loop
async def test_streams_are_parted_after_a_break_so_that_clients_ask_for_what_they_missed() -> None:
    async with mirrored() as world, world.client.http.ws_connect(
        f"{world.running.url}/stream?streams=btcusdt@kline_1m"
    ) as socket:
        await world.step_to_depth(10)
        await world.source.hang_up()
        await world.in_break()
        await world.resynced()
        last = [message.json() async for message in socket][-1]
        assert last["e"] == "serverShutdown"


@on_loop
async def test_an_exchange_that_tells_of_no_book_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "FIRST_BOOKS_S", 0.5)
    async with (
        stand_in("BTCUSDT") as source,  # it tells of nothing until it is stepped
        open_mirror(endpoints(source), ["BTC/USDT"]) as mirror,
    ):
        with pytest.raises(UnreachableError, match="no book of BTC/USDT"):
            async with serve(mirror, now_ns=mirror.now_ns):
                pass
