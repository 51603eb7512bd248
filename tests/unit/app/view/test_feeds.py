"""Streams: encoded once, resumed exactly, never to who may not hear; no reader holds up others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.api.ports import TOPICS, Frame, SlowReaderError
from holdfast.app.view import feeds as feeds_module
from holdfast.app.view import journals as journals_module
from holdfast.app.view.feeds import ViewFeeds
from holdfast.app.view.hub import (
    MOST_BYTES,
    WOKEN_AT_ONCE,
    Channel,
    Hub,
    Memory,
    Reader,
    Said,
    frame_of,
)
from holdfast.app.view.model import Model
from holdfast.config import Config
from holdfast.errors import CorruptionError, RetryableError
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.identity.values import Grant, Principal, Role
from tests.support.exchange import on_loop
from tests.support.report_stream import ACCOUNT, opening, trade, write

ADMIN = Principal(user_id="1", name="ada", role=Role.ADMIN, scopes=Role.ADMIN.scopes)


def viewer(*grants: Grant) -> Principal:
    return Principal(
        user_id="2", name="vera", role=Role.VIEWER, scopes=Role.VIEWER.scopes, grants=grants
    )


class World:
    """A journal that a test writes, followed by hand."""

    def __init__(self, folder: Path) -> None:
        self.database = SqliteDatabase(folder / "journal.db")
        config = Config(database_url=f"sqlite:///{self.database.name}")
        self.model = Model(config, self.database)
        self.feeds = ViewFeeds(self.model, self.database)

    @classmethod
    async def begun(cls, folder: Path) -> World:
        """With two bots and money, and followed to there."""
        made = cls(folder)
        await asyncio.to_thread(write, made.database, [opening()])
        await made.model.journals.look()
        return made

    async def write(self, number: int) -> None:
        """One more trade, nine records, and read it."""
        await asyncio.to_thread(write, self.database, trade(number))
        await self.model.journals.look()

    def listen(
        self, who: Principal, *topics: str, after: Mapping[str, int] | None = None
    ) -> AsyncGenerator[Frame, None]:
        return self.feeds.subscribe(who, topics or TOPICS, after or {})


async def taken(stream: AsyncGenerator[Frame, None], seconds: float = 0.3) -> list[dict[str, Any]]:
    """All that comes until nothing does for a moment, without how things stand."""
    found: list[dict[str, Any]] = []
    with suppress(TimeoutError, StopAsyncIteration):
        while True:
            frame = await asyncio.wait_for(anext(stream), seconds)
            found.append(msgspec.json.decode(frame.body))
    return found


async def frames(
    stream: AsyncGenerator[Frame, None], count: int, *topics: str
) -> list[dict[str, Any]]:
    """The next so many messages of some topics."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        body = msgspec.json.decode((await anext(stream)).body)
        if body["topic"] in topics:
            found.append(body)
    return found


