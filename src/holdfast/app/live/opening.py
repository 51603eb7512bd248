"""An account's journal: followed as it grows, and taken over.

Lives here: the order of these steps. When `take_over` returns, this process is the one writer. Not
here: anything about the exchange (follower, trader).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from holdfast import __version__
from holdfast.app.live.start import start_at
from holdfast.config import Config
from holdfast.domain.fact import AnyFact, Opened, TookOver
from holdfast.domain.order import deployment_tag
from holdfast.errors import FencedError, PlatformError, RetryableError
from holdfast.journal.database import Database, Owner, database_at
from holdfast.journal.high_water import HighWater
from holdfast.journal.port import CommitUnknownError, Head, Snapshot, Store
from holdfast.journal.record import Record
from holdfast.journal.tail import MOST, Tail
from holdfast.journal.writer import JournalWriter
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, to_bytes
from holdfast.telemetry.log import get_logger

log = get_logger("app.opening")

# A predecessor that was told to stop lets what is in flight finish before it lets go.
WAIT_FOR_OWNER_S = 5.0


class Stream(msgspec.Struct):
    """An account's journal, open for this process alone.

    Attributes:
        saved_seq: where the newest snapshot stands; the next start folds what comes after it.
        found: what bots had derived from bars by the newest snapshot, by name.
        derived: tells what they have derived now, to be kept with the next one.
    """

    database: Database
    store: Store
    owner: Owner
    high_water: HighWater
    writer: JournalWriter
    account: AccountState
    boot_id: str
    saved_seq: int
    found: dict[str, msgspec.Raw]
    derived: Callable[[], Mapping[str, msgspec.Raw]] = dict

    async def save(self) -> None:
        """Keep the fold, so that the next start follows open orders and not history."""
        head = self.writer.head
        if head.seq != self.account.seq:
            return  # records are on their way to the fold; the next snapshot is soon
        body = to_bytes(self.account, self.derived())
        await self.store.save_snapshot(
            Snapshot(self.account.account, head.seq, head.hash, body)
        )
        self.saved_seq = head.seq

    async def close(self) -> None:
        """Let others have it, also where the last snapshot cannot be kept."""
        try:
            await self.writer.drain()
            await self.save()
            self.high_water.write(self.writer.head)
        finally:
            await self.store.close()
            self.owner.release()


def database_of(config: Config, *, in_a_node: bool = False) -> Database:
    """The journal that a configuration names; nothing is opened yet.

    Args:
        in_a_node: for a process of a node, which reads a row now and then: of the
            connections for that it keeps one, or a node of many accounts has all that a server has.

    Raises:
        ConfigError: its driver is not installed, or does not understand the address.
    """
    pool = config.database_pool
    if in_a_node:
        pool = msgspec.structs.replace(pool, min=min(pool.min, 1))
    state = Path(config.state_dir)
    return database_at(config.database_url, state, may_lose=config.may_lose_commits, pool=pool)


class Fold(msgspec.Struct):
    """An account's journal, followed and not owned.

    Attributes:
        end: as far as it is folded.
        saved_seq: where the newest snapshot stood.
        found: what bots had derived from bars by then, by name.
    """

    database: Database
    store: Store
    tail: Tail
    account: AccountState
    end: Head
    saved_seq: int
    found: dict[str, msgspec.Raw]

    def news(self) -> list[Record]:
        """What was written since the last call; to be folded by the caller, in this order.

        Of very many only the first `tail.MOST`, and the next ones with the next call.

        Raises:
            CorruptionError, RetryableError: as `Tail.since`.
        """
        self.end, records = self.tail.since(self.end)
        return records

    async def close(self) -> None:
        """Let go of it; may be called twice."""
        self.tail.close()
        await self.store.close()


async def follow_stream(database: Database, account: str) -> Fold:
    """Open the journal and fold `account` up to its end, without becoming its writer.

    Raises:
        CorruptionError: it is damaged, or behind what this host has seen.
        ConfigError: of another version, or cannot be opened.
        RetryableError: not now.
    """
    store = await asyncio.to_thread(database.store)
    try:
        await database.high_water(account).check(store)
        start = start_at(account, await store.load_snapshot(account))
        fold = Fold(
            database, store, database.tail(), start.state, start.end, start.end.seq, start.found
        )
        _fold_news(fold)
    except BaseException:
        await store.close()
        raise
    return fold


def _fold_news(fold: Fold) -> None:
    more = True
    while more:
        records = fold.news()
        for record in records:
            apply(fold.account, record.seq, record.epoch, record.at_ns, record.fact)
        more = len(records) == MOST


async def take_over(
    fold: Fold,
    *,
    deployment: str,
    reporting: str,
    catch_up: Callable[[], Awaitable[None]],
    may_lead: Callable[[], bool] = lambda: True,
    now_ns: Callable[[], int] = time.time_ns,
    node: str = "",
    uid: str = "",
    displace: bool = False,
) -> Stream:
    """Become the writer of what was followed.

    Args:
        displace: whoever writes it has lost its lease: a process that hangs is put aside at once.
        catch_up: folds what predecessors have written by now.
        may_lead: asked before anybody is put aside, and after the head was read: a lease that has
            run out since must not end the sessions or the epoch of whoever took over. Called in
            another thread as well.
        now_ns: what records are stamped with.
        node: what people call this one; the machine's name otherwise.
        uid: what the exchange calls the account that this one's key belongs to.

    Raises:
        FencedError: another process writes it, or took it over meanwhile.
        CorruptionError, RetryableError: as `Store.acquire`.
    """
    database, account = fold.database, fold.end.account
    node = f"{node or os.uname().nodename}:{os.getpid()}"
    require = partial(_require_lease, account, may_lead)
    require()  # before a healthy leader is put aside for nothing
    owning = asyncio.ensure_future(_own(database, account, require, displace=displace))
    try:
        if not displace:  # who may not put another aside must not end its epoch either
            await asyncio.shield(owning)
        try:
            head = await _acquired(fold, node, may_lead)
        except RetryableError:
            if owning.done():
                raise
            await asyncio.shield(owning)  # who held a lock of the store's is put aside by now
            head = await _acquired(fold, node, may_lead)
        owner = await asyncio.shield(owning)
        await catch_up()
        _require_end(fold.account, head)
    except BaseException:
        await _let_go(owning)
        raise
    fold.tail.close()
    boot_id = f"{os.getpid()}-{time.time_ns():x}"
    stream = Stream(
        database, fold.store, owner, database.high_water(account),
        JournalWriter(fold.store, head, now_ns=now_ns), fold.account, boot_id, fold.saved_seq,
        fold.found,
    )  # fmt: skip
    took_over = TookOver(node=node, boot_id=boot_id, version=__version__, uid=uid)
    try:
        await _begin(stream, took_over, deployment, reporting)
        stream.high_water.write(stream.writer.head)
    except BaseException:
        owner.release()  # whoever tries again here is another owner
        raise
    seq, epoch = fold.account.seq, head.epoch
    log.info("journal open", action="opened", seq=seq, epoch=epoch, boot_id=boot_id)
    return stream


async def open_stream(
    database: Database, *, account: str, deployment: str, reporting: str
) -> Stream:
    """Open the journal and become its writer for `account`, at once.

    Raises:
        As `follow_stream` and `take_over`.
    """
    fold = await follow_stream(database, account)

    async def catch_up() -> None:
        _fold_news(fold)

    try:
        return await take_over(fold, deployment=deployment, reporting=reporting, catch_up=catch_up)
    except BaseException:
        await fold.close()
        raise


async def _acquired(fold: Fold, node: str, may_lead: Callable[[], bool]) -> Head:
    """The next epoch, beside the owner lock, which only tells people who writes."""
    account = fold.end.account
    before = await fold.store.head(account)
    _require_lease(account, may_lead)
    return await fold.store.acquire(account, node, after=before.epoch)


async def _let_go(owning: asyncio.Future[Owner]) -> None:
    """Also of a lock that is only being asked for."""
    with suppress(PlatformError):  # there is none
        (await owning).release()


async def _own(
    database: Database, account: str, require: Callable[[], None], *, displace: bool
) -> Owner:
    deadline = time.monotonic() + WAIT_FOR_OWNER_S
    while True:
        try:
            return await asyncio.to_thread(
                database.own, account, displace=displace, require=require
            )
        except FencedError:
            if displace or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def _require_lease(account: str, may_lead: Callable[[], bool]) -> None:
    if not may_lead():
        raise FencedError(
            f"seen: the lease of account {account} ran out; expected: one that runs; do: wait, it "
            "is taken again when it is free"
        )


def _require_end(state: AccountState, head: Head) -> None:
    if state.seq != head.seq:
        raise FencedError(
            f"seen: the stream ends at {head.seq}, and it was folded to {state.seq}; expected: "
            "nobody else writing; do: end the other process, then start again"
        )


async def _begin(
    stream: Stream, took_over: TookOver, deployment: str, reporting: str
) -> None:
    head = stream.writer.head
    if stream.account.seq:
        records = await _written(stream.writer, took_over)
    else:
        opened = Opened(
            account=head.account,
            deployment=deployment_tag(deployment),
            generation=head.generation,
            reporting=reporting,
        )
        records = await _written(stream.writer, opened, took_over)
    for record in records:
        apply(stream.account, record.seq, record.epoch, record.at_ns, record.fact)


async def _written(writer: JournalWriter, *facts: AnyFact) -> tuple[Record, ...]:
    """Append facts that arm nothing; once more where a commit broke and left nothing of them.

    A standby's connection may have died with its server, and the first commit is what finds out.
    """
    try:
        outcome = await writer.append(*facts)
    except CommitUnknownError as error:
        if error.committed:
            return error.records
        if error.committed is None:
            raise
        outcome = await writer.append(*facts)
    assert isinstance(outcome, tuple)  # noqa: S101 - these facts claim nothing
    return outcome
