"""Bad input to a real node: a clear message, the documented exit code, and nothing lost.

Broken strategies stop their own bot and nothing else; files, keys, ports and exchanges that are not
as they should be are named with what was seen, what was expected and what to do.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from holdfast.app.demo.audit import Kind
from holdfast.domain.fact import AttemptMoved, BotStopped, Refusal
from holdfast.domain.order import AttemptState, Side, deployment_tag
from tests.support.backups import backup, put_back
from tests.support.node import QUOTER, STRATEGIES, BotLine, Node, flips, until_armed, until_node
from tests.support.ports import reserved_port
from tests.support.pulse import SYMBOLS
from tests.support.scene import Scene, scene

HEALTHY = BotLine("healthy", "ETH/USDT")
TIMED_OUT = "TimeoutError"
FOUR = flips(SYMBOLS[1:5])  # four orders with every bar: a journal is soon there

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


async def _ends_with(node: Node, code: int, *said: str) -> None:
    """The node ends by itself with this code, after saying all of this."""
    assert await node.ended() == code, node.said()
    for text in said:
        assert text in node.said()


def _stopped(node: Node) -> dict[str, str]:
    """Bots that failed, with the reason."""
    return {
        record.fact.bot: record.fact.reason
        for record in node.records()
        if isinstance(record.fact, BotStopped) and record.fact.failed
    }


def _sides(node: Node, bot: str) -> list[Side]:
    return [attempt.spec.side for attempt in node.armed() if attempt.bot == bot]


async def _together(*works: Awaitable[None]) -> None:
    """All of them side by side; the first failure is told after all have ended."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _alone(folder: Path, work: Callable[[Scene], Awaitable[None]]) -> None:
    """Run `work` in a scene of its own."""

    async def run() -> None:
        async with scene(folder) as at:
            await work(at)

    asyncio.run(run())


# -- strategies ------------------------------------------------------------------------------------


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
        await _together(
            _fails_alone(at, "Raises", "ValueError: no such luck"),
            _fails_alone(at, "Cancels", "KeyboardInterrupt"),
            _fails_alone(at, "ReturnsNone", "seen: decide returned None; expected: Target"),
            _fails_alone(at, "ReturnsNonsense", "seen: decide returned 'buy low, sell high'"),
        )

    _alone(tmp_path, all_kinds)


def test_a_strategy_that_never_returns_costs_a_restart_without_its_bot(tmp_path: Path) -> None:
    async def all_kinds(at: Scene) -> None:
        await _together(
            *(
                _fails_alone(at, strategy, "its strategy did not return within ")
                for strategy in ("Loops", "Sleeps", "Backtracks", "HoldsTheLock", "Spins")
            )
        )

    _alone(tmp_path, all_kinds)


def test_a_strategy_that_ends_the_process_twice_is_not_asked_a_third_time(tmp_path: Path) -> None:
    async def both(at: Scene) -> None:
        await _together(
            *(
                _fails_alone(at, strategy, "its process died 2 times while it decided")
                for strategy in ("Exits", "Raises1")
            )
        )

    _alone(tmp_path, both)


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

    _alone(tmp_path, run)


# -- orders ----------------------------------------------------------------------------------------


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

    _alone(tmp_path, run)


# -- configuration, keys, ports, a second process -------------------------------------------------


def test_what_cannot_work_is_refused_before_anything_is_traded(tmp_path: Path) -> None:
    async def refused(at: Scene, name: str, bot: BotLine, *said: str) -> None:
        node = at.node((bot,), name)
        await node.start()
        await _ends_with(node, 2, "seen: ", "expected: ", *said)
        assert await at.requests(node) == [] or node.armed() == []

    async def wrong_key(at: Scene) -> None:
        node = at.node((HEALTHY,), "key")
        await node.start(environ={"NODE_SECRET": "not the secret"})
        await _ends_with(node, 2, "the exchange refuses this key", "do: check api_key")

    async def all_kinds(at: Scene) -> None:
        cross = {"fast": "50", "slow": "20"}
        await _together(
            refused(at, "unknown", BotLine("b", "DOGE/USDT"), "does not list", "DOGE/USDT"),
            refused(at, "range", BotLine("b", "BTC/USDT", "sma_cross", cross), "fast=50"),
            refused(at, "name", BotLine("b", "BTC/USDT", "sma_cross", {"fsat": "5"}), "'fsat'"),
            refused(at, "strategy", BotLine("b", "BTC/USDT", "no_such"), "'no_such'"),
            refused(at, "class", BotLine("b", "BTC/USDT", "Flop"), "no strategy 'Flop'"),
            wrong_key(at),
        )

    _alone(tmp_path, all_kinds)


def test_a_bot_that_is_gone_from_the_file_leaves_nothing_to_nobody(tmp_path: Path) -> None:
    """What rests would go on filling, and no halt would reach it."""

    async def run(at: Scene) -> None:
        node = at.node((QUOTER, HEALTHY))
        await node.start()
        await until_node(
            node, lambda: any(o.is_working for o in node.state().live.values()), "a bid that rests"
        )
        assert await node.stop() == 0
        node.configure(at.running, (HEALTHY,))
        await node.start()
        await _ends_with(
            node, 2, f"bot {QUOTER.name} in no configuration any more", QUOTER.symbol, "do: put it"
        )
        node.configure(at.running, (QUOTER, HEALTHY))
        await node.start()
        assert (await at.ended_well(node)).faults == []

    _alone(tmp_path, run)


