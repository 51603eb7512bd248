"""The writer: what shares a commit, in which order, and who learns what when one fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, cast

import pytest

from holdfast.domain.fact import AnyFact
from holdfast.errors import CorruptionError, FencedError, OutcomeUnknownError, RetryableError
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import CommitUnknownError, Group, Head, Outcome, Refused
from holdfast.journal.writer import MAX_BATCH, JournalWriter
from tests.support.journal_facts import acked, armed, flow, moved
from tests.support.waiting import until

MAIN = "main"


class ScriptedStore(MemoryStore):
    """A memory store that waits, fails and forgets on request."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.gate: asyncio.Event | None = None
        self.before: list[Exception | None] = []  # raised instead of a commit
        self.after: list[Exception | None] = []  # raised although it was committed
        self.on_head: list[Exception | None] = []

    def commit_at_once(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]] | None:
        return None

    async def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]]:
        self.batches.append(len(groups))
        if self.gate is not None:
            await self.gate.wait()
        _raise_next(self.before)
        done = await super().commit(head, groups, at_ns)
        _raise_next(self.after)
        return done

    async def head(self, account: str) -> Head:
        _raise_next(self.on_head)
        return await super().head(account)


def _raise_next(script: list[Exception | None]) -> None:
    error = script.pop(0) if script else None
    if error is not None:
        raise error