def seqs(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    return [event["seq"] for message in messages for event in message["events"]]


@on_loop
async def test_events_come_in_order_once_and_with_the_order_as_it_is(tmp_path: Path) -> None:
    world = await World.begun(tmp_path)
    stream = world.listen(ADMIN, "orders")
    assert (await frames(stream, 1, "ready"))[0]["positions"] == {ACCOUNT: 4}
    await world.write(1)
    (message,) = await frames(stream, 1, "orders")
    kinds = [event["kind"] for event in message["events"]]
    assert kinds == [
        "armed", "attempt", "order", "filled", "armed", "attempt", "filled", "order",
    ]  # fmt: skip
    assert message["seq"] == message["events"][-1]["seq"]
    assert message["events"][0]["order"]["condition"] == "filled"
    assert message["events"][3]["fill"]["quantity"] == "0.005"
    await stream.aclose()
    assert world.feeds.readers == 0


@pytest.mark.parametrize("most", [2048, 3])
@on_loop
async def test_who_was_away_hears_exactly_what_he_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """From memory, and with a short memory from the journal."""
    monkeypatch.setattr("holdfast.app.view.feeds.Memory", lambda since: Memory(since, most))
    world = await World.begun(tmp_path)
    whole = world.listen(ADMIN, "orders", "alerts")
    await frames(whole, 1, "ready")
    for number in range(1, 5):
        await world.write(number)
    heard = await taken(whole)
    every = seqs([m for m in heard if m["topic"] == "orders"])
    assert every == sorted(set(every))
    for after in (4, 9, 13, 25, every[-1]):
        again = world.listen(ADMIN, "orders", after={ACCOUNT: after})
        messages = [m for m in await taken(again) if m["topic"] != "ready"]
        assert {m["topic"] for m in messages} <= {"orders"}
        assert seqs(messages) == [seq for seq in every if seq > after]
        await again.aclose()
    await whole.aclose()


@on_loop
async def test_who_missed_too_much_or_knows_another_history_is_told_to_look_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_module, "MOST_MISSED", 10)
    monkeypatch.setattr("holdfast.app.view.feeds.Memory", lambda since: Memory(since, 1))
    world = await World.begun(tmp_path)
    first = world.listen(ADMIN, "orders")
    await frames(first, 1, "ready")
    for number in (1, 2, 3):
        await world.write(number)
    for after in (4, 10_000):
        stream = world.listen(ADMIN, "orders", after={ACCOUNT: after})
        assert [m["topic"] for m in await taken(stream)] == ["ready", "reset"]
        await stream.aclose()
    await first.aclose()


@on_loop
async def test_nobody_is_let_in_before_the_journals_are_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    await asyncio.to_thread(write, world.database, [opening(), *trade(1)])
    with pytest.raises(RetryableError):
        await anext(world.listen(ADMIN, "orders", after={ACCOUNT: 4}))
    assert world.feeds.readers == 0
    await world.model.journals.look()
    stream = world.listen(ADMIN, "orders", after={ACCOUNT: 4})
    await world.write(2)
    heard = await taken(stream)
    assert seqs(heard[1:]) == [*range(5, 13), *range(14, 22)]
    await stream.aclose()


@on_loop
async def test_nobody_is_let_in_while_a_journal_is_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    await asyncio.to_thread(write, world.database, [opening(), *trade(1)])

    def gone(_end: object) -> None:
        raise RetryableError("seen: no answer")

    with monkeypatch.context() as patched:
        patched.setattr(world.model.journals._tail, "since", gone)
        assert not await world.model.journals.look()
    assert list(world.model.journals.accounts) == [ACCOUNT]
    with pytest.raises(RetryableError):
        await anext(world.listen(ADMIN, "orders", after={ACCOUNT: 4}))
    await world.model.journals.look()
    stream = world.listen(ADMIN, "orders", after={ACCOUNT: 4})
    assert seqs((await taken(stream))[1:]) == list(range(5, 13))
    await stream.aclose()