def test_a_second_node_on_the_same_journal_stands_by(tmp_path: Path) -> None:
    async def run(at: Scene) -> None:
        node = at.node(FOUR)
        await node.start()
        await until_armed(node, 2)
        second = node.sibling("second")
        at.nodes.append(second)
        await second.start()

        await until_node(second, lambda: bool(second.logged("following")), "a standby")
        before = len(node.armed())
        await until_armed(node, before + 2)
        assert second.logged("trading") == []
        assert await second.stop() == 0
        assert (await at.ended_well(node)).faults == []

    _alone(tmp_path, run)


# -- journals --------------------------------------------------------------------------------------


async def _traded(at: Scene, name: str, bots: tuple[BotLine, ...] = FOUR) -> Node:
    """A node that has traded and was stopped; all of its journal is in the one file."""
    node = at.node(bots, name)
    await node.start()
    await until_armed(node, 3)
    assert await node.stop() == 0
    put_back(node, backup(node))
    return node


def test_a_journal_that_is_damaged_cut_or_newer_is_refused_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    def garble(node: Node) -> None:
        with node.journal.open("r+b") as file:
            file.seek(4096)
            file.write(random.Random(7).randbytes(node.journal.stat().st_size // 2))

    def cut(node: Node) -> None:
        os.truncate(node.journal, node.journal.stat().st_size // 2)

    def renew(node: Node) -> None:
        with closing(sqlite3.connect(node.journal)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.execute("UPDATE compatibility SET oldest = '9999'")
            connection.commit()

    async def refused(
        at: Scene, name: str, harm: Callable[[Node], None], code: int, *said: str
    ) -> None:
        node = await _traded(at, name)
        sent = len(await at.requests(node))
        harm(node)
        harmed = node.journal.read_bytes()
        await node.start()
        await _ends_with(node, code, "seen: ", "expected: ", *said)
        assert node.journal.read_bytes() == harmed
        assert len(await at.requests(node)) == sent

    async def all_kinds(at: Scene) -> None:
        await _together(
            refused(at, "garbled", garble, 1, "journal.db"),
            refused(at, "cut", cut, 1, "journal.db"),
            refused(at, "newer", renew, 2, "9999"),
        )

    _alone(tmp_path, all_kinds)


async def _set_back(at: Scene, name: str, bots: tuple[BotLine, ...], settings: str = "") -> Node:
    """A stopped node whose journal is an older copy than what it did at the exchange."""
    node = at.node(bots, name, settings=settings)
    await node.start()
    await until_armed(node, 4)
    assert await node.stop() == 0
    older = backup(node)
    await node.start()
    await until_armed(node, 10)
    assert await node.stop() == 0
    put_back(node, older)
    return node


def test_a_journal_behind_its_high_water_mark_is_refused(tmp_path: Path) -> None:
    async def run(at: Scene) -> None:
        node = await _set_back(at, "behind", FOUR)
        await node.start()
        await _ends_with(node, 1, "journal behind", "find the newer journal")

    _alone(tmp_path, run)


def test_a_journal_behind_the_exchange_is_refused_whatever_the_policy(tmp_path: Path) -> None:
    """Without the mark only the exchange can tell: its orders carry our tag and have no row.

    What such a journal would decide next may carry ids that were used already, so nothing is sent.
    """

    async def refused(
        at: Scene, name: str, bots: tuple[BotLine, ...], policy: str, *, is_empty: bool = False
    ) -> None:
        node = await _set_back(at, name, bots, f'reconcile = "{policy}"')
        if is_empty:
            node.lose_journal()
        for mark in node.folder.glob("*.highwater"):
            mark.unlink()
        sent = len(await _orders(at, node))
        await node.start()
        await _ends_with(node, 1, "journal behind exchange", "find the newer journal")
        assert len(await _orders(at, node)) == sent
        assert "journal behind exchange" in node.state().halted

    async def all_kinds(at: Scene) -> None:
        await _together(
            refused(at, "resting", (QUOTER,), "halt"),
            refused(at, "filled", FOUR, "halt"),
            refused(at, "adopting", FOUR, "adopt"),
            refused(at, "ignoring", FOUR, "ignore"),
            refused(at, "empty", FOUR, "ignore", is_empty=True),
        )

    _alone(tmp_path, all_kinds)


def test_after_a_journal_that_is_lost_a_new_one_goes_on_once_a_person_has_looked(
    tmp_path: Path,
) -> None:
    """As docs/on-call/disaster.md has it: another name, halted before it begins."""

    async def run(at: Scene) -> None:
        node = at.node(FOUR)
        await node.start()
        await until_armed(node, 4)
        await node.kill_all()

        node.lose_journal()
        node.config.write_text(f'deployment = "again"\n{node.config.read_text()}')
        node.command("halt", {"reason": "a new journal"})
        await node.start()
        await until_node(node, lambda: node.state().halted == "a new journal", "its halt")
        await until_node(node, lambda: bool(node.logged("order_refused")), "what bots wish")
        assert node.armed() == []
        assert node.state().holdings, "what the exchange shows is what the new one begins with"
        assert node.state().deployment != deployment_tag("holdfast")

        node.command("resume", {})
        await until_armed(node, 4)
        assert (await at.ended_well(node)).faults == []

    _alone(tmp_path, run)


def test_a_full_disk_stops_new_orders_and_loses_nothing_and_trading_goes_on_with_space(
    tmp_path: Path,
) -> None:
    """A limit on the size of its files is to the process what a full disk is."""

    async def run(at: Scene) -> None:
        node = at.node((*flips(SYMBOLS[1:4]), QUOTER))
        await node.start()
        await until_armed(node, 8)
        child = node.child_pid()
        wal = node.journal.with_name("journal.db-wal")
        _, hard = resource.prlimit(child, resource.RLIMIT_FSIZE)
        resource.prlimit(child, resource.RLIMIT_FSIZE, (wal.stat().st_size + 1, hard))
        # What finds it full is the next order, or the news of orders that were on their way.
        await until_node(
            node,
            lambda: bool(node.logged("arm_failed") or node.logged("record_wait")),
            "a journal that takes nothing",
        )
        before = len(node.armed())
        await asyncio.sleep(2.5)  # bars go by
        # Nothing more was armed, and what was sent had been armed before.
        assert len(node.armed()) == before
        sent = {row["params"]["newClientOrderId"] for row in await _orders(at, node)}
        assert sent <= {attempt.cid for attempt in node.armed()}

        resource.prlimit(child, resource.RLIMIT_FSIZE, (hard, hard))
        await until_armed(node, before + 6)
        assert node.child_pid() == child, "it waited for space, it did not start again"
        assert (await at.ended_well(node)).faults == []

    _alone(tmp_path, run)


async def _orders(at: Scene, node: Node) -> list[dict[str, Any]]:
    """The node's orders as the exchange saw them."""
    return [row for row in await at.requests(node) if row["method"] == "POST"]


# -- the exchange, and the end ---------------------------------------------------------------------


def test_an_exchange_that_is_down_is_waited_for_at_the_start_and_in_the_middle(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "exchange"

    async def run(port: int) -> None:
        async with scene(tmp_path, port=port, seed=3, state_dir=kept) as at:
            node = at.node((*flips(SYMBOLS[1:3]), QUOTER))
        await node.start()
        try:
            await until_node(node, lambda: bool(node.logged("start_wait")), "a node that waits")
            async with scene(tmp_path, port=port, seed=3, state_dir=kept) as at:
                await until_armed(node, 6)
            before = len(node.armed())
            await asyncio.sleep(4)
            async with scene(tmp_path, port=port, seed=3, state_dir=kept) as at:
                await until_armed(node, before + 6)
                found = await at.ended_well(node)
        finally:
            await node.end()
        assert found.faults == []

    with reserved_port() as port:
        asyncio.run(run(port))


def test_sigterm_in_the_middle_of_an_order_lets_it_finish_and_sends_no_other(
    tmp_path: Path,
) -> None:
    async def run(at: Scene) -> None:
        node = at.node(flips(SYMBOLS[:4]))
        await node.start()
        await until_armed(node, 4)
        await at.fault("delay_reply", method="POST", delay_ms=400)
        sent = len(await _orders(at, node))
        while len(await _orders(at, node)) == sent:
            await asyncio.sleep(0.01)
        assert await node.stop() == 0

        stopping = next(line for line in node.logged("stopping") if line["process"] == "main")
        stopped_ms = datetime.fromisoformat(stopping["timestamp"]).timestamp() * 1000
        signed_ms = [int(row["params"]["timestamp"]) for row in await _orders(at, node)]
        assert max(signed_ms) <= stopped_ms
        # The reply was waited for, and not in vain: nothing is left without an outcome, and what
        # was not sent is known.
        assert not node.logged("close_hung")
        assert AttemptState.ARMED not in {order.state for order in node.state().live.values()}
        # What the machine was too slow for is settled by the next start: an order that came late,
        # or a reply that was waited for to the end of its time.
        moves = [r.fact for r in node.records() if isinstance(r.fact, AttemptMoved)]
        late = {m.cid for m in moves if m.state is AttemptState.REJECTED or m.code == TIMED_OUT}
        found = (await at.judge(node)).faults
        if not late:
            assert found == []
            return
        # Missing are late ones alone, with the amounts that they moved, until the next start.
        excused = (f"{Kind.DIFFERENCE}: ", *(f"{Kind.LOST}: {cid}: " for cid in late),
                   *(f"attempt {cid} is " for cid in late))  # fmt: skip
        assert [fault for fault in found if not fault.startswith(excused)] == []
        await node.start()
        assert (await at.ended_well(node)).faults == []

    _alone(tmp_path, run)
