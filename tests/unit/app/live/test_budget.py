"""A strategy that takes too long is told of, and stopped when it does it again and again."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from holdfast.app.live.budget import MOST_IN_A_ROW, Budget
from holdfast.engine.bot import BotRuntime
from holdfast.strategy import FLAT, Strategy, Target, View, Wish
from tests.support.engine_world import FREE_LIMITS, World, bot


class Slow(Strategy):
    """Takes as long as the test says, by a clock of the test."""

    times_s: list[float] = msgspec.field(default_factory=list)

    def setup(self, on: object) -> None:
        self.clock = [0.0]

    def decide(self, now: View) -> Wish:
        self.clock[0] += self.times_s.pop(0) if self.times_s else 0.0
        return FLAT


def world(times_s: list[float]) -> tuple[World, Budget]:
    strategy = Slow(times_s=times_s)
    budget = Budget("slow", 0.1, lambda: strategy.clock[0])
    runtime = BotRuntime(
        "slow", strategy, symbols=("BTC/USDT",), timeframe_s=60, limits=FREE_LIMITS, ask=budget.ask
    )
    return World(runtime, bot("other")), budget


def closes(made: World, count: int) -> Iterator[str]:
    """Why the bot has failed after each of so many bars; empty while it runs."""
    for _ in range(count):
        made.bar()
        made.settle()
        yield made.account.bots["slow"].failed


def test_now_and_then_is_told_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    made, budget = world([*[0.2] * (MOST_IN_A_ROW - 1), 0.05] * 3)
    assert not any(closes(made, 3 * MOST_IN_A_ROW))
    assert budget.overruns == 3 * (MOST_IN_A_ROW - 1)
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert [(line["action"], line["bot"], line["took"], line["budget"]) for line in told] == [
        ("decide_slow", "slow", "200 ms", "100 ms")
    ], "a flood of them is told once in ten seconds"


def test_again_and_again_stops_the_bot_and_no_other() -> None:
    made, _ = world([0.25] * MOST_IN_A_ROW)
    made.wish(Target(quantity=Decimal(1)), "other")
    *before, last = closes(made, MOST_IN_A_ROW)
    assert not any(before)
    assert "seen: decide took 250 ms, and more than 100 ms 10 times in a row" in last
    assert "decide_budget_ms" in last
    assert made.held("other") == 1
