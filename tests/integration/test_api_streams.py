"""Streams over a real server: who is let in, what ends one, and a thousand that hear the same."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from holdfast.api import streams as streams_module
from holdfast.api.build import Terms, build
from holdfast.api.ports import Frame, Ports, Rate
from holdfast.api.rates import MemoryRates
from holdfast.app.view.feeds import ViewFeeds
from holdfast.app.view.model import Model
from holdfast.app.view.prices import Seen
from holdfast.config import Config
from holdfast.errors import RetryableError
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.identity.values import Grant, Principal, Role, UnauthenticatedError
from tests.support.exchange import on_loop
from tests.support.report_stream import ACCOUNT, opening, trade, write
from tests.support.waiting import PATIENCE_S, until

PLENTY = Rate(1_000_000, 60.0)
OF_FIRST = list(range(5, 13))
"""Records of the first trade that are about orders; then comes a mark."""


def person(name: str, role: Role, *grants: Grant) -> Principal:
    return Principal(user_id=name, name=name, role=role, scopes=role.scopes, grants=grants)


class Tokens:
    """Identity, as far as a stream asks: who bears which token."""

    def __init__(self) -> None:
        self.good = {
            "ada": person("ada", Role.ADMIN),
            "vera": person("vera", Role.VIEWER, Grant(ACCOUNT)),
            "bea": person("bea", Role.TRADER, Grant("other")),
        }
        self.lost = 0

    async def losses(self) -> int:
        return self.lost

    async def authenticate(self, bearer: str) -> Principal:
        if bearer not in self.good:
            raise UnauthenticatedError("bad_token", "seen: no such token")
        return self.good[bearer]


class Site:
    """An API with a journal behind it."""

    def __init__(
        self, url: str, model: Model, feeds: ViewFeeds, tokens: Tokens, ports: Ports
    ) -> None:
        self.url = url
        self.ports = ports
        self.model = model
        self.feeds = feeds
        self.tokens = tokens
        self.database = SqliteDatabase(Path(str(model.config.database_url.removeprefix("sqlite:///"))))

    async def write(self, number: int) -> None:
        await asyncio.to_thread(write, self.database, trade(number))


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    journal = SqliteDatabase(folder / "journal.db")
    await asyncio.to_thread(write, journal, [opening()])
    config = Config(database_url=f"sqlite:///{journal.name}")
    model, tokens = Model(config, journal), Tokens()
    feeds = ViewFeeds(model, journal)
    nothing: Any = None
    ports = Ports(
        identity=tokens, audit=nothing, requests=nothing, reads=nothing, feeds=feeds,  # type: ignore[arg-type]
        commands=nothing, exchange_accounts=nothing, signals=nothing, jobs=nothing,
        notifications=nothing,
        rates=MemoryRates(), settings=nothing, database=nothing,
    )  # fmt: skip
    api = build(ports, Terms(by_user=PLENTY, by_address=PLENTY, folder=folder))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server: Any = Server(
        api.app, "127.0.0.1", port, interface=Interfaces.ASGINL, http=HTTPModes.http1,
        websockets=True, backpressure=16_384, backlog=4096,
    )  # fmt: skip
    parts = [
        asyncio.create_task(each)
        for each in (server.serve(), model.journals.run(), feeds.run())
    ]
    made = Site(f"http://127.0.0.1:{port}", model, feeds, tokens, ports)
    try:
        accounts = model.journals.accounts
        is_read = lambda: any(each.is_whole for each in accounts.values())  # noqa: E731
        await until(is_read, "the journal is followed", every_s=0.01)
        await _answers(made.url)
        yield made
    finally:
        server.stop()
        for part in parts[1:]:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


async def _answers(url: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{url}/livez"):
                    return
            except aiohttp.ClientError:
                assert time.monotonic() < deadline_s
                await asyncio.sleep(0.05)


async def heard(ws: aiohttp.ClientWebSocketResponse, *topics: str) -> dict[str, Any]:
    """The next message of one of these topics."""
    while True:
        message = await ws.receive(PATIENCE_S)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, ws.close_code)
        found: dict[str, Any] = msgspec.json.decode(message.data)
        if found["topic"] in topics:
            return found


async def events_to(ws: aiohttp.ClientWebSocketResponse, seq: int) -> list[int]:
    """The events of orders up to a record: a trade's may come in several messages."""
    found: list[int] = []
    while not found or found[-1] < seq:
        found += [event["seq"] for event in (await heard(ws, "orders"))["events"]]
    return found