@on_loop
async def test_who_listens_before_an_account_is_there_looks_anew_when_it_is(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    await world.model.journals.look()  # a database that has no journal yet
    stream, of_prices = world.listen(ADMIN, "orders"), world.listen(ADMIN, "prices")
    for each in (stream, of_prices):
        assert msgspec.json.decode((await anext(each)).body)["positions"] == {}
    await asyncio.to_thread(write, world.database, [opening()])
    await world.model.journals.look()
    await world.write(1)
    reset, orders = await taken(stream)
    assert reset == {"topic": "reset", "account": ACCOUNT, "seq": 4}
    assert seqs([orders]) == list(range(5, 13))
    assert await taken(of_prices, 0.05) == []
    for each in (stream, of_prices):
        await each.aclose()


@on_loop
async def test_of_a_journal_that_is_begun_anew_nothing_old_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It contradicted itself: perhaps another copy is in its place, with another history."""
    monkeypatch.setattr(journals_module, "ANEW_S", 0.0)
    world = await World.begun(tmp_path)
    stream = world.listen(ADMIN, "orders")
    await frames(stream, 1, "ready")
    await world.write(1)
    await frames(stream, 1, "orders")

    def contradicts(_end: object) -> None:
        raise CorruptionError("seen: another hash")

    with monkeypatch.context() as patched:
        patched.setattr(world.model.journals._tail, "since", contradicts)
        await world.write(2)
    assert world.model.journals.accounts == {}
    meanwhile = world.listen(ADMIN, "orders", after={ACCOUNT: 13})
    assert (await anext(meanwhile)).topic == "ready"
    await world.model.journals.look()
    for each in (stream, meanwhile):
        assert (await anext(each)).topic == "reset"
        await each.aclose()
    old, new = (world.listen(ADMIN, "orders", after={ACCOUNT: seq}) for seq in (13, 22))
    await world.write(3)
    assert [m["topic"] for m in await taken(old)] == ["ready", "reset"]
    assert seqs((await taken(new))[1:]) == list(range(23, 31))
    for each in (old, new):
        await each.aclose()


@pytest.mark.parametrize("is_live", [True, False])
@on_loop
async def test_who_breaks_off_amid_what_came_at_once_misses_nothing(
    tmp_path: Path, is_live: bool
) -> None:
    """A batch is told in a message for each topic, and has one position."""
    world = await World.begun(tmp_path)
    stream = world.listen(ADMIN, "orders", "alerts", after={ACCOUNT: 4})
    if is_live:
        await anext(stream)
    await asyncio.to_thread(write, world.database, [*trade(1), *trade(2)])
    await world.model.journals.look()
    if not is_live:
        await stream.aclose()
        stream = world.listen(ADMIN, "orders", "alerts", after={ACCOUNT: 4})
        await anext(stream)
    first = await anext(stream)
    assert first.topic == "orders"
    await stream.aclose()
    assert msgspec.json.decode(first.body)["seq"] == first.seq
    again = world.listen(ADMIN, "orders", "alerts", after={ACCOUNT: first.seq})
    orders, alerts = (await taken(again))[1:]
    assert (seqs([alerts]), alerts["seq"]) == ([10, 19], 21)
    assert seqs([orders]) == [*range(5, 13), *range(14, 22)]
    await again.aclose()
    whole = world.listen(ADMIN, "orders", "alerts", after={ACCOUNT: alerts["seq"]})
    assert [message["topic"] for message in await taken(whole)] == ["ready"]
    await whole.aclose()


@on_loop
async def test_who_has_two_bots_and_breaks_off_between_them_misses_neither(tmp_path: Path) -> None:
    world = await World.begun(tmp_path)
    both = viewer(Grant(ACCOUNT, "one"), Grant(ACCOUNT, "two"))
    stream, of_one = world.listen(both, "orders"), world.listen(ADMIN, "orders")
    for each in (stream, of_one):
        await anext(each)
    await world.write(1)
    first, second = await anext(stream), await anext(stream)
    assert (first.seq, second.seq, (await anext(of_one)).seq) == (4, 12, 12)
    again = world.listen(both, "orders", after={ACCOUNT: first.seq})
    assert seqs((await taken(again))[1:]) == list(range(5, 13))
    for each in (stream, of_one, again):
        await each.aclose()


@on_loop
async def test_nobody_hears_of_what_is_not_his(tmp_path: Path) -> None:
    world = await World.begun(tmp_path)
    stranger = world.listen(viewer(Grant("other")))
    of_one = world.listen(viewer(Grant(ACCOUNT, "one")))
    for stream in (stranger, of_one):
        await anext(stream)
    for number in range(1, 7):
        await world.write(number)
    world.model.journals.accounts[ACCOUNT].state.halted = ""
    assert await taken(stranger) == []
    messages = await taken(of_one)
    assert {m["topic"] for m in messages} <= {"orders", "alerts", "positions"}
    bots = {event["bot"] for m in messages if "events" in m for event in m["events"]}
    assert bots == {"one"}
    missed = world.listen(viewer(Grant(ACCOUNT, "one")), after={ACCOUNT: 4})
    again = [m for m in await taken(missed) if m["topic"] in {"orders", "alerts"}]
    assert seqs([m for m in again if m["topic"] == "orders"]) == seqs(
        [m for m in messages if m["topic"] == "orders"]
    )
    for stream in (stranger, of_one, missed):
        await stream.aclose()


@on_loop
async def test_how_an_account_stands_is_told_at_once_and_when_it_changes(tmp_path: Path) -> None:
    world = await World.begun(tmp_path)
    running = asyncio.create_task(world.feeds.run())
    stream = world.listen(ADMIN, "positions", "equity")
    (equity,) = await frames(stream, 1, "equity")
    assert (equity["state"]["name"], equity["tone"]) == (ACCOUNT, "bad")
    assert equity["sentence"] == "Nobody leads main. Nothing is traded there."
    await world.write(1)
    while True:
        (message,) = await frames(stream, 1, "positions")
        if message["positions"]:
            break
    assert message["positions"][0]["quantity"] == "0.02"
    assert {bot["name"] for bot in message["bots"]} == {"one", "two"}
    late = world.listen(ADMIN, "positions")
    assert (await frames(late, 1, "positions"))[0]["positions"] == message["positions"]
    await stream.aclose()
    await late.aclose()
    running.cancel()


@on_loop
async def test_bytes_are_made_once_for_all_readers() -> None:
    hub, readers = Hub(), [Reader() for _ in range(50)]
    channel = Channel("orders", "main")
    for reader in readers:
        hub.join(reader, [channel])
    hub.send(channel, frame_of("orders", "main", [Said(1, b"{}"), Said(2, b"{}")], 2))
    bodies = {id((await reader.take())[0].body) for reader in readers}
    assert len(bodies) == 1
    assert all(reader.positions == {"main": 2} for reader in readers)


@on_loop
async def test_what_else_the_loop_has_to_do_waits_for_few_readers() -> None:
    hub, readers, heard = Hub(), [Reader() for _ in range(10 * WOKEN_AT_ONCE)], []
    channel = Channel("prices")

    async def listen(reader: Reader) -> None:
        await reader.take()
        heard.append(reader)

    for reader in readers:
        hub.join(reader, [channel])
    listening = [asyncio.create_task(listen(reader)) for reader in readers]
    await asyncio.sleep(0)
    hub.send_latest(channel, Frame("prices", "", 0, b"{}"))
    before = 0
    while len(heard) < len(readers):
        await asyncio.sleep(0)
        assert len(heard) - before <= WOKEN_AT_ONCE
        before = len(heard)
    await asyncio.gather(*listening)


@on_loop
async def test_a_slow_reader_is_let_go_and_no_other_waits() -> None:
    hub, slow, quick = Hub(), Reader(), Reader()
    channel = Channel("orders", "main")
    for reader in (slow, quick):
        hub.join(reader, [channel])
    frame = Frame("orders", "main", 1, bytes(MOST_BYTES // 4))
    for _ in range(5):
        hub.send(channel, frame)
        assert await quick.take() == [frame]
    with pytest.raises(SlowReaderError):
        await slow.take()
    hub.leave(slow)
    hub.leave(quick)
    assert len(hub) == 0


@on_loop
async def test_of_how_things_stand_a_reader_gets_only_the_newest() -> None:
    hub, reader = Hub(), Reader()
    channel = Channel("prices")
    hub.join(reader, [channel])
    for number in range(100):
        hub.send_latest(channel, Frame("prices", "", 0, b"%d" % number * 1000))
    (frame,) = await reader.take()
    assert frame.body.startswith(b"99")
    late = Reader()
    hub.join(late, [channel])
    assert await late.take() == [frame]
