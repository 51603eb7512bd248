"""The user stream against a server that misbehaves in every way it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from aiohttp import web

from holdfast.domain.order import OrderState
from holdfast.venues.binance.feed import Watch
from holdfast.venues.binance.signing import Key
from holdfast.venues.binance.stream import UserStream
from holdfast.venues.port import BalanceReport, MoneyMoved, OrderReport, StreamDown, StreamUp
from tests.support.scripted_socket import Talk, scripted_socket, until_closed
from tests.support.waiting import PATIENCE_S

KEY = Key("key-1", "secret-1")
NEW_ORDER = {
    "e": "executionReport", "E": 5, "s": "BTCUSDT", "c": "cid-1", "S": "BUY", "o": "LIMIT",
    "f": "GTC", "q": "1.0", "p": "5.0", "x": "NEW", "X": "NEW", "r": "NONE", "i": 7, "l": "0.0",
    "z": "0.0", "L": "0.0", "n": "0", "N": None, "T": 5, "t": -1, "m": False, "C": "",
}


async def accept(socket: web.WebSocketResponse) -> None:
    """Take the subscription."""
    request = msgspec.json.decode(await socket.receive_str())
    assert request["method"] == "userDataStream.subscribe.signature"
    assert request["params"]["apiKey"] == "key-1"
    await socket.send_json({"id": request["id"], "status": 200, "result": {"subscriptionId": 0}})


async def tell(socket: web.WebSocketResponse, event: object) -> None:
    """Send one event."""
    await socket.send_json({"subscriptionId": 0, "event": event})


async def collect(
    talk: Talk, is_enough: int | Callable[[list[object]], bool], watch: Watch | None = None
) -> list[object]:
    """The first events of a stream whose server is `talk`: so many, or until they are enough."""

    async def now_ms() -> int:
        return 1_000

    async with scripted_socket(talk) as server:
        stream = UserStream(
            server.url,
            KEY,
            now_ms=now_ms,
            names=lambda: {"BTCUSDT": "BTC/USDT"},
            watch=watch,
            pause_s=lambda _: 0.01,
        )
        found: list[object] = []
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream.events():
                found.append(event)
                if is_enough(found) if callable(is_enough) else len(found) == is_enough:
                    break
        await stream.close()
        return found


def kinds(events: list[object]) -> list[type]:
    return [type(event) for event in events]


def test_events_come_in_order_and_none_is_lost_while_the_reader_is_busy() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        for number in range(500):
            await tell(socket, {**NEW_ORDER, "i": number})
        await until_closed(socket)

    events = asyncio.run(collect(talk, 501))
    assert isinstance(events[0], StreamUp)
    assert [e.order_id for e in events[1:] if isinstance(e, OrderReport)] == [
        str(number) for number in range(500)
    ]


def test_balances_and_transfers_are_told_and_unknown_events_skipped() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        await tell(socket, {"e": "externalLockUpdate", "E": 1, "a": "X", "d": "1", "T": 1})
        await tell(
            socket,
            {"e": "outboundAccountPosition", "E": 2, "B": [{"a": "BTC", "f": "1.5", "l": "0"}]},
        )
        await tell(socket, {"e": "balanceUpdate", "E": 3, "a": "BTC", "d": "-0.5", "T": 3})
        await until_closed(socket)

    events = asyncio.run(collect(talk, 3))
    assert kinds(events) == [StreamUp, BalanceReport, MoneyMoved]


async def refused_by(
    talk: Talk, refusal: Callable[[], web.Response] | None = None
) -> list[tuple[int, float | None]]:
    """What a stream tells of the first time that it is refused by such a server."""
    told: list[tuple[int, float | None]] = []

    async def now_ms() -> int:
        return 1_000

    async with scripted_socket(talk, refusal) as server:
        stream = UserStream(
            server.url, KEY, now_ms=now_ms, names=dict, pause_s=lambda _: 60.0,
            on_refused=lambda status, for_s: told.append((status, for_s)),
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream.events():
                assert isinstance(event, StreamDown)
                break
        await stream.close()
    return told


@pytest.mark.parametrize(
    ("data", "for_s"),
    [
        ({"data": {"serverTime": 1_659_142_907_531, "retryAfter": 1_659_142_967_531}}, 60.0),
        ({"data": {"retryAfter": 1_659_142_967_531}}, None),
        ({"data": "soon"}, None),
        ({}, None),
    ],
)
def test_a_ban_that_the_subscription_is_answered_with_is_told(
    data: dict[str, object], for_s: float | None
) -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        error = {"code": -1003, "msg": "Way too much request weight used; IP banned.", **data}
        await socket.receive_str()
        await socket.send_json({"id": "subscribe", "status": 418, "error": error})

    assert asyncio.run(refused_by(talk)) == [(418, for_s)]


@pytest.mark.parametrize(("said", "for_s"), [("30", 30.0), ("soon", None), (None, None)])
def test_a_ban_that_a_handshake_is_answered_with_is_told(
    said: str | None, for_s: float | None
) -> None:
    headers = {} if said is None else {"Retry-After": said}

    def refusal() -> web.Response:
        return web.Response(status=429, headers=headers)

    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await until_closed(socket)

    assert asyncio.run(refused_by(talk, refusal)) == [(429, for_s)]


async def garbled(socket: web.WebSocketResponse) -> None:
    await socket.send_str('{"subscriptionId": 0, "event": {"e": "executionReport"')


async def unreadable(socket: web.WebSocketResponse) -> None:
    await tell(socket, {**NEW_ORDER, "q": "NaN"})


async def terminated(socket: web.WebSocketResponse) -> None:
    await tell(socket, {"e": "eventStreamTerminated", "E": 9})


async def shutting_down(socket: web.WebSocketResponse) -> None:
    await tell(socket, {"e": "serverShutdown", "E": 9})


async def binary(socket: web.WebSocketResponse) -> None:
    await socket.send_bytes(b"\x00")


async def hanging_up(socket: web.WebSocketResponse) -> None:
    await socket.close()


@pytest.mark.parametrize(
    "misbehave", [garbled, unreadable, terminated, shutting_down, binary, hanging_up]
)
def test_a_connection_gone_bad_is_replaced_and_both_are_told(
    misbehave: Callable[[web.WebSocketResponse], Awaitable[None]],
) -> None:
    async def talk(socket: web.WebSocketResponse, number: int) -> None:
        await accept(socket)
        if number == 1:
            await misbehave(socket)
        else:
            await tell(socket, NEW_ORDER)
        await until_closed(socket)

    events = asyncio.run(collect(talk, 4))
    assert kinds(events) == [StreamUp, StreamDown, StreamUp, OrderReport]


def test_an_exchange_that_cannot_be_reached_is_down_once_and_tried_again() -> None:
    async def talk(socket: web.WebSocketResponse, number: int) -> None:
        if number <= 3:
            return
        await accept(socket)
        await until_closed(socket)

    assert kinds(asyncio.run(collect(talk, 2))) == [StreamDown, StreamUp]


def test_a_refused_subscription_is_down_with_the_exchanges_words() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        request = msgspec.json.decode(await socket.receive_str())
        error = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        await socket.send_json({"id": request["id"], "status": 401, "error": error})
        await until_closed(socket)

    (event,) = asyncio.run(collect(talk, 1))
    assert isinstance(event, StreamDown)
    assert "-2015" in event.reason


async def answers_pings(socket: web.WebSocketResponse) -> None:
    await accept(socket)
    await until_closed(socket)


async def answers_nothing(socket: web.WebSocketResponse) -> None:
    await accept(socket)
    await asyncio.sleep(10 * PATIENCE_S)


async def subscribes_nobody(socket: web.WebSocketResponse) -> None:
    await until_closed(socket)


@pytest.mark.parametrize(
    ("behave", "watch", "reason"),
    [
        (answers_pings, Watch(server_ping_s=0.2), "no ping from the server"),
        (answers_pings, Watch(silence_s=0.2), "no data"),
        (answers_pings, Watch(max_age_s=0.2), "greatest age"),
        (answers_nothing, Watch(ping_every_s=0.1), "PONG"),
        (subscribes_nobody, Watch(connect_s=0.2), "no answer to the subscription"),
    ],
)
def test_the_watchdog_finds_a_connection_that_is_open_but_dead(
    behave: Callable[[web.WebSocketResponse], Awaitable[None]], watch: Watch, reason: str
) -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await behave(socket)

    def is_found(events: list[object]) -> bool:
        down = events[-1]
        return isinstance(down, StreamDown) and reason in down.reason

    events = asyncio.run(collect(talk, is_found, watch))
    assert (StreamUp() in events) is (behave is not subscribes_nobody)


def test_pings_of_the_server_keep_a_quiet_connection_alive() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        for _ in range(8):
            await asyncio.sleep(0.2)
            await socket.ping()
        await tell(socket, NEW_ORDER)
        await until_closed(socket)

    events = asyncio.run(collect(talk, 2, Watch(server_ping_s=1.5)))
    assert kinds(events) == [StreamUp, OrderReport]


def test_closing_ends_the_reader() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        await until_closed(socket)

    async def scenario() -> None:
        async def now_ms() -> int:
            return 1_000

        async with scripted_socket(talk) as server:
            stream = UserStream(server.url, KEY, now_ms=now_ms, names=dict)
            events: AsyncIterator[object] = stream.events()
            assert isinstance(await anext(events), StreamUp)
            waiting = asyncio.ensure_future(anext(events, None))
            await asyncio.sleep(0)
            await stream.close()
            assert await asyncio.wait_for(waiting, PATIENCE_S) is None

    asyncio.run(scenario())


def test_a_cancel_is_reported_under_the_orders_own_id() -> None:
    async def talk(socket: web.WebSocketResponse, _: int) -> None:
        await accept(socket)
        cancelled = {**NEW_ORDER, "c": "cancel-1", "C": "cid-1", "x": "CANCELED", "X": "CANCELED"}
        await tell(socket, cancelled)
        await until_closed(socket)

    _, event = asyncio.run(collect(talk, 2))
    assert isinstance(event, OrderReport)
    assert (event.cid, event.state) == ("cid-1", OrderState.CANCELLED)
