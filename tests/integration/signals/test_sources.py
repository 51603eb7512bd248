"""Sources against the real thing: a file that grows, an HTTP server, callers with and without the
secret."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from holdfast.app.live.signals import Signals
from holdfast.config import Config, SignalSource, Webhooks
from holdfast.domain.event import OperatorAsked
from holdfast.domain.fact import AnyFact, CommandTaken, SignalReceived
from holdfast.errors import ConfigError
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.signals.webhook import SIGNATURE, signature
from tests.support.exchange import on_loop
from tests.support.waiting import until

SECRET = "correct horse battery staple"


class Taken:
    """A journal that keeps nothing but a fold."""

    def __init__(self) -> None:
        self.account = AccountState()
        self.facts: list[AnyFact] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def record(self, *facts: AnyFact) -> None:
        await self.gate.wait()
        for fact in facts:
            apply(self.account, self.account.seq + 1, 1, time.time_ns(), fact)
            self.facts.append(fact)

    @property
    def heard(self) -> dict[str, tuple[SignalReceived, ...]]:
        return self.account.signals

    def values(self, name: str) -> list[str]:
        return [fact.value for fact in self.heard.get(name, ())]


Said = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Log lines of one action, as they were said so far."""
    caplog.set_level("INFO")

    def of(action: str) -> list[dict[str, Any]]:
        lines = (record.msg for record in caplog.records)
        return [line for line in lines if isinstance(line, dict) and line["action"] == action]

    return of


