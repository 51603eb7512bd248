"""Strategies that are broken stop their own bot of a real node and nothing else.

They raise, return nonsense, never return, end the process, or wish what cannot be an order; the bot
beside them trades on.
"""

from __future__ import annotations

from pathlib import Path

from holdfast.domain.fact import BotStopped, Refusal
from holdfast.domain.order import Side
from tests.support.node import STRATEGIES, BotLine, Node, until_armed, until_node
from tests.support.scene import Scene, in_a_scene, together

HEALTHY = BotLine("healthy", "ETH/USDT")
BROKEN = (
    STRATEGIES
    + '''

import ctypes
import os
import re
import time


class Raises(Strategy):
    def decide(self, now):
        raise ValueError("no such luck")


class Cancels(Strategy):
    """Raises what is no Exception."""

    def decide(self, now):
        raise KeyboardInterrupt


class ReturnsNone(Strategy):
    def decide(self, now):
        return None


class ReturnsNonsense(Strategy):
    def decide(self, now):
        return "buy low, sell high"


class Overspends(Strategy):
    """Wants more than there is."""

    def decide(self, now):
        return Target(quantity=Decimal(900))


class WantsDust(Strategy):
    """Less than the smallest order, and off the step."""

    def decide(self, now):
        return Target(quantity=Decimal("0.00001234567"))


class Loops(Strategy):
    def decide(self, now):
        while True:
            pass


class Sleeps(Strategy):
    def decide(self, now):
        time.sleep(1e6)


class Backtracks(Strategy):
    def decide(self, now):
        re.match(r"(a+)+$", "a" * 64 + "b")


class Spin:
    """An indicator that never comes back, not even from a bar of the warm-up."""

    value, ready, warmup = 0.0, True, 1

    def update(self, bar):
        while True:
            pass


class Spins(Strategy):
    def setup(self, on):
        on.bars().add(Spin())

    def decide(self, now):
        return Target(quantity=Decimal(1))


class HoldsTheLock(Strategy):
    """Blocks in C without letting any thread of the process run."""

    def decide(self, now):
        ctypes.PyDLL(None).sleep(1000)


class Exits(Strategy):
    def decide(self, now):
        os._exit(0)


class Raises1(Exits):
    def decide(self, now):
        os._exit(1)
'''
)


def _stopped(node: Node) -> dict[str, str]:
    """Bots that failed, with the reason."""
    return {
        record.fact.bot: record.fact.reason
        for record in node.records()
        if isinstance(record.fact, BotStopped) and record.fact.failed
    }


def _sides(node: Node, bot: str) -> list[Side]:
    return [attempt.spec.side for attempt in node.armed() if attempt.bot == bot]


async def _fails_alone(at: Scene, strategy: str, reason: str) -> None:
    """The bot is stopped for `reason`; the one beside it trades before and after."""
    node = at.node((BotLine("broken", "BTC/USDT", strategy), HEALTHY), strategy, strategies=BROKEN)
    await node.start()
    await until_node(node, lambda: "broken" in _stopped(node), f"the end of {strategy}")
    assert reason in _stopped(node)["broken"]
    before = len(_sides(node, "healthy"))
    await until_node(
        node, lambda: len(_sides(node, "healthy")) >= before + 3, f"orders beside {strategy}"
    )
    assert _sides(node, "broken") == []
    found = await at.agreed(node)
    assert found.faults == [], found.faults
    assert await node.stop() == 0


def test_a_strategy_that_fails_stops_its_own_bot_and_nothing_else(tmp_path: Path) -> None:
    async def all_kinds(at: Scene) -> None:
        await together(
            _fails_alone(at, "Raises", "ValueError: no such luck"),
            _fails_alone(at, "Cancels", "KeyboardInterrupt"),
            _fails_alone(at, "ReturnsNone", "seen: decide returned None; expected: Target"),
            _fails_alone(at, "ReturnsNonsense", "seen: decide returned 'buy low, sell high'"),
        )

    in_a_scene(tmp_path, all_kinds)


def test_a_strategy_that_never_returns_costs_a_restart_without_its_bot(tmp_path: Path) -> None:
    async def all_kinds(at: Scene) -> None:
        await together(
            *(
                _fails_alone(at, strategy, "its strategy did not return within ")
                for strategy in ("Loops", "Sleeps", "Backtracks", "HoldsTheLock", "Spins")
            )
        )

    in_a_scene(tmp_path, all_kinds)


def test_a_strategy_that_ends_the_process_twice_is_not_asked_a_third_time(tmp_path: Path) -> None:
    async def both(at: Scene) -> None:
        await together(
            *(
                _fails_alone(at, strategy, "its process died 2 times while it decided")
                for strategy in ("Exits", "Raises1")
            )
        )

    in_a_scene(tmp_path, both)


def test_a_quarantined_bot_stays_stopped_after_a_restart_of_the_node(tmp_path: Path) -> None:
    async def run(at: Scene) -> None:
        node = at.node((BotLine("broken", "BTC/USDT", "Raises"), HEALTHY), strategies=BROKEN)
        await node.start()
        await until_node(node, lambda: "broken" in _stopped(node), "the failure")
        assert await node.stop() == 0
        before = len(node.records())
        await node.start()
        await until_armed(node, len(node.armed()) + 3)

        later = [record.fact for record in node.records()[before:]]
        assert not any(isinstance(fact, BotStopped) for fact in later)
        assert node.state().bots["broken"].failed

    in_a_scene(tmp_path, run)


def test_wishes_that_cannot_be_orders_send_nothing_and_are_refused_with_a_reason(
    tmp_path: Path,
) -> None:
    async def run(at: Scene) -> None:
        node = at.node(
            (
                BotLine("dust", "SOL/USDT", "WantsDust"),
                BotLine("greedy", "BTC/USDT", "Overspends"),
                HEALTHY,
            ),
            strategies=BROKEN,
        )
        await node.start()
        await until_node(node, lambda: len(_sides(node, "healthy")) >= 4, "a healthy bot")
        found = await at.ended_well(node)
        assert found.faults == []

        refusals = [r.fact for r in node.records() if isinstance(r.fact, Refusal)]
        assert {refusal.bot for refusal in refusals} == {"greedy"}
        assert refusals[0].seen
        assert refusals[0].limit
        assert _sides(node, "dust") == []
        assert _sides(node, "greedy") == []

    in_a_scene(tmp_path, run)
