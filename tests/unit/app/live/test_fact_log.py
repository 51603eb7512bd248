"""What the log tells of orders: the words that people look for, made of facts alone."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from typing import Any

import pytest

from holdfast.app.live.fact_log import FactLog
from holdfast.app.live.observers import Observers
from holdfast.domain.action import Approved, Arm, Proposed
from holdfast.domain.event import Committed
from holdfast.domain.fact import AnyFact, BreakerMoved, BreakerState, CommandTaken
from holdfast.domain.order import OrderSpec, OrderType, Side
from holdfast.execution.passage import Passage
from holdfast.telemetry import log
from holdfast.telemetry.context import bind, bound
from holdfast.venues.port import Answer, Placement, Verdict
from tests.support.execution_world import ExecutionWorld, fill, report, world


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    made = io.StringIO()
    log.configure("info", stream=made)
    yield made
    root.handlers[:], root.level = before, level


def lines(stream: io.StringIO, action: str) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [line for line in told if line.get("action") == action]


async def watched() -> ExecutionWorld:
    made = await world()
    observers = Observers(FactLog(made.account, lambda bot: f"strategy of {bot}"))
    made.desk._watch, made.desk._mono_ns = observers, time.monotonic_ns
    take = made.recorder._on_committed

    def committed(event: Committed) -> None:
        take(event)
        observers.committed(event)

    made.recorder._on_committed = committed
    return made


def wanted(number: int) -> Arm:
    spec = OrderSpec(
        symbol="BTC/USDT", side=Side.BUY, type=OrderType.MARKET, quantity=Decimal("0.5")
    )
    order = Proposed(
        bot="trend", intent_id=f"00000000-0000-5000-8000-{number:012d}", n=1, leg="BTC/USDT",
        seq=0, decision=0, spec=spec, reduces=False, price=Decimal(100),
    )  # fmt: skip
    return Arm(None, (Approved(order, "USDT", Decimal(50)),))


async def sent(made: ExecutionWorld) -> None:
    made.desk.arm(wanted(1))
    await asyncio.gather(*made.desk._tasks)
    await made.drain()


@awaited
async def test_an_order_that_is_taken_is_told_with_what_it_was_and_how_long_it_took(
    stream: io.StringIO,
) -> None:
    made = await watched()

    async def take(placement: Placement) -> Verdict:
        await asyncio.sleep(0.01)
        told = report(made.account.live[placement.cid].armed, fills=(fill(7),))
        return Verdict(answer=Answer.ACKED, report=told)

    made.venue.on_place = take
    await sent(made)
    (placed,) = lines(stream, "order_placed")
    assert 10 <= placed["execution_time_ms"] < 10_000
    (cid,) = made.venue.placed
    assert {name: placed[name] for name in (
        "symbol", "side", "quantity", "price", "order_id", "strategy", "bot", "order", "intent",
    )} == {
        "symbol": "BTC/USDT", "side": "BUY", "quantity": "0.5", "price": None, "order_id": "7",
        "strategy": "strategy of trend", "bot": "trend", "order": cid,
        "intent": "00000000-0000-5000-8000-000000000001",
    }  # fmt: skip
    (filled,) = lines(stream, "order_filled")
    assert (filled["order"], filled["quantity"], filled["trade_id"]) == (cid, "1", "7")


@awaited
async def test_an_id_that_the_exchange_has_already_is_told_and_in_doubt(
    stream: io.StringIO,
) -> None:
    made = await watched()

    async def known(_placement: Placement) -> Verdict:
        return Verdict(answer=Answer.EXISTS, code="-2010", evidence="Duplicate order sent.")

    made.venue.on_place = known
    await sent(made)
    (exists,) = lines(stream, "order_already_exists")
    (doubt,) = lines(stream, "order_in_doubt")
    assert exists["order"] == doubt["order"] == made.venue.placed[0]
    assert lines(stream, "order_placed") == []


@awaited
async def test_an_order_of_an_earlier_process_is_told_by_the_clock_of_the_journal(
    stream: io.StringIO,
) -> None:
    made = await watched()
    doubted = await made.doubt(3)
    made.venue.orders[doubted.armed.cid] = report(doubted.armed)
    await made.resolver.settle("BTC/USDT")
    (placed,) = lines(stream, "order_placed")
    assert placed["execution_time_ms"] >= 0


@pytest.mark.parametrize("state", list(BreakerState))
@awaited
async def test_a_breaker_says_each_of_its_states(state: BreakerState, stream: io.StringIO) -> None:
    made = await watched()
    await made.recorder.record(BreakerMoved(venue="binance", endpoint="order", state=state))
    (told,) = lines(stream, f"circuit_breaker_{state.value}")
    assert told["endpoint"] == "order"


@awaited
async def test_a_command_is_an_audit_event_with_its_outcome(stream: io.StringIO) -> None:
    made = await watched()
    await made.recorder.record(
        CommandTaken(command_id="c1", name="halt", by="user:ada"),
        CommandTaken(command_id="c2", name="drain", by="user:ada", refused="no such bot"),
    )
    told = [(e["what"], e["by"], e["outcome"]) for e in lines(stream, "audit_event")]
    assert told == [("halt", "user:ada", "done"), ("drain", "user:ada", "no such bot")]


class Broken:
    """Raises once, and would again."""

    times = 0

    def committed(self, event: Committed) -> None:
        self.times += 1
        raise ValueError(event)

    def leaving(self, passage: Passage) -> None:
        raise ValueError(passage)

    passed = leaving


def test_an_observer_that_fails_is_left_out_and_the_others_go_on(stream: io.StringIO) -> None:
    class Counts(Broken):
        def committed(self, event: Committed) -> None:
            self.times += 1

    broken, counts = Broken(), Counts()
    observers = Observers(broken, counts)
    fact: AnyFact = BreakerMoved(venue="x", endpoint="order", state=BreakerState.OPEN)
    for seq in range(3):
        observers.committed(Committed(seq, 0, fact))
    assert (broken.times, counts.times) == (1, 3)
    (told,) = lines(stream, "observer_failed")
    assert told["observer"] == "Broken"


@awaited
async def test_what_is_bound_shows_in_tasks_that_went_on_before_it_changed(
    stream: io.StringIO,
) -> None:
    speak, spoken = asyncio.Event(), log.get_logger("x")

    async def waits() -> None:
        await speak.wait()
        spoken.info("hello", action="hello")

    with bound(account="main", epoch=None) as ids:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        ids["epoch"] = 3
        speak.set()
        await task
    spoken.info("outside", action="outside")
    assert [lines(stream, name)[0].get("epoch") for name in ("hello", "outside")] == [3, None]


@awaited
async def test_the_nearest_id_wins_and_the_callers_own_before_it(stream: io.StringIO) -> None:
    spoken = log.get_logger("x")
    with bound(order="far"):
        bind(order="near")
        spoken.info("hello", action="near")
        spoken.info("hello", action="own", order="own")
    assert [lines(stream, name)[0]["order"] for name in ("near", "own")] == ["near", "own"]
