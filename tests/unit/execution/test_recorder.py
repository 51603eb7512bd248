"""The recorder: durable first, then folded, once, in order; and what each failure means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import msgspec
import pytest

from holdfast.domain.event import Committed
from holdfast.domain.fact import (
    AnyFact,
    AttemptMoved,
    CommandTaken,
    Halted,
    HaltLevel,
    Resumed,
)
from holdfast.domain.order import AttemptState
from holdfast.errors import CorruptionError, FencedError, RetryableError
from holdfast.execution.recorder import Recorder
from holdfast.journal.port import CommitUnknownError, Head, Outcome, Refused
from holdfast.journal.record import Record
from tests.support.exchange import on_loop, on_virtual_loop

Answer = Callable[[tuple[AnyFact, ...]], Outcome]


class ScriptedJournal:
    """An appender whose outcomes a test decides; without a script it commits.

    Attributes:
        script: the next outcomes: an exception to raise, an answer, or None to commit.
        held: futures of appends while `hold` is set.
    """

    def __init__(self) -> None:
        self.script: list[Exception | Answer | None] = []
        self.hold = False
        self.held: list[tuple[asyncio.Future[Outcome], tuple[AnyFact, ...]]] = []
        self.unanswered: list[tuple[asyncio.Future[Outcome], tuple[AnyFact, ...]]] = []
        self.appended: list[tuple[AnyFact, ...]] = []
        self._seq = count(1)

    @property
    def head(self) -> Head:
        return Head("main", 1, 1, 0, bytes(32))

    def append(self, *facts: AnyFact, flush: bool = False) -> asyncio.Future[Outcome]:
        self.appended.append(facts)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        if self.hold:
            self.held.append((future, facts))
        else:
            self.unanswered.append((future, facts))
            loop.call_soon(self._answer_all)  # a commit takes its time
        if flush:
            self._answer_all()
        return future

    def _answer_all(self) -> None:
        unanswered, self.unanswered = self.unanswered, []
        for future, facts in unanswered:
            self.answer(future, facts)

    def answer(self, future: asyncio.Future[Outcome], facts: tuple[AnyFact, ...]) -> None:
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            future.set_exception(step)
        else:
            future.set_result(self.records(*facts) if step is None else step(facts))

    def records(self, *facts: AnyFact) -> tuple[Record, ...]:
        return tuple(Record(1, next(self._seq), 1, 7, fact) for fact in facts)

    async def drain(self) -> None:
        raise AssertionError("a recorder drains nothing")


class Heard:
    """What the engine and the process were told."""

    def __init__(self) -> None:
        self.journal = ScriptedJournal()
        self.committed: list[Committed] = []
        self.broken: list[BaseException] = []
        self.recorder = Recorder(self.journal, self.committed.append, self.broken.append)

    @property
    def ids(self) -> list[str]:
        return [e.fact.command_id for e in self.committed if isinstance(e.fact, CommandTaken)]


def fact(command_id: str) -> CommandTaken:
    return CommandTaken(command_id=command_id, name="halt", by="ana")


@on_loop
async def test_what_is_recorded_is_folded_when_the_call_returns() -> None:
    heard = Heard()
    outcome = await heard.recorder.record(fact("a"), fact("b"))
    assert isinstance(outcome, tuple)
    assert heard.ids == ["a", "b"]
    assert [(e.seq, e.at_ns, e.more) for e in heard.committed] == [(1, 7, True), (2, 7, False)]


@on_loop
async def test_what_is_flushed_is_folded_after_what_was_recorded_before_it() -> None:
    heard = Heard()
    before = asyncio.create_task(heard.recorder.record(fact("a")))
    await asyncio.sleep(0)
    outcome = await heard.recorder.try_record(fact("b"), flush=True)
    assert isinstance(outcome, tuple)
    assert heard.ids == ["a", "b"]
    await before
    assert heard.ids == ["a", "b"]


@on_loop
async def test_a_caller_that_is_cancelled_loses_no_record() -> None:
    heard = Heard()
    heard.journal.hold = True
    waiting = asyncio.create_task(heard.recorder.record(fact("a")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    heard.journal.answer(*heard.journal.held[0])
    await asyncio.sleep(0)
    assert heard.ids == ["a"]


@on_loop
async def test_what_was_refused_is_told_to_the_caller_alone() -> None:
    heard = Heard()
    heard.journal.script = [lambda _facts: Refused("fill BTC/USDT 1")]
    assert await heard.recorder.record(fact("a")) == Refused("fill BTC/USDT 1")
    assert (heard.ids, heard.broken) == ([], [])


def test_evidence_is_recorded_again_until_the_store_takes_it_and_the_wait_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @on_loop
    async def run() -> None:
        heard = Heard()
        heard.journal.script = [RetryableError("full"), CommitUnknownError("lost", False), None]
        await heard.recorder.record(fact("a"))
        assert (len(heard.journal.appended), heard.ids, heard.broken) == (3, ["a"], [])

    run()
    assert "record_wait" in caplog.text
    assert "full" in caplog.text


@on_loop
async def test_who_arms_is_told_at_once_that_nothing_is_written() -> None:
    heard = Heard()
    heard.journal.script = [RetryableError("full")]
    with pytest.raises(RetryableError, match="full"):
        await heard.recorder.try_record(fact("a"))
    assert (len(heard.journal.appended), heard.ids, heard.broken) == (1, [], [])


@on_loop
async def test_a_commit_that_turned_out_to_be_in_is_folded_and_not_repeated() -> None:
    heard = Heard()
    records = heard.journal.records(fact("a"))
    heard.journal.script = [CommitUnknownError("late", True, records)]
    assert await heard.recorder.record(fact("a")) == records
    assert (len(heard.journal.appended), heard.ids) == (1, ["a"])


@on_loop
async def test_who_arms_learns_of_a_late_commit_and_the_fold_has_it() -> None:
    heard = Heard()
    heard.journal.script = [CommitUnknownError("late", True, heard.journal.records(fact("a")))]
    with pytest.raises(CommitUnknownError):
        await heard.recorder.try_record(fact("a"))
    assert (heard.ids, heard.broken) == (["a"], [])


@pytest.mark.parametrize(
    "error",
    [
        CommitUnknownError("nobody knows", None),
        FencedError("another writer"),
        ValueError("a defect of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ends_a_writer_is_said_and_raised(error: Exception) -> None:
    @on_loop
    async def run() -> None:
        heard = Heard()
        heard.journal.script = [error]
        with pytest.raises(type(error)):
            await heard.recorder.record(fact("a"))
        assert heard.broken == [error]
        assert heard.ids == []

    run()


@on_loop
async def test_a_fold_that_contradicts_itself_is_said() -> None:
    """The event loop would swallow what a callback raises."""
    journal = ScriptedJournal()
    broken: list[BaseException] = []
    contradiction = CorruptionError("seen: record 9 after 1")

    def take(_event: Committed) -> None:
        raise contradiction

    await Recorder(journal, take, broken.append).record(fact("a"))
    assert broken == [contradiction]


@on_virtual_loop
async def test_what_holds_trading_back_or_ends_that_is_journaled_as_it_was_asked_for() -> None:
    """A resume that waits for a full disk must not lift the halt that was asked for after it."""
    heard = Heard()
    heard.journal.script = [RetryableError("the disk is full")] * 3
    resuming = asyncio.ensure_future(heard.recorder.record(Resumed(by="ana")))
    await asyncio.sleep(0.2)
    assert not heard.journal.script, "the store takes it again, and the first one sleeps"
    halt = Halted(level=HaltLevel.ENTRIES, reason="a test", by="ana")
    await asyncio.gather(heard.recorder.record(halt), heard.recorder.record(_evidence()), resuming)
    assert [e.fact for e in heard.committed] == [_evidence(), Resumed(by="ana"), halt]


@pytest.mark.parametrize("is_cancelled", [False, True])
@on_virtual_loop
async def test_what_waits_for_the_journal_is_told_as_on_its_way_until_it_is_there(
    is_cancelled: bool,
) -> None:
    heard = Heard()
    heard.journal.script = [RetryableError("the disk is full")] * 3
    halt = Halted(level=HaltLevel.ENTRIES, reason="a test", by="ana", bot="one")
    halting = asyncio.ensure_future(heard.recorder.record(halt))
    other = asyncio.ensure_future(heard.recorder.record(msgspec.structs.replace(halt, bot="two")))
    await asyncio.sleep(0.2)
    assert not heard.journal.script
    assert not heard.committed
    assert (heard.recorder.is_stopping("one"), heard.recorder.is_stopping("two")) == (True, True)
    if is_cancelled:
        halting.cancel()
        await other
        assert [e.fact for e in heard.committed] == [msgspec.structs.replace(halt, bot="two")]
    else:
        await asyncio.gather(halting, other)
    assert not heard.recorder.is_stopping("one")
    assert not heard.recorder.is_stopping("two")


def _evidence() -> AttemptMoved:
    return AttemptMoved(cid="0", state=AttemptState.ACKED)
