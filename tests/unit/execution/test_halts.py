"""After the record of a halt, stop, quarantine or other limits nothing is armed that adds exposure
to what it stops, whatever was approved before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.action import Approved, Arm, Proposed
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotConfigured,
    BotRemoved,
    BotStarted,
    BotStopped,
    Draining,
    Halted,
    HaltLevel,
    LimitsSet,
    Quarantined,
    Released,
    Resumed,
)
from holdfast.domain.order import AttemptState, OrderSpec, OrderType, Side
from holdfast.errors import RetryableError
from holdfast.execution.breaker import Endpoint, Outcome
from holdfast.execution.entries import Entries
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group, Head, Refused
from holdfast.journal.record import Record
from holdfast.venues.port import Answer, Placement, Verdict
from tests.support.exchange import on_loop, on_virtual_loop
from tests.support.execution_world import ONE, ExecutionWorld, world


def _arm(number: int, *, side: Side = Side.BUY, bot: str = "bot") -> Arm:
    proposed = Proposed(
        bot=bot,
        intent_id=f"00000000-0000-5000-8000-{number:012d}",
        n=1,
        leg="BTC/USDT",
        seq=0,
        decision=number,
        spec=OrderSpec(symbol="BTC/USDT", side=side, type=OrderType.MARKET, quantity=ONE),
        reduces=side is Side.SELL,
        price=ONE,
    )
    return Arm(None, (Approved(proposed, "USDT", Decimal(0)),))


def _halt(bot: str = "") -> Halted:
    return Halted(level=HaltLevel.ENTRIES, reason="a test", by="ana", bot=bot)


def _quarantine(what: str) -> Quarantined:
    return Quarantined(what=what, by="reconcile", evidence="a test")


async def _world() -> ExecutionWorld:
    """An account whose orders are refused, so that none is in the way of the next."""
    at = await world()
    at.venue.on_place = _refused
    return at


async def _started() -> ExecutionWorld:
    at = await _world()
    await at.recorder.record(_start())
    return at


def _start() -> BotStarted:
    return BotStarted(bot="bot", config_version=1, config="{}", anchor_ns=0)


async def _refused(_placement: Placement) -> Verdict:
    return Verdict(answer=Answer.REJECTED, final=True)


async def _silent(_placement: Placement) -> Verdict:
    await asyncio.Event().wait()
    raise AssertionError


async def _all_told(at: ExecutionWorld, armings: int) -> None:
    while len(at.of_kind(Armed)) + len(at.failed) < armings:
        await at.drain()


@pytest.mark.parametrize(
    ("stops", "lifts"),
    [
        (_halt(), Resumed(by="ana")),
        (_halt("bot"), Resumed(by="ana", bot="bot")),
        (Draining(bot="bot", by="ana"), Draining(bot="bot", by="ana", on=False)),
    ],
)
@on_loop
async def test_an_entry_that_was_approved_before_a_halt_is_not_armed_after_it(
    stops: AnyFact, lifts: AnyFact
) -> None:
    at = await _started()
    halting = asyncio.ensure_future(at.recorder.record(stops))
    await asyncio.sleep(0)  # the halt has its place in the stream, and the fold does not know it
    assert at.account.halt("bot") is None
    at.desk.arm(_arm(1))
    at.desk.arm(_arm(2, side=Side.SELL))
    await halting
    await _all_told(at, 2)
    assert [a.spec.side for a in at.of_kind(Armed)] == [Side.SELL], "what reduces passes"
    assert [failed.reason for failed in at.failed] == ["a halt, drain or stop came before it"]
    await at.recorder.record(lifts)
    at.desk.arm(_arm(3))
    await _all_told(at, 3)
    assert len(at.of_kind(Armed)) == 2


@pytest.mark.parametrize(
    "stops",
    [
        BotStopped(bot="bot", reason="a test"),
        BotStopped(bot="bot", reason="its strategy broke", failed=True),
        BotRemoved(bot="bot", by="ana"),
    ],
)
@pytest.mark.parametrize("is_folded", [False, True])
@on_loop
async def test_an_entry_that_was_approved_before_its_bot_was_stopped_is_not_armed_after_it(
    stops: AnyFact, is_folded: bool
) -> None:
    at = await _started()
    stopping = asyncio.ensure_future(at.recorder.record(stops))
    await asyncio.sleep(0)
    if is_folded:
        await stopping
    assert at.account.bot("bot").running is not is_folded
    at.desk.arm(_arm(1))
    at.desk.arm(_arm(2, side=Side.SELL))
    await stopping
    await _all_told(at, 2)
    assert [a.spec.side for a in at.of_kind(Armed)] == [Side.SELL], "what reduces passes"
    assert [failed.reason for failed in at.failed] == ["a halt, drain or stop came before it"]
    await at.recorder.record(_start())
    at.desk.arm(_arm(3))
    await _all_told(at, 3)
    assert len(at.of_kind(Armed)) == 2


@pytest.mark.parametrize(
    "limits",
    [
        LimitsSet(limits="{}", by="ana"),
        BotConfigured(bot="bot", config_version=2, config="{}", by="ana"),
    ],
)
@pytest.mark.parametrize("is_folded", [False, True])
@on_loop
async def test_an_entry_that_was_approved_under_other_limits_is_not_armed(
    limits: AnyFact, is_folded: bool
) -> None:
    at = await _started()
    limiting = asyncio.ensure_future(at.recorder.record(limits, flush=is_folded))
    if not is_folded:
        await asyncio.sleep(0)  # they have their place in the stream
    assert not at.of_kind(type(limits)), "the risk gate does not know them yet"
    at.desk.arm(_arm(1))
    at.desk.arm(_arm(2, side=Side.SELL))
    await limiting
    await _all_told(at, 2)
    assert [a.spec.side for a in at.of_kind(Armed)] == [Side.SELL], "what reduces passes"
    assert [failed.reason for failed in at.failed] == ["other limits came before it"]
    at.desk.arm(_arm(3))
    await _all_told(at, 3)
    assert len(at.of_kind(Armed)) == 2, "approved under those in force, it goes"


@pytest.mark.parametrize("what", ["BTC/USDT", "BTC", "USDT"])
@pytest.mark.parametrize("is_folded", [False, True])
@on_loop
async def test_an_entry_that_was_approved_before_a_quarantine_is_not_armed_after_it(
    what: str, is_folded: bool
) -> None:
    at = await _world()
    stopping = asyncio.ensure_future(at.recorder.record(_quarantine(what)))
    await asyncio.sleep(0)
    if is_folded:
        await stopping
    assert bool(at.account.quarantine) is is_folded
    at.desk.arm(_arm(1))
    at.desk.arm(_arm(2, side=Side.SELL))
    await stopping
    await _all_told(at, 2)
    assert [a.spec.side for a in at.of_kind(Armed)] == [Side.SELL], "what reduces passes"
    assert [failed.reason for failed in at.failed] == ["a quarantine came before it"]
    await at.recorder.record(Released(what=what, by="ana", evidence="reviewed"))
    at.desk.arm(_arm(3))
    await _all_told(at, 3)
    assert len(at.of_kind(Armed)) == 2


@on_loop
async def test_an_entry_that_was_approved_before_a_doubt_of_its_symbol_is_not_armed_after() -> None:
    at = await _world()
    at.venue.on_place = _silent
    at.desk.arm(_arm(1))
    await _all_told(at, 1)
    (armed,) = at.of_kind(Armed)
    doubt = AttemptMoved(cid=armed.cid, state=AttemptState.IN_DOUBT, evidence="a test")
    doubting = asyncio.ensure_future(at.recorder.record(doubt))
    await asyncio.sleep(0)
    assert not at.account.live[armed.cid].in_doubt, "the fold does not know it yet"
    at.desk.arm(_arm(2))
    await doubting
    await _all_told(at, 2)
    (failed,) = at.failed
    assert failed.reason == f"attempt {armed.cid} came in doubt meanwhile"


@pytest.mark.parametrize(
    "stops",
    [
        _halt("other"),
        _quarantine("ETH"),
        _quarantine("ETH/USDT"),
        BotStopped(bot="other", reason="a test"),
        BotConfigured(bot="other", config_version=1, config="{}", by="ana"),
    ],
)
@on_loop
async def test_what_stops_another_bot_or_symbol_keeps_nothing_back(stops: AnyFact) -> None:
    at = await _world()
    halting = asyncio.ensure_future(at.recorder.record(stops))
    await asyncio.sleep(0)
    at.desk.arm(_arm(1))
    await halting
    await _all_told(at, 1)
    assert len(at.of_kind(Armed)) == 1


@on_loop
async def test_a_flood_of_entries_and_halts_arms_none_between_a_halt_and_its_end() -> None:
    at = await _world()
    told = 0
    for number in range(40):
        at.desk.arm(_arm(number))
        if number % 4 == 1:
            halting = asyncio.ensure_future(at.recorder.record(_halt()))
        if number % 4 == 3:
            await halting
            await at.recorder.record(Resumed(by="ana"))
        told += 1
        for _ in range(number % 3):
            await asyncio.sleep(0)
    await _all_told(at, told)
    is_halted, armed = False, 0
    for fact in at.facts:
        is_halted = isinstance(fact, Halted) or (is_halted and not isinstance(fact, Resumed))
        if isinstance(fact, Armed):
            armed += 1
            assert not is_halted, "exposure after the record of a halt"
    assert armed
    assert at.failed


class _Full(MemoryStore):
    """A store whose next commits are refused, and that takes time for the others.

    Attributes:
        refuses: how many.
    """

    refuses = 0

    def commit_at_once(self, *_args: object) -> None:
        return None

    async def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[tuple[Record, ...] | Refused]]:
        if self.refuses:
            self.refuses -= 1
            raise RetryableError("the disk is full")
        return await super().commit(head, groups, at_ns)


@pytest.mark.parametrize("what", ["halt", "quarantine", "doubt", "limits"])
@on_virtual_loop
async def test_what_waits_for_a_full_disk_holds_entries_back_as_well(what: str) -> None:
    """The disk has room again before it is tried again: nothing goes in between."""
    at = await world(store=(store := _Full()))
    at.venue.on_place = _refused
    await at.recorder.record(_start())
    other = await at.arm(9)
    facts: dict[str, AnyFact] = {
        "halt": _halt(),
        "quarantine": _quarantine("BTC/USDT"),
        "limits": LimitsSet(limits="", by="ana"),
        "doubt": AttemptMoved(cid=other.cid, state=AttemptState.IN_DOUBT),
    }
    store.refuses = 7
    waiting = asyncio.ensure_future(at.recorder.record(facts[what]))
    while store.refuses:
        await asyncio.sleep(0.05)
    at.desk.arm(_arm(1))
    await _all_told(at, 2)
    assert not waiting.done()
    assert len(at.failed) == 1
    await waiting
    assert not at.venue.placed


@on_loop
async def test_a_quarantine_of_one_symbol_lets_no_other_pass_what_else_holds_it_back() -> None:
    at = await _started()
    await at.recorder.record(_quarantine("ETH/USDT"))
    for _ in range(5):
        at.breakers.note(Endpoint.ORDER, Outcome.FAILED, "a test")
    (first,), (second,) = _arm(1).orders, _arm(2).orders
    elsewhere = msgspec.structs.replace(second.order.spec, symbol="ETH/USDT")
    second = Approved(msgspec.structs.replace(second.order, spec=elsewhere), "USDT", Decimal(0))
    entries = Entries(at.account, at.recorder, at.breakers)
    kept, why = entries.may_go((first, second), entries.terms("bot"), 0)
    assert (kept, why) == ((), at.breakers.holds())
    await at.drain()


@on_virtual_loop
async def test_what_a_full_disk_keeps_out_is_told_as_over_in_a_moment_and_a_halt_is_not() -> None:
    at = await world(store=(store := _Full()))
    store.refuses = 1
    at.desk.arm(_arm(1, side=Side.SELL))
    await _all_told(at, 1)
    await at.recorder.record(_halt())
    at.desk.arm(_arm(2))
    await _all_told(at, 2)
    assert [failed.passes for failed in at.failed] == [True, False]