@asynccontextmanager
async def following(taken: Taken, *sources: SignalSource, port: int = 0) -> AsyncIterator[Signals]:
    config = Config(signals=sources, webhooks=Webhooks(port=port))
    signals = Signals(config, taken.account, taken.record, lambda: time.time_ns() // 1_000_000)
    parts = [asyncio.create_task(part) for part in signals.parts()]
    try:
        yield signals
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


@on_loop
async def test_a_file_s_last_line_counts_at_the_start_and_each_new_one_after(
    tmp_path: Path, said: Said
) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text('{"value": 1}\n{"value": 2}\n')

    taken = Taken()
    source = SignalSource(name="news", file=str(path), every_s=0.1)
    async with following(taken, source):
        await until(lambda: taken.values("news") == ["2"], "history's last line")
        with path.open("a") as file:
            file.write('{"value": 3}\nnonsense\n{"value": 4}\n')
        await until(lambda: taken.values("news") == ["2", "3", "4"], "the lines that came")

    assert [line["lines"] for line in said("signal_history")] == [1]
    (refused,) = said("signal_refused")
    assert refused["why"].startswith("line 4: seen: 'nonsense'")


@on_loop
async def test_a_restart_takes_no_line_for_new_that_has_no_time(tmp_path: Path, said: Said) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text('{"value": 1}\n{"value": 2}\n')
    taken = Taken()
    source = SignalSource(name="news", file=str(path), every_s=0.1)
    async with following(taken, source):
        await until(lambda: taken.values("news") == ["2"], "the last line")
    async with following(taken, source):
        await until(lambda: len(said("signal_history")) == 2, "another look at the file")
        with path.open("a") as file:
            file.write('{"value": 2}\n')
        await until(lambda: taken.values("news") == ["2", "2"], "the same again, but said anew")


@on_loop
async def test_a_restart_takes_no_line_twice(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("known_at,value\n2024-01-01T00:00:00Z,1\n2024-01-02T00:00:00Z,2\n")

    taken = Taken()
    source = SignalSource(name="news", file=str(path), every_s=0.1)
    async with following(taken, source):
        await until(lambda: taken.values("news") == ["2"], "the last line")
    with path.open("a") as file:
        file.write("2024-01-03T00:00:00Z,3\n")
    async with following(taken, source):
        await until(lambda: taken.values("news")[1:] == ["3"], "what came meanwhile")
    async with following(taken, source):
        with path.open("a") as file:
            file.write("2024-01-04T00:00:00Z,4\n")
        await until(lambda: taken.values("news")[2:] == ["4"], "what comes now")


@on_loop
async def test_lines_wait_in_their_file_while_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    path = tmp_path / "news.jsonl"
    monkeypatch.setattr("holdfast.signals.order.MINUTE_S", 0.3)

    taken = Taken()
    source = SignalSource(name="news", file=str(path), every_s=0.1, most_per_minute=2)
    async with following(taken, source):
        await until(lambda: bool(said("signal_refused")), "a look at a file that is missing")
        path.write_text('{"value": 1}\n{"value": 2}\n{"value": 3}\n')
        await until(lambda: taken.values("news") == ["1", "2", "3"], "all, in order")
    times = [fact.received_ns for fact in taken.heard["news"]]
    assert times[2] - times[0] >= 300_000_000


async def served(answer: Callable[[web.Request], web.Response]) -> tuple[web.AppRunner, str]:
    app = web.Application()

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/"


@on_loop
async def test_an_address_is_asked_and_only_another_value_is_news(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setenv("INDEX_TOKEN", SECRET)
    answers = iter(["7", "7", "nonsense", "8"])
    asked: list[str] = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.Response(text=f'{{"data": [{{"value": {next(answers, "8")}}}]}}')

    runner, url = await served(answer)
    taken = Taken()
    source = SignalSource(
        name="index", url=url, pointer="/data/0/value", token="env:INDEX_TOKEN", every_s=0.1
    )
    async with following(taken, source):
        await until(lambda: taken.values("index") == ["7", "8"], "two values")
        await until(lambda: len(asked) > 5, "more of the same")
    await runner.cleanup()
    assert taken.values("index") == ["7", "8"]
    assert set(asked) == {f"Bearer {SECRET}"}

    (refused,) = said("signal_refused")
    assert "an answer without /data/0/value" in refused["why"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (web.Response(status=500), "seen: status 500; expected: 200"),
        (web.Response(text="[" * 100_000), "expected: a JSON object"),
        (web.Response(text=" " * 2_000_000), "more than 1,048,576 bytes"),
        (web.Response(status=302, headers={"Location": "http://elsewhere/"}), "status 302"),
    ],
    ids=["status", "nonsense", "large", "elsewhere"],
)
@on_loop
async def test_an_answer_that_is_none_is_told(
    answer: web.Response, told: str, said: Said
) -> None:
    runner, url = await served(
        lambda _: web.Response(status=answer.status, headers=answer.headers, body=answer.body)
    )
    taken = Taken()
    async with following(taken, SignalSource(name="index", url=url, every_s=0.1)):
        await until(lambda: bool(said("signal_refused")), "something is told")
    await runner.cleanup()
    assert told in said("signal_refused")[0]["why"]
    assert not taken.heard


Post = Callable[..., Awaitable[tuple[int, str]]]


@asynccontextmanager
async def hooked(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> AsyncIterator[tuple[Taken, Post]]:
    """A webhook that takes three a minute, and a way to call it."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    taken = Taken()
    source = SignalSource(name="hook", secret="env:HOOK_SECRET", most_per_minute=3)
    async with following(taken, source), ClientSession() as session:
        await until(lambda: bool(said("signals_listen")), "the door is open")
        port = said("signals_listen")[0]["port"]

        async def post(
            body: str, headers: dict[str, str] | None = None, name: str = "hook"
        ) -> tuple[int, str]:
            proof = {SIGNATURE: signature(SECRET, body.encode())}
            url = f"http://127.0.0.1:{port}/signals/{name}"
            sent = proof if headers is None else headers
            async with session.post(url, data=body, headers=sent) as answer:
                return answer.status, await answer.text()

        yield taken, post


@on_loop
async def test_who_proves_the_secret_is_heard_once(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    async with hooked(monkeypatch, said) as (taken, post):
        body = '{"value": {"side": "buy"}, "id": "42", "known_at": "2024-01-01T00:00:00Z"}'
        assert await post(body) == (200, '{"taken": true}')
        assert await post(body) == (200, '{"taken": false}')
        bearer = {"Authorization": f"Bearer {SECRET}"}
        assert await post('{"value": 2}', bearer) == (200, '{"taken": true}')
        assert taken.values("hook") == ['{"side": "buy"}', "2"]


@pytest.mark.parametrize(
    ("body", "headers", "name", "status"),
    [
        ('{"value": 1}', {}, "hook", 401),
        ('{"value": 1}', {"Authorization": "Bearer "}, "hook", 401),
        ('{"value": 1}', {SIGNATURE: signature(SECRET, b'{"value": 2}')}, "hook", 401),
        ('{"value": 1}', {SIGNATURE: "sha256=é"}, "hook", 401),
        ('{"value": 1}', None, "other", 404),
        ("nonsense", None, "hook", 400),
        ('{"value": 1, "known_at": "2999-01-01T00:00:00Z"}', None, "hook", 422),
        ('{"value": "' + "x" * 10_000 + '"}', None, "hook", 413),
    ],
    ids=["none", "empty", "other body", "no ascii", "name", "nonsense", "future", "large"],
)
@on_loop
async def test_who_does_not_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
    body: str,
    headers: dict[str, str] | None,
    name: str,
    status: int,
) -> None:
    async with hooked(monkeypatch, said) as (taken, post):
        assert (await post(body, headers, name))[0] == status
        assert not taken.heard


@on_loop
async def test_a_flood_is_refused_and_told_how_much_it_was(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    async with hooked(monkeypatch, said) as (taken, post):
        found = [(await post('{"value": 1}'))[0] for _ in range(6)]
        assert found == [200, 200, 200, 429, 429, 429]
        assert len(taken.values("hook")) == 3
        assert "seen: more than 3 in a minute" in said("signal_refused")[0]["why"]


@on_loop
async def test_without_a_journal_the_caller_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    async with hooked(monkeypatch, said) as (taken, post):
        taken.gate.clear()
        monkeypatch.setattr("holdfast.app.live.signals.JOURNAL_S", 0.2)
        assert (await post('{"value": 1}'))[0] == 503


@on_loop
async def test_a_port_that_is_taken_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setattr("holdfast.app.live.signals.LISTEN_AGAIN_S", 0.1)

    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = SignalSource(name="hook", secret="env:HOOK_SECRET")
    async with following(Taken(), source, port=port):
        await until(lambda: bool(said("signals_wait")), "it is told")
        server.close()
        await server.wait_closed()
        await until(lambda: bool(said("signals_listen")), "it is tried again")


@on_loop
async def test_a_strategy_s_signal_without_a_source_is_refused() -> None:
    async with following(Taken(), SignalSource(name="news", file="x")) as signals:
        signals.require("trend", ["news"])
        with pytest.raises(ConfigError, match="wants the signal 'mood'; expected: one of news"):
            signals.require("trend", ["news", "mood"])


@on_loop
async def test_what_came_by_the_api_is_journaled_with_the_command_that_it_came_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWS_SECRET", SECRET)
    taken = Taken()
    asked = [
        OperatorAsked(f"c{number}", "signal", "user:signal:news", {"signal": name, **told})
        for number, (name, told) in enumerate([
            ("news", {"value": "0.5", "id": "a"}), ("news", {"value": "0.5", "id": "a"}),
            ("news", {"value": "1", "id": "b", "known_at_ns": "1"}), ("olds", {"value": "1"}),
        ])
    ]  # fmt: skip
    async with following(taken, SignalSource(name="news", secret="env:NEWS_SECRET")) as signals:
        for one in asked:
            await signals.take(one)

    assert taken.values("news") == ["0.5"], "once, and nothing that was known before"
    commands = [fact for fact in taken.facts if isinstance(fact, CommandTaken)]
    assert [fact.command_id for fact in commands] == ["c0", "c1", "c2", "c3"]
    assert [bool(fact.refused) for fact in commands] == [False, False, True, True]