@contextmanager
def said() -> Iterator[list[dict[str, Any]]]:
    """The lines that the writer logs meanwhile."""
    lines: list[dict[str, Any]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(cast("dict[str, Any]", record.msg))

    logger, listener = logging.getLogger("journal.writer"), Listener()
    logger.addHandler(listener)
    try:
        yield lines
    finally:
        logger.removeHandler(listener)


Scenario = Callable[[ScriptedStore, JournalWriter], Awaitable[None]]


def scenario(test: Scenario) -> Callable[[], None]:
    @wraps(test)
    def call() -> None:
        async def run() -> None:
            store = ScriptedStore()
            head = await store.acquire(MAIN, "a")
            await test(store, JournalWriter(store, head, now_ns=lambda: 7, find_out_s=0.1))

        asyncio.run(run())

    del call.__dict__["__wrapped__"]  # or the store and the writer look like fixtures
    return call


def stored(store: MemoryStore) -> list[AnyFact]:
    return [record.fact for record in store.read(MAIN)]


@scenario
async def test_a_group_comes_back_as_its_records(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    outcome = await writer.append(armed(1), acked(1))
    assert outcome == tuple(store.read(MAIN))
    assert writer.head == await store.head(MAIN)
    assert [record.at_ns for record in store.read(MAIN)] == [7, 7]


@scenario
async def test_how_long_a_commit_has_been_under_way_is_told_and_nothing_while_none_is(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    assert writer.fails_s == 0.0
    store.gate = asyncio.Event()
    first = writer.append(armed(0))
    await until(lambda: writer.fails_s > 0.01, "a while")
    writer.append(armed(1))
    before_s = writer.fails_s
    await asyncio.sleep(0)
    assert writer.fails_s >= before_s, "what queues up behind it does not start it anew"
    store.gate.set()
    await first
    await writer.drain()
    assert writer.fails_s == 0.0


@scenario
async def test_for_how_long_every_commit_failed_is_told_until_one_comes_about(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    await writer.append(armed(0))
    assert writer.fails_s == 0.0
    store.before = [RetryableError("refused"), OutcomeUnknownError("?"), RetryableError("refused")]
    told = []
    for number in (1, 2, 3):
        with suppress(RetryableError, CommitUnknownError):  # found out: it is not in
            await writer.append(armed(number))
        told.append(writer.fails_s)
        await asyncio.sleep(0.02)
        assert writer.fails_s == told[-1], "that nobody tries since proves nothing"
    assert told[1] - told[0] >= 0.02
    assert told[2] - told[1] >= 0.02
    store.gate = asyncio.Event()
    last = writer.append(armed(4))
    await until(lambda: writer.fails_s > told[2] + 0.04, "one that does not come back counts too")
    store.gate.set()
    await last
    assert writer.fails_s == 0.0


@scenario
async def test_what_queues_up_during_a_commit_shares_the_next_one(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.gate = asyncio.Event()
    pending = [writer.append(armed(0))]
    await asyncio.sleep(0)  # the first commit runs now
    pending += [writer.append(armed(number)) for number in range(1, 100)]
    store.gate.set()
    await asyncio.gather(*pending)
    assert store.batches == [1, MAX_BATCH, 99 - MAX_BATCH]
    assert stored(store) == [armed(number) for number in range(100)]


@scenario
async def test_callers_that_are_ready_together_share_a_commit(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    async def caller(number: int) -> None:
        await writer.append(armed(number))

    await asyncio.gather(*(caller(number) for number in range(8)))
    assert store.batches == [8]


@scenario
async def test_flushing_commits_all_that_was_appended_and_nothing_twice(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    pending = [writer.append(armed(number)) for number in range(2)]
    pending.append(writer.append(armed(2), flush=True))
    late = writer.append(armed(3), flush=True)  # a commit runs: it waits for its end
    await asyncio.gather(*pending, late)
    assert store.batches == [3, 1]
    assert stored(store) == [armed(number) for number in range(4)]


@scenario
async def test_a_refused_group_costs_its_neighbours_nothing(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    outcomes = await asyncio.gather(
        writer.append(armed(1)), writer.append(armed(1)), writer.append(armed(2))
    )
    assert outcomes[1] == Refused(f"attempt {armed(1).cid}")
    assert stored(store) == [armed(1), armed(2)]
    assert outcomes[2] == tuple(store.read(MAIN, 1))


@scenario
async def test_a_cancelled_caller_does_not_cancel_the_commit(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.gate = asyncio.Event()
    waiting = asyncio.create_task(_wait_for(writer.append(armed(1))))
    behind = writer.append(armed(2))
    await asyncio.sleep(0)
    waiting.cancel()
    behind.cancel()
    store.gate.set()
    await writer.drain()
    assert waiting.cancelled()
    assert stored(store) == [armed(1), armed(2)]


async def _wait_for(appended: asyncio.Future[Outcome]) -> Outcome:
    return await appended


@scenario
async def test_drain_waits_for_everything_appended(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    await writer.drain()  # nothing to wait for
    pending = [writer.append(armed(number)) for number in range(200)]
    await writer.drain()
    assert all(future.done() for future in pending)
    assert len(stored(store)) == 200


@scenario
async def test_once_fenced_every_append_fails_without_asking_the_store(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    await writer.append(armed(1))
    await store.acquire(MAIN, "b")
    together = [writer.append(armed(number)) for number in range(2, 2 + 2 * MAX_BATCH)]
    for failed in together:
        with pytest.raises(FencedError, match="epoch 2"):
            await failed
    commits = len(store.batches)
    with pytest.raises(FencedError, match="epoch 2"):
        await writer.append(armed(999))
    assert len(store.batches) == commits
    assert stored(store) == [armed(1)]


@scenario
async def test_a_commit_that_another_writer_made_void_is_told_once(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    with said() as lines:
        await writer.append(armed(1))
        await store.acquire(MAIN, "b")
        for number in (2, 3, 4):
            with pytest.raises(FencedError):
                await writer.append(armed(number))
    (told,) = [line for line in lines if line["action"] == "commit_refused"]
    assert (told["account"], told["epoch"], told["groups"]) == (MAIN, 1, 1)


@scenario
async def test_an_unclear_commit_that_is_not_in_before_a_takeover_is_told_as_refused(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.gate, store.before = asyncio.Event(), [OutcomeUnknownError("no answer")]
    with said() as lines:
        appended = writer.append(armed(1))
        await asyncio.sleep(0)
        await store.acquire(MAIN, "b")
        store.gate.set()
        with pytest.raises(CommitUnknownError):
            await appended
        with pytest.raises(FencedError):
            await writer.append(armed(2))
    assert [line["action"] for line in lines] == ["commit_refused"]


@scenario
async def test_an_unclear_commit_that_is_in_before_a_takeover_was_not_refused(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.after, store.on_head = [OutcomeUnknownError("no answer")], [RetryableError("not now")]
    with said() as lines:
        appended = writer.append(armed(1))
        await until(lambda: not store.on_head, "asked for the outcome")
        await store.acquire(MAIN, "b")
        with pytest.raises(CommitUnknownError) as known:
            await appended
        with pytest.raises(FencedError):
            await writer.append(armed(2))
    assert known.value.committed is True
    assert lines == []


@scenario
async def test_a_retryable_failure_writes_nothing_and_later_appends_go_on(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.before = [RetryableError("disk full")]
    failed = [writer.append(armed(1)), writer.append(armed(2))]
    for future in failed:
        with pytest.raises(RetryableError, match="disk full"):
            await future
    await writer.append(armed(1))  # the same again is safe
    assert stored(store) == [armed(1)]


@scenario
async def test_an_unknown_commit_that_is_in_says_so_and_the_chain_goes_on(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    await writer.append(armed(1))
    store.after = [OutcomeUnknownError("no answer")]
    first, refused, last = (
        writer.append(armed(2), acked(2)),
        writer.append(armed(1)),
        writer.append(moved(2)),
    )
    with pytest.raises(CommitUnknownError) as known:
        await first
    assert known.value.committed is True
    assert [record.fact for record in known.value.records] == [armed(2), acked(2)]
    with pytest.raises(CommitUnknownError) as known:
        await refused
    assert (known.value.committed, known.value.records) == (False, ())
    with pytest.raises(CommitUnknownError) as known:
        await last
    assert [record.seq for record in known.value.records] == [4]
    await writer.append(flow())
    assert stored(store) == [armed(1), armed(2), acked(2), moved(2), flow()]


@scenario
async def test_an_unknown_commit_that_is_not_in_says_so_and_the_chain_goes_on(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.before = [OutcomeUnknownError("no answer")]
    with pytest.raises(CommitUnknownError) as known:
        await writer.append(armed(1))
    assert (known.value.committed, known.value.records) == (False, ())
    await writer.append(armed(1))
    assert stored(store) == [armed(1)]


@scenario
async def test_it_keeps_asking_while_the_store_does_not_answer(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.after = [OutcomeUnknownError("no answer")]
    store.on_head = [RetryableError("locked"), None]
    unknown = writer.append(armed(1))
    await asyncio.sleep(0)
    later = writer.append(armed(2))
    with pytest.raises(CommitUnknownError) as known:
        await unknown
    assert known.value.committed is True
    assert await later
    assert stored(store) == [armed(1), armed(2)]


@pytest.mark.parametrize("answer", [RetryableError("locked"), CorruptionError("damaged")])
def test_an_outcome_that_stays_unknown_gives_the_stream_up(answer: Exception) -> None:
    @scenario
    async def run(store: ScriptedStore, writer: JournalWriter) -> None:
        store.after = [OutcomeUnknownError("no answer")]
        store.on_head = [answer] * 99
        unknown = writer.append(armed(1))
        await asyncio.sleep(0)
        later = writer.append(armed(2))
        with pytest.raises(CommitUnknownError) as known:
            await unknown
        assert (known.value.committed, known.value.records) == (None, ())
        for future in (later, writer.append(armed(3))):
            with pytest.raises(FencedError, match="start again"):
                await future
        assert stored(store) == [armed(1)]

    run()


@scenario
async def test_an_unknown_commit_of_a_writer_taken_over_meanwhile(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    """Its records are told apart from the successor's, and then it is over."""
    store.after = [OutcomeUnknownError("no answer")]

    original = store.head

    async def head_after_takeover(account: str) -> Head:
        successor = await store.acquire(MAIN, "b")
        await store.commit(successor, [Group((flow(),))], 9)
        store.head = original  # type: ignore[method-assign]
        return await original(account)

    store.head = head_after_takeover  # type: ignore[method-assign]
    with pytest.raises(CommitUnknownError) as known:
        await writer.append(armed(1))
    assert [record.fact for record in known.value.records] == [armed(1)]
    with pytest.raises(FencedError, match="epoch 2"):
        await writer.append(armed(2))
    assert stored(store) == [armed(1), flow()]


@scenario
async def test_a_mistake_of_the_program_reaches_its_caller(
    store: ScriptedStore, writer: JournalWriter
) -> None:
    store.before = [TypeError("a bug")]
    with pytest.raises(TypeError, match="a bug"):
        await writer.append(armed(1))
    assert await writer.append(armed(1))


def test_a_dying_loop_leaves_no_caller_without_an_answer() -> None:
    async def run() -> asyncio.Future[Outcome]:
        store = ScriptedStore()
        store.gate = asyncio.Event()
        writer = JournalWriter(store, await store.acquire(MAIN, "a"))
        appended = writer.append(armed(1))
        await asyncio.sleep(0)
        return appended

    with pytest.raises(CommitUnknownError) as known:
        asyncio.run(run()).result()
    assert known.value.committed is None
