"""People are told what is theirs, once and in time, by real stores and a real webhook."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.notify.numbers import NotifyNumbers
from holdfast.domain.fact import BotStopped, Halted, HaltLevel, Resumed
from holdfast.errors import FencedError
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import Kind
from holdfast.telemetry.log import configure
from holdfast.telemetry.meter import Meter
from tests.support.notify_world import TOKEN, World, fill, world
from tests.support.platform_stores import KINDS
from tests.support.waiting import PATIENCE_S

Scenario = Callable[[World], Awaitable[None]]
HALT = Halted(level=HaltLevel.ENTRIES, reason="tried", by="tom")


@pytest.fixture
def kind() -> str:
    """Of the store, where a test does not ask for each."""
    return "sqlite"


@pytest.fixture
def play(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a scenario in a world over a store of this kind."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def inside() -> None:
            async with world(kind, tmp_path, monkeypatch, **options) as made:
                await scenario(made)

        asyncio.run(inside())

    return run


each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_everybody_hears_what_is_his_and_what_he_asked_for(play: Callable[..., None]) -> None:
    async def scenario(made: World) -> None:
        await made.write("main", fill(1, value="999"))  # before anybody was told anything
        await made.add("tom", "all", "a")
        await made.add("tom", "large", "b", kinds=frozenset({Kind.FILL}), least=Decimal(500))
        await made.add("bea", "hers", "c")
        await made.add("cut", "one-bot", "d")
        await made.add("ada", "halts", "e", kinds=frozenset({Kind.HALT}))
        a, b, c, d, e = (made.hooks[name] for name in "abcde")
        async with made.telling():
            await made.until(lambda: made.told_upto("main") > 0, "the place where telling begins")
            await made.write("main", fill(2), fill(3, "grid", "700"), HALT, Resumed(by="tom"))
            await made.write("other", fill(4, "grid", "900"))
            await made.until(lambda: "was resumed" in a.said, "tom hears all")
            await made.until(lambda: "at 700" in b.said, "and what is large")
            await made.until(lambda: "other/grid: Bought" in c.said, "bea hears of her account")
            await made.until(lambda: "main/cross: Bought" in d.said, "a bot's owner of his bot")
            await made.until(lambda: "was halted" in e.said, "the admin of halts alone")
        assert a.said.count("main/cross: Bought 1 BTC/USDT at 100") == 1
        assert "999" not in a.said
        assert a.said.count("was halted (entries) by tom: tried") == 1
        assert "at 100" not in b.said
        assert "main" not in c.said
        assert "grid" not in d.said
        assert "halted" not in d.said, "the account is not his"
        assert "Bought" not in e.said
        assert (await made.subscription("tom", "all")).sent == 4

    play(scenario, hooks=tuple("abcde"))


def test_who_goes_on_tells_what_happened_meanwhile_and_nothing_twice(
    play: Callable[..., None],
) -> None:
    async def scenario(made: World) -> None:
        await made.add("tom", "all")
        hook = made.hooks["hook"]
        async with made.telling():
            await made.until(lambda: made.told_upto("main") > 0, "it began")
            await made.write("main", fill(1, value="101"))
            await made.until(lambda: "at 101" in hook.said, "the first")
        await made.write("main", fill(2, value="102"))
        async with made.telling():
            await made.until(lambda: "at 102" in hook.said, "what happened while nobody told")
        assert hook.said.count("at 101") == 1
        assert "may have come before" not in hook.said

    play(scenario)


@each_kind
def test_a_message_that_was_on_its_way_comes_again_and_says_so(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.operations.notify.deliver.STOP_S", 0.0)

    async def scenario(made: World) -> None:
        to = await made.add("tom", "all")
        hook = made.hooks["hook"]
        async with made.telling():
            await made.until(lambda: made.told_upto("main") > 0, "it began")
            hook.hold.clear()  # taken, and not answered
            await made.write("main", HALT)
            await made.until(lambda: len(hook.taken) == 1, "it is on its way")
            waiting = made.store.look(lambda look: rows.messages(look, to.subscription_id))
            assert [one.was_tried for one in waiting] == [True]
        hook.hold.set()
        async with made.telling():
            await made.until(lambda: len(hook.taken) == 2, "it came again")
        assert "was halted" in hook.taken[1]["message"]
        assert "may have come before" in hook.taken[1]["message"]

    play(scenario)


def test_a_target_that_is_down_is_quiet_costs_no_notice_and_holds_up_nobody(
    play: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.operations.notify.deliver.FIRST_RETRY_S", 0.05)
    log = io.StringIO()
    configure("debug", stream=log)

    async def scenario(made: World) -> None:
        await made.add("tom", "down", "down")
        await made.add("tom", "up", "up")
        down, up = made.hooks["down"], made.hooks["up"]
        down.is_down = True
        async with made.telling():
            await made.until(lambda: made.told_upto("main") > 0, "it began")
            await made.write("main", HALT)
            await made.until(lambda: down.tries >= 3, "it is tried again")
            await made.write("main", *(fill(n) for n in range(1, 21)))
            await made.until(lambda: up.said.count("Bought") >= 5, "the other one goes on")
            failing = await made.subscription("tom", "down")
            assert failing.tries >= 2
            assert failing.failing_ns > 0
            assert failing.why == "refused, or no answer"
            down.is_down = False
            await made.until(lambda: bool(down.taken), "it comes when the target is back")
        first = down.taken[0]["message"]
        assert first.startswith("main: The account was halted"), "what is urgent comes first"
        assert "15 more fills." in first
        done = await made.subscription("tom", "down")
        assert (done.tries, done.failing_ns, done.waiting, done.sent) == (0, 0, 0, 21)
        assert log.getvalue().count('"notify_failed"') == 1
        assert TOKEN not in log.getvalue()
        assert TOKEN not in repr(made.config)

    play(scenario, hooks=("down", "up"))


def test_what_is_too_old_is_lost_counted_and_told(play: Callable[..., None]) -> None:
    async def scenario(made: World) -> None:
        to = await made.add("tom", "all")
        hook = made.hooks["hook"]
        old_ns = time.time_ns() - 25 * 3600 * 10**9

        def put_old(change: object) -> None:
            rows.put_test(change, to, old_ns)  # type: ignore[arg-type]
            rows.failed(change, to, "down", old_ns, time.time_ns() + 10**12)  # type: ignore[arg-type]

        made.store.change(put_old)
        async with made.telling():
            while (await made.subscription("tom", "all")).lost == 0:
                await asyncio.sleep(0.05)
            await made.own.test(made.who["tom"], to.subscription_id)
            await made.until(lambda: bool(hook.taken), "the next message")
        assert "1 older ones could not be delivered" in hook.said
        done = await made.subscription("tom", "all")
        assert (done.lost, done.unsaid, done.sent) == (1, 0, 1)

    play(scenario)


def test_one_of_two_tells_and_the_other_takes_over(play: Callable[..., None]) -> None:
    async def scenario(made: World) -> None:
        await made.add("tom", "all")
        hook = made.hooks["hook"]
        async with made.telling(2) as (first, second):
            await made.until(lambda: made.told_upto("main") > 0, "one began")
            await made.write("main", fill(1, value="101"))
            await made.until(lambda: "at 101" in hook.said, "it was told")
            holder = made.store.look(lambda look: look.rows("SELECT holder FROM notify_claim"))
            assert len(holder) == 1
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await made.write("main", fill(2, value="102"))
            await made.until(lambda: "at 102" in hook.said or second.done(), "the other goes on")
            assert not second.done()
        assert hook.said.count("at 101") == 1
        assert hook.said.count("at 102") == 1

    play(scenario)


@each_kind
def test_who_lost_the_claim_changes_nothing(play: Callable[..., None]) -> None:
    async def scenario(made: World) -> None:
        now_ns = 10**18
        take = made.store.change
        assert take(lambda change: rows.claim(change, "one", now_ns, now_ns + 10))
        assert not take(lambda change: rows.claim(change, "two", now_ns + 5, now_ns + 15))
        assert take(lambda change: rows.claim(change, "two", now_ns + 11, now_ns + 21))

        def late(change: object) -> None:
            rows.hold(change, "one", now_ns + 30)  # type: ignore[arg-type]
            rows.move(change, "main", 99)  # type: ignore[arg-type]

        with pytest.raises(FencedError):
            take(late)
        assert made.told_upto("main") == 0

    play(scenario)


def test_who_is_shut_out_hears_nothing_more(play: Callable[..., None]) -> None:
    async def scenario(made: World) -> None:
        await made.add("tom", "his", "tom")
        await made.add("ada", "hers", "ada")
        made.store.change(lambda change: change.run(
            "UPDATE platform_user SET disabled = 1 WHERE name = 'tom'"
        ))  # fmt: skip
        async with made.telling():
            await made.until(lambda: made.told_upto("main") > 0, "it began")
            await made.write("main", BotStopped(bot="cross", reason="raised", failed=True))
            await made.until(lambda: bool(made.hooks["ada"].taken), "somebody else hears it")
        assert made.hooks["ada"].taken[0]["title"] == "holdfast: Bot failed"
        assert made.hooks["tom"].tries == 0

    play(scenario, hooks=("tom", "ada"))


@each_kind
def test_how_it_goes_is_told_in_numbers_even_while_nobody_delivers(
    play: Callable[..., None],
) -> None:
    async def scenario(made: World) -> None:
        meter = Meter()
        numbers = NotifyNumbers(made.store, meter)
        await numbers.look()
        assert meter.collected() == {}, "nobody asked to be told"
        to = await made.add("tom", "all")
        await made.own.test(made.who["tom"], to.subscription_id)
        await numbers.look()
        found = {name: values[()] for name, values in meter.collected().items()}
        assert 0 < found.pop("notify_oldest_wait_seconds") < PATIENCE_S
        assert found == {
            "notify_serving": 0, "notify_waiting": 1, "notify_sent_total": 0,
            "notify_lost_total": 0,
        }  # fmt: skip
        async with made.telling():
            await made.until(lambda: bool(made.hooks["hook"].taken), "it is delivered")
            await numbers.look()
            assert meter.collected()["notify_serving"][()] == 1
        await numbers.look()
        found = {name: values[()] for name, values in meter.collected().items()}
        assert (found["notify_waiting"], found["notify_sent_total"]) == (0, 1)
        assert found["notify_oldest_wait_seconds"] == 0
        await made.add("ada", "all")
        await made.own.remove(made.who["tom"], to.subscription_id)
        await numbers.look()
        assert meter.collected()["notify_sent_total"][()] == 1, "a counter that fell is a new one"

    play(scenario)