async def closed(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code with which it is closed."""
    async for _ in ws:
        pass
    return ws.close_code


def hello(token: str, *topics: str, **more: Any) -> str:
    said = {"type": "auth", "token": token, **({"topics": topics} if topics else {}), **more}
    return msgspec.json.encode(said).decode()


@on_loop
async def test_a_socket_resumes_where_it_was(tmp_path: Path) -> None:
    async with site(tmp_path) as made, aiohttp.ClientSession(made.url) as http:
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(hello("vera", "orders"))
            assert (await heard(ws, "ready"))["positions"] == {ACCOUNT: 4}
            await made.write(1)
            assert await events_to(ws, 12) == OF_FIRST
        await made.write(2)
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(hello("vera", "orders", after={ACCOUNT: 8}))
            assert await events_to(ws, 21) == [9, 10, 11, 12, *(seq + 9 for seq in OF_FIRST)]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("{", 4400),
        ('{"type":"auth"}', 4400),
        ('{"type":"auth","token":"vera","topics":["everything"]}', 4400),
        ('{"type":"auth","token":"vera","after":{"main":-1}}', 4400),
        ('{"type":"auth","token":"vera","more":1}', 4400),
        ('{"type":"hello","token":"vera"}', 4400),
        ('{"type":"auth","token":"nobody"}', 4401),
        ('{"type":"auth","token":"' + "x" * 9000 + '"}', 4413),
    ],
)
@on_loop
async def test_who_does_not_prove_himself_is_shown_out(
    tmp_path: Path, said: str, code: int
) -> None:
    async with site(tmp_path) as made, aiohttp.ClientSession(made.url) as http:
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(said)
            assert await closed(ws) == code
        assert made.feeds.readers == 0


@on_loop
async def test_who_says_nothing_is_shown_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "PROVE_S", 0.1)
    async with (
        site(tmp_path) as made,
        aiohttp.ClientSession(made.url) as http,
        http.ws_connect("/api/v1/stream") as ws,
    ):
        assert await closed(ws) == 4408


@on_loop
async def test_a_token_that_is_revoked_ends_its_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "PROVE_AGAIN_S", 0.1)
    async with site(tmp_path) as made, aiohttp.ClientSession(made.url) as http:
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(hello("vera"))
            await heard(ws, "ready")
            await ws.send_str(hello("vera"))  # the next token of the same session
            await asyncio.sleep(0.3)
            assert not ws.closed
            del made.tokens.good["vera"]
            assert await closed(ws) == 4401
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(hello("bea"))
            await heard(ws, "ready")
            made.tokens.good["bea"] = person("bea", Role.TRADER, Grant(ACCOUNT))
            assert await closed(ws) == 4409, "what he may see has changed"


@on_loop
async def test_who_is_shut_out_hears_nothing_more_after_a_second(tmp_path: Path) -> None:
    """Both kinds of streams; who is not concerned goes on."""
    async with (
        site(tmp_path) as made,
        aiohttp.ClientSession(made.url) as http,
        http.ws_connect("/api/v1/stream") as ws,
        http.ws_connect("/api/v1/stream") as other,
        http.get("/api/v1/events", headers={"Authorization": "Bearer vera"}) as events,
    ):
        for each, who in ((ws, "vera"), (other, "ada")):
            await each.send_str(hello(who))
            await heard(each, "ready")
        await _event(events)
        await asyncio.sleep(2 * streams_module.HEAR_S)  # the first look is over
        del made.tokens.good["vera"]
        made.tokens.lost += 1
        shut_out_s = time.monotonic()
        assert await closed(ws) == 4401
        assert time.monotonic() - shut_out_s < streams_module.PROVE_AGAIN_S / 2
        await made.write(1)
        while (last := await _event(events))["event"] != "bye":
            assert time.monotonic() - shut_out_s < streams_module.PROVE_AGAIN_S / 2
        assert msgspec.json.decode(last["data"])["code"] == 4401
        assert not other.closed
        await made.write(2)
        await heard(other, "orders")


@on_loop
async def test_who_takes_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "SEND_S", 0.05)
    monkeypatch.setattr(streams_module, "LOOK_S", 0.01)
    words = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": hello("vera")}]
    sent: list[Any] = []

    async def receive() -> Any:
        if words:
            return words.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()

    async with site(tmp_path) as made:
        streams = streams_module.Streams(made.ports)
        async with asyncio.timeout(PATIENCE_S):
            await streams.serve(receive, send)
        assert [each["type"] for each in sent] == [
            "websocket.accept", "websocket.send", "websocket.close",
        ]  # fmt: skip
        assert sent[-1]["code"] == 4430
        assert (streams.count, made.feeds.readers) == (0, 0)


@on_loop
async def test_one_more_than_there_may_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "MOST_OF_ONE", 2)
    async with site(tmp_path) as made, aiohttp.ClientSession(made.url) as http:
        sockets = [await http.ws_connect("/api/v1/stream") for _ in range(3)]
        for ws in sockets[:2]:
            await ws.send_str(hello("vera"))
            await heard(ws, "ready")
        await sockets[2].send_str(hello("vera"))
        assert await closed(sockets[2]) == 4429
        await sockets[0].close()
        await until(lambda: made.feeds.readers == 1, "one has left", every_s=0.01)
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(hello("vera"))
            await heard(ws, "ready")
        await sockets[1].close()


@on_loop
async def test_who_comes_while_journals_are_read_is_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(*_: Any) -> AsyncGenerator[Frame, None]:
        nothing: list[Frame] = []
        for frame in nothing:
            yield frame
        raise RetryableError("seen: journals that are still being read")

    async with site(tmp_path) as made, aiohttp.ClientSession(made.url) as http:
        monkeypatch.setattr(made.feeds, "subscribe", refuses)
        async with http.ws_connect("/api/v1/stream") as ws:
            await ws.send_str(hello("vera"))
            assert await closed(ws) == 4503
        vera = {"Authorization": "Bearer vera"}
        async with http.get("/api/v1/events", headers=vera) as events:
            bye = await _event(events)
        assert (bye["event"], msgspec.json.decode(bye["data"])["code"]) == ("bye", 4503)


def test_an_id_follows_a_reset_to_a_shorter_history() -> None:
    positions = {ACCOUNT: 130}
    reset = streams_module._event(Frame("reset", ACCOUNT, 7, b"{}"), positions)
    assert reset.startswith(b"id: main:7\n")
    later = streams_module._event(Frame("orders", ACCOUNT, 9, b"{}"), positions)
    assert later.startswith(b"id: main:9\n")


@on_loop
async def test_events_are_served_over_http_and_resume_by_their_id(tmp_path: Path) -> None:
    async with site(tmp_path) as made, aiohttp.ClientSession(made.url) as http:
        refused = await http.get("/api/v1/events", headers={"Authorization": "Bearer nobody"})
        assert refused.status == 401
        vera = {"Authorization": "Bearer vera"}
        wrong = await http.get("/api/v1/events?topics=everything", headers=vera)
        assert wrong.status == 422
        async with http.get("/api/v1/events?topics=orders", headers=vera) as events:
            assert events.headers["Content-Type"].startswith("text/event-stream")
            assert (await _event(events))["event"] == "ready"
            await made.write(1)
            last = await _event(events)
            while last["id"] != f"{ACCOUNT}:12":
                assert last["event"] == "orders"
                last = await _event(events)
        await made.write(2)
        resumed = {**vera, "Last-Event-ID": last["id"]}
        async with http.get("/api/v1/events?topics=orders", headers=resumed) as events:
            await _event(events)
            again = await _event(events)
        assert msgspec.json.decode(again["data"])["events"][0]["seq"] == 14
        await until(lambda: made.feeds.readers == 0, "both have left", every_s=0.01)


async def _event(response: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event that has data."""
    while True:
        block = (await response.content.readuntil(b"\n\n")).decode()
        found = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "data" in found:
            return found


@on_loop
async def test_a_thousand_sockets_hear_every_order_and_fresh_prices(tmp_path: Path) -> None:
    """All of them, in order, nothing twice; what it costs is printed by `-s`."""
    count = 1000
    connector = aiohttp.TCPConnector(limit=0)
    async with site(tmp_path) as made, aiohttp.ClientSession(made.url, connector=connector) as http:
        sockets = []
        for _ in range(count):
            sockets.append(await http.ws_connect("/api/v1/stream"))
            await sockets[-1].send_str(hello("vera", "orders", "prices"))  # who waits is sent away
        for ws in sockets:
            await heard(ws, "ready")
        began_s, cpu_s = time.monotonic(), time.process_time()
        await made.write(1)
        found = await asyncio.gather(*(events_to(ws, 12) for ws in sockets))
        took_s, cost_s = time.monotonic() - began_s, time.process_time() - cpu_s
        print(f"{count} sockets: an order's events after {took_s:.2f} s, CPU {cost_s:.2f} s")
        assert all(each == OF_FIRST for each in found)
        made.model.last["BTC/USDT"] = Seen(Decimal(50_000), time.time_ns(), time.monotonic())
        for ws in sockets:
            while not (prices := (await heard(ws, "prices"))["prices"]):
                pass
            assert (prices[0]["symbol"], prices[0]["price"]) == ("BTC/USDT", "50000")
        await asyncio.gather(*(ws.close() for ws in sockets))
        await until(lambda: made.feeds.readers == 0, "all have left", every_s=0.05)
