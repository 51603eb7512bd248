"""What every store promises (journal.port), asked of each one that is shipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.domain.fact import AnyFact, CancelArmed, Restored
from holdfast.errors import CorruptionError, FencedError
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group, Head, Refused, Snapshot, Store
from holdfast.journal.postgres import PostgresStore
from holdfast.journal.record import FORMAT, GENESIS, encode, link
from holdfast.journal.sqlite import SqliteStore
from tests.support.journal_facts import (
    acked,
    armed,
    decided,
    filled,
    flow,
    listed,
    moved,
    taken,
)
from tests.support.postgres import database

MAIN = "main"
RESTORED = Restored(generation=7, since_ms=1, until_ms=2, lost=3, by="ana")
KINDS = ("memory", "sqlite", "sqlite inline", "postgres")

Scenario = Callable[[Store], Awaitable[None]]


def scenario(test: Scenario) -> Callable[..., None]:
    """Run `test` against each store, in a loop of its own."""

    @pytest.mark.parametrize("kind", KINDS)
    def against(kind: str, tmp_path: Path) -> None:
        async def run() -> None:
            async with opened(kind, tmp_path) as store:
                await test(store)

        asyncio.run(run())

    against.__name__, against.__doc__ = test.__name__, test.__doc__
    return against


@asynccontextmanager
async def opened(kind: str, directory: Path) -> AsyncIterator[Store]:
    with ExitStack() as stack:
        store = new_store(kind, directory, stack)
        try:
            yield store
        finally:
            await store.close()


def new_store(kind: str, directory: Path, stack: ExitStack) -> Store:
    if kind == "memory":
        return MemoryStore()
    if kind == "postgres":
        return PostgresStore(stack.enter_context(database()))
    return SqliteStore(directory / "journal.db", inline=kind.endswith("inline"))


def group(*facts: AnyFact) -> Group:
    return Group(facts)


def stored(store: Store, account: str = MAIN, after_seq: int = 0) -> list[AnyFact]:
    return [record.fact for record in store.read(account, after_seq)]


@scenario
async def test_a_new_stream_is_empty_and_acquiring_it_raises_the_epoch(store: Store) -> None:
    assert await store.head(MAIN) == Head(MAIN, 0, 1, 0, GENESIS)
    assert await store.acquire(MAIN, "a") == Head(MAIN, 1, 1, 0, GENESIS)
    assert await store.acquire(MAIN, "b") == Head(MAIN, 2, 1, 0, GENESIS)
    assert stored(store) == []


@scenario
async def test_what_is_committed_is_read_back_in_order(store: Store) -> None:
    head = await store.acquire(MAIN, "a")
    facts: list[AnyFact] = [
        decided(1),
        armed(1),
        acked(1),
        moved(1),
        filled("t1"),
        flow("f1"),
        taken("c1"),
    ]
    head, outcomes = await store.commit(head, [group(*facts[:3]), group(*facts[3:])], 5)
    assert stored(store) == facts
    assert [r for outcome in outcomes for r in records(outcome)] == list(store.read(MAIN))
    assert [r.seq for r in store.read(MAIN)] == [1, 2, 3, 4, 5, 6, 7]
    assert {(r.v, r.epoch, r.at_ns) for r in store.read(MAIN)} == {(FORMAT, 1, 5)}
    assert await store.head(MAIN) == head
    assert stored(store, after_seq=5) == facts[5:]
    assert stored(store, after_seq=7) == []


@scenario
async def test_the_head_is_the_chain_over_all_bodies(store: Store) -> None:
    head = await store.acquire(MAIN, "a")
    for number in range(1, 4):
        head, _ = await store.commit(head, [group(armed(number), acked(number))], number)
    digest = GENESIS
    for record in store.read(MAIN):
        digest = link(digest, encode(record))
    assert (head.seq, head.hash) == (6, digest)


@scenario
async def test_streams_of_two_accounts_do_not_touch(store: Store) -> None:
    one, other = await store.acquire("one", "a"), await store.acquire("other", "a")
    one, _ = await store.commit(one, [group(armed(1))], 1)
    other, outcomes = await store.commit(other, [group(armed(1), filled("t1"))], 1)
    assert records(outcomes[0])[0].seq == 1
    assert (stored(store, "one"), stored(store, "other")) == ([armed(1)], [armed(1), filled("t1")])
    await store.acquire("one", "b")
    await store.commit(other, [group(acked(1))], 1)


@scenario
async def test_who_was_taken_over_writes_nothing_any_more(store: Store) -> None:
    old = await store.acquire(MAIN, "a")
    old, _ = await store.commit(old, [group(armed(1))], 1)
    new = await store.acquire(MAIN, "b")
    with pytest.raises(FencedError, match=r"epoch 2; expected: 1"):
        await store.commit(old, [group(armed(2))], 2)
    assert await store.head(MAIN) == new
    assert stored(store) == [armed(1)]


@scenario
async def test_a_stream_is_taken_over_only_as_it_was_seen(store: Store) -> None:
    with pytest.raises(FencedError, match=r"in epoch 0; expected: 3"):
        await store.acquire(MAIN, "b", after=3)
    assert (await store.acquire(MAIN, "a", after=0)).epoch == 1
    for seen in (0, 2):
        with pytest.raises(FencedError, match=rf"in epoch 1; expected: {seen}, as it was"):
            await store.acquire(MAIN, "b", after=seen)
    held, _ = await store.commit(await store.head(MAIN), [group(armed(1))], 1)
    taken = await store.acquire(MAIN, "b", after=1)
    assert (taken.epoch, taken.seq, taken.hash) == (2, held.seq, held.hash)


@scenario
async def test_of_many_that_saw_the_same_epoch_one_takes_over(store: Store) -> None:
    await store.acquire(MAIN, "a")
    asked = [store.acquire(MAIN, f"n{number}", after=1) for number in range(6)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["FencedError"] * 5 + ["Head"]
    assert (await store.head(MAIN)).epoch == 2


@scenario
async def test_an_outdated_head_of_the_same_epoch_is_refused(store: Store) -> None:
    start = await store.acquire(MAIN, "a")
    end, _ = await store.commit(start, [group(armed(1))], 1)
    with pytest.raises(FencedError, match=r"ends at 1; expected: 0"):
        await store.commit(start, [group(armed(2))], 2)
    with pytest.raises(FencedError):
        await store.commit(Head(MAIN, 1, 1, 1, b"\1" * 32), [group(armed(2))], 2)
    assert await store.head(MAIN) == end


@scenario
async def test_nobody_writes_to_a_stream_that_was_never_acquired(store: Store) -> None:
    with pytest.raises(FencedError):
        await store.commit(Head(MAIN, 1, 1, 0, GENESIS), [group(armed(1))], 1)
    assert stored(store) == []


CANCEL = CancelArmed(
    cid="c0", target="t", symbol="BTC/USDT", boot_id="b", timestamp_ms=1, window_ms=2
)
SAME_CID = armed(9, cid=armed(1).cid)
SAME_INTENT = armed(1, cid="another")
SAME_PART = msgspec.structs.replace(listed(1)[1], cid="another")


@pytest.mark.parametrize(
    ("first", "second", "claim"),
    [
        (armed(1), SAME_CID, f"attempt {armed(1).cid}"),
        (armed(1), SAME_INTENT, f"intent {armed(1).intent_id} 1"),
        (armed(1), listed(1)[0], f"intent {armed(1).intent_id} 1"),
        (listed(1)[0], armed(1), f"intent {armed(1).intent_id} 1"),
        (listed(1)[1], SAME_PART, f"intent {armed(1).intent_id}/2 1"),
        (CANCEL, CANCEL, "attempt c0"),
        (CANCEL, armed(1, cid="c0"), "attempt c0"),
        (decided(1, key="slot 7"), decided(2, key="slot 7"), "decision sma slot 7"),
        (filled("t1"), filled("t1"), "fill BTC/USDT t1"),
        (flow("f1"), flow("f1"), "flow f1"),
        (taken("c1"), taken("c1"), "command c1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("apart", ["two commits", "one batch", "one group"])
def test_what_exists_is_refused_with_its_whole_group(
    first: AnyFact, second: AnyFact, claim: str, apart: str, tmp_path: Path
) -> None:
    """In the same words by every store, and nothing else of the batch is lost."""

    async def run(kind: str) -> None:
        directory = tmp_path / kind
        directory.mkdir()
        async with opened(kind, directory) as store:
            head = await store.acquire(MAIN, "a")
            before, after = group(flow()), group(acked(5), flow("later"))
            if apart == "two commits":
                head, _ = await store.commit(head, [group(first)], 1)
                head, outcomes = await store.commit(head, [before, group(moved(7), second)], 1)
                expected = [first, flow()]
            elif apart == "one batch":
                batch = [group(first), before, group(moved(7), second), after]
                head, outcomes = await store.commit(head, batch, 1)
                expected = [first, flow(), *after.facts]
                assert records(outcomes[3])[0].seq == 3
            else:
                head, outcomes = await store.commit(head, [before, group(first, second), after], 1)
                expected = [flow(), *after.facts]
            assert [o for o in outcomes if isinstance(o, Refused)] == [Refused(claim)]
            assert stored(store) == expected
            assert await store.head(MAIN) == head
            await store.commit(head, [group(moved(8))], 2)  # the chain goes on
            assert stored(store)[-1] == moved(8)

    for kind in KINDS:
        asyncio.run(run(kind))


@scenario
async def test_the_orders_of_a_list_are_one_group_each_with_a_place_of_its_own(
    store: Store,
) -> None:
    head = await store.acquire(MAIN, "a")
    head, _ = await store.commit(head, [group(*listed(1)), group(*listed(1, n=2))], 1)
    assert stored(store) == [*listed(1), *listed(1, n=2)]
    above, below = listed(1)
    assert [store.attempt(MAIN, each.cid) for each in (above, below)] == [above, below]
    assert store.attempt(MAIN, above.list_cid) is None, "it is no order"


@scenario
async def test_a_batch_of_refused_groups_writes_nothing(store: Store) -> None:
    head = await store.acquire(MAIN, "a")
    head, _ = await store.commit(head, [group(armed(1))], 1)
    end, outcomes = await store.commit(head, [group(armed(1)), group(decided(1), armed(1))], 1)
    assert end == head
    assert [type(o) for o in outcomes] == [Refused, Refused]
    _, outcomes = await store.commit(end, [group(decided(1))], 1)  # nothing stayed claimed
    assert records(outcomes[0])


@scenario
async def test_the_same_key_of_another_bot_or_symbol_is_another(store: Store) -> None:
    head = await store.acquire(MAIN, "a")
    facts: list[AnyFact] = [decided(1), decided(1, bot="grid")]
    facts += [filled("t1"), filled("t1", "ETH/USDT"), armed(1), armed(1, 2), flow(), flow()]
    _, outcomes = await store.commit(head, [group(fact) for fact in facts], 1)
    assert [o for o in outcomes if isinstance(o, Refused)] == []
    assert stored(store) == facts


@scenario
async def test_snapshots_give_the_newest_that_is_on_the_chain(store: Store) -> None:
    assert await store.load_snapshot(MAIN) is None
    heads = [await store.acquire(MAIN, "a")]
    for number in range(1, 5):
        head, _ = await store.commit(heads[-1], [group(armed(number))], 1)
        heads.append(head)
    taken_at = [Snapshot(MAIN, head.seq, head.hash, b"fold %d" % head.seq) for head in heads]
    for snapshot, newer in pairwise(taken_at[1:]):
        await store.save_snapshot(snapshot)
        await store.save_snapshot(newer)
        assert await store.load_snapshot(MAIN) == newer
    # One that is ahead of the chain, or of another history, is no use.
    await store.save_snapshot(Snapshot(MAIN, 4, b"\7" * 32, b"wrong"))
    assert await store.load_snapshot(MAIN) == taken_at[3]
    await store.save_snapshot(Snapshot(MAIN, 99, heads[-1].hash, b"ahead"))
    assert await store.load_snapshot("other") is None


@scenario
async def test_reading_after_the_end_is_a_contradiction(store: Store) -> None:
    head = await store.acquire(MAIN, "a")
    await store.commit(head, [group(armed(1))], 1)
    with pytest.raises(CorruptionError):
        stored(store, after_seq=2)


@scenario
async def test_an_attempt_is_found_by_its_id_however_long_ago_it_was_armed(store: Store) -> None:
    head = await store.acquire(MAIN, "a")
    head, _ = await store.commit(head, [group(acked(9), armed(1)), group(CANCEL)], 1)
    for number in range(2, 40):
        head, _ = await store.commit(head, [group(armed(number), acked(number))], number)

    assert store.attempt(MAIN, armed(1).cid) == armed(1)
    assert store.attempt(MAIN, armed(39).cid) == armed(39)
    assert store.attempt(MAIN, CANCEL.cid) == CANCEL


@scenario
async def test_an_attempt_that_was_never_armed_is_none(store: Store) -> None:
    assert store.attempt(MAIN, armed(1).cid) is None
    head = await store.acquire(MAIN, "a")
    await store.commit(head, [group(armed(1)), group(acked(2))], 1)

    assert store.attempt(MAIN, armed(2).cid) is None  # spoken of, and never armed
    assert store.attempt("other", armed(1).cid) is None


@scenario
async def test_a_generation_begins_with_its_facts_and_fences_whoever_wrote(store: Store) -> None:
    old = await store.acquire(MAIN, "a")
    old, _ = await store.commit(old, [group(armed(1))], 1)

    begun = await store.begin_generation(old, 7, (RESTORED, acked(1)), 5)

    assert (begun.epoch, begun.generation, begun.seq) == (2, 7, 3)
    assert await store.head(MAIN) == begun
    assert stored(store) == [armed(1), RESTORED, acked(1)]  # proved link by link
    assert [record.epoch for record in store.read(MAIN)] == [1, 2, 2]
    with pytest.raises(FencedError, match=r"epoch 2; expected: 1"):
        await store.commit(old, [group(armed(2))], 6)
    again = await store.acquire(MAIN, "b", after=begun.epoch)
    assert (again.epoch, again.generation) == (3, 7)


@scenario
async def test_a_generation_begins_only_where_the_stream_is_as_it_was_looked_at(
    store: Store,
) -> None:
    looked = await store.acquire(MAIN, "a")
    looked, _ = await store.commit(looked, [group(armed(1))], 1)
    replace = msgspec.structs.replace
    for other in (
        replace(looked, epoch=2), replace(looked, seq=0), replace(looked, hash=GENESIS),
        replace(looked, generation=0),
    ):  # fmt: skip
        with pytest.raises(FencedError):
            await store.begin_generation(other, 7, (RESTORED,), 5)
    with pytest.raises(ValueError, match="generation 1 after 1"):
        await store.begin_generation(looked, 1, (RESTORED,), 5)

    assert await store.head(MAIN) == looked
    assert stored(store) == [armed(1)]


@scenario
async def test_closing_twice_is_harmless(store: Store) -> None:
    await store.acquire(MAIN, "a")
    await store.close()
    await store.close()


def records(outcome: Any) -> Any:
    assert not isinstance(outcome, Refused), outcome
    return outcome
