"""Opening an account's journal: own it, take the stream over, and fold it up to its end.

Lives here: the order of these steps. When `open_stream` returns, this process is the one writer.
Not here: anything about the exchange (trader).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from holdfast import __version__
from holdfast.config import Config
from holdfast.domain.fact import Opened, TookOver
from holdfast.domain.order import deployment_tag
from holdfast.errors import FencedError
from holdfast.journal.database import Database, Owner, database_at
from holdfast.journal.high_water import HighWater
from holdfast.journal.port import Head, Snapshot, Store
from holdfast.journal.writer import JournalWriter
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, derived_in, from_bytes, to_bytes
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
        """Let others have it."""
        await self.writer.drain()
        await self.save()
        self.high_water.write(self.writer.head)
        await self.store.close()
        self.owner.release()


def database_of(config: Config) -> Database:
    """The journal that a configuration names; nothing is opened yet.

    Raises:
        ConfigError: its driver is not installed, or does not understand the address.
    """
    state = Path(config.state_dir)
    return database_at(
        config.database_url, state, may_lose=config.may_lose_commits, pool=config.database_pool
    )


async def open_stream(
    database: Database, *, account: str, deployment: str, reporting: str
) -> Stream:
    """Open the journal and become its writer for `account`.

    Raises:
        FencedError: another process writes it.
        CorruptionError: it is damaged, or behind what this node has seen.
        ConfigError: of another version, or cannot be opened.
    """
    owner = await _own(database, account)
    store = None
    try:
        store = await asyncio.to_thread(database.store)
        high_water = database.high_water(account)
        await high_water.check(store)
        state, saved_seq, found = await _folded(store, account)
        node = f"{os.uname().nodename}:{os.getpid()}"
        head = await store.acquire(account, node)
        _require_end(state, head)
    except BaseException:
        if store is not None:
            await store.close()
        owner.release()
        raise
    boot_id = f"{os.getpid()}-{time.time_ns():x}"
    writer = JournalWriter(store, head)
    stream = Stream(database, store, owner, high_water, writer, state, boot_id, saved_seq, found)
    await _begin(stream, node, deployment, reporting)
    high_water.write(stream.writer.head)
    log.info("journal open", action="opened", seq=state.seq, epoch=head.epoch, boot_id=boot_id)
    return stream


async def _own(database: Database, account: str) -> Owner:
    deadline = time.monotonic() + WAIT_FOR_OWNER_S
    while True:
        try:
            return await asyncio.to_thread(database.own, account)
        except FencedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def _folded(
    store: Store, account: str
) -> tuple[AccountState, int, dict[str, msgspec.Raw]]:
    """The fold up to the end of the stream, where the snapshot that it began from stands, and what
    bots had derived by then.
    """
    snapshot = await store.load_snapshot(account)
    state = (from_bytes(snapshot.body) if snapshot is not None else None) or AccountState()
    found = derived_in(snapshot.body) if snapshot is not None else {}
    saved_seq = state.seq
    for record in store.read(account, after_seq=saved_seq):
        apply(state, record.seq, record.epoch, record.at_ns, record.fact)
    return state, saved_seq, found


def _require_end(state: AccountState, head: Head) -> None:
    if state.seq != head.seq:
        raise FencedError(
            f"seen: the stream grew from {state.seq} to {head.seq} while it was taken over; "
            "expected: nobody else writing; do: end the other process, then start again"
        )


async def _begin(stream: Stream, node: str, deployment: str, reporting: str) -> None:
    took_over = TookOver(node=node, boot_id=stream.boot_id, version=__version__)
    head = stream.writer.head
    facts = (took_over,)
    if not stream.account.seq:
        opened = Opened(
            account=head.account,
            deployment=deployment_tag(deployment),
            generation=head.generation,
            reporting=reporting,
        )
        outcome = await stream.writer.append(opened, *facts)
    else:
        outcome = await stream.writer.append(*facts)
    assert isinstance(outcome, tuple)  # noqa: S101 - these facts claim nothing
    for record in outcome:
        apply(stream.account, record.seq, record.epoch, record.at_ns, record.fact)
