"""A backup that was put in the journal's place, taken up by a person's word.

The node refuses a journal that lacks records, since what it decides next could carry ids that were
used. Lives here: the step that makes it usable again. Not here: restoring, or what becomes of the
lost time's orders (execution.strangers).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Final

import msgspec

from holdfast.app.live.keys import key_of
from holdfast.app.live.lines import endpoints_of
from holdfast.app.live.members import nodes
from holdfast.app.live.opening import database_of
from holdfast.config import Config
from holdfast.domain.fact import Halted, HaltLevel, Restored
from holdfast.domain.platform import Requested
from holdfast.errors import ConfigError
from holdfast.execution.clock import LONGEST_WINDOW_MS, ExchangeClock
from holdfast.execution.evidence import HORIZON_MS
from holdfast.journal.database import Database
from holdfast.journal.port import Head
from holdfast.journal.reading import head_of
from holdfast.venues.binance.client import BinanceVenue

# Generations count the seconds since 2026: a backup that is restored twice must not begin the same
# one twice, and the journal cannot know of the first time.
GENERATION_EPOCH_S: Final = 1_767_225_600


class Lacking(msgspec.Struct, frozen=True):
    """A journal as it was restored.

    Attributes:
        head: where it stands.
        began_ms, ended_ms: exchange time of its first and last records.
        lost: how many records this host knows to be missing; 0 when it knows of none.
    """

    head: Head
    began_ms: int
    ended_ms: int
    lost: int


def look(config: Config, account: str) -> Lacking:
    """What an account's journal has, and lacks as far as this host knows. Blocks.

    Raises:
        ConfigError: there is no journal, or nothing in it.
        CorruptionError: it does not hold.
    """
    with closing(database_of(config)) as database:
        database.require()
        with database.one_moment() as rows:
            head = head_of(database.name, rows, account)
        if not head.seq:
            raise ConfigError(
                f"seen: no record of {account} in {database.name}; expected: a restored journal; "
                "do: begin a new one (docs/on-call/disaster.md)"
            )
        first = next(database.read(account))
        last = next(database.read(account, head.seq - 1))
        lost = database.high_water(account).missing(head)
    return Lacking(head, first.at_ns // 1_000_000, last.at_ns // 1_000_000, lost)


def begin_generation(
    config: Config, seen: Mapping[str, Lacking], *, by: str, reason: str
) -> dict[str, Head]:
    """Let accounts go on from what is there, under ids that were never used, halted at first.

    Args:
        seen: by account, as it was looked at; nothing may have been written since.
        by: who says that what came later is lost for good.

    Returns:
        Where each stream stands now.

    Raises:
        FencedError: a process writes one, or did since it was looked at.
        ConfigError: a node runs, or one of the version before may share the database.
        RetryableError: the exchange or the database does not answer.
    """
    _refuse_beside_nodes(config)
    with closing(database_of(config)) as database:
        return {
            account: _begin(config.for_account(account), database, one, by, reason)
            for account, one in seen.items()
        }


def _begin(config: Config, database: Database, seen: Lacking, by: str, reason: str) -> Head:
    account = config.account.name
    owner = database.own(account)
    try:
        now_ms = asyncio.run(_exchange_ms(config))
        restored = Restored(
            generation=max(now_ms // 1000 - GENERATION_EPOCH_S, seen.head.generation + 1),
            since_ms=seen.began_ms,
            until_ms=now_ms + LONGEST_WINDOW_MS + HORIZON_MS,  # no request sent by now is taken
            lost=seen.lost,
            by=by,
            reason=reason,
        )
        _note(database, account, restored)
        head = asyncio.run(_append(database, seen.head, restored, now_ms * 1_000_000))
        database.high_water(account).write(head)
    finally:
        owner.release()
    return head


async def _exchange_ms(config: Config) -> int:
    """The exchange's clock shows at most this now."""
    clock = ExchangeClock(time.monotonic_ns)
    venue = BinanceVenue(key_of(config.account), endpoints_of(config.account.venue))
    try:
        clock.take(await venue.time())
        return clock.latest_ms()
    finally:
        await venue.close()


async def _append(database: Database, head: Head, restored: Restored, at_ns: int) -> Head:
    reason = "restored from a backup: look, then resume"
    halted = Halted(level=HaltLevel.ENTRIES, reason=reason, by=restored.by)
    store = await asyncio.to_thread(database.store)
    try:
        return await store.begin_generation(head, restored.generation, (restored, halted), at_ns)
    finally:
        await store.close()


def _note(database: Database, account: str, restored: Restored) -> None:
    """In the platform's stream, beside the account's own."""
    asked = Requested(
        by=f"cli:{restored.by}",
        action="db_restored",
        target=account,
        detail=json.dumps({"generation": restored.generation, "reason": restored.reason}),
    )
    with closing(database.platform()) as store:
        store.change(lambda change: change.note(asked))


def _refuse_beside_nodes(config: Config) -> None:
    """None may run: what it follows would change under it, and one elsewhere may be the old one."""
    live = [node.name for node in nodes(config, config.cluster.timing.ttl_s) if node.is_live]
    if live:
        raise ConfigError(
            f"seen: running {', '.join(live)}; expected: no node; do: stop them, on every host"
        )
