"""Journals followed from where people were last told, and what they say put before who hears it.

How far a journal was told moves on in the transaction that lets its notices wait, so none is told
twice for that and none is left out. Not here: what is worth telling (facts), delivering.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final

from holdfast.app.notify import people
from holdfast.app.notify.claim import Claim
from holdfast.app.notify.facts import Teller
from holdfast.app.reports.telling import bot_of
from holdfast.app.view.journals import Followed, Journals
from holdfast.config.notify import NotifySettings
from holdfast.domain.fact import Rested
from holdfast.errors import ConfigError, CorruptionError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.port import Head
from holdfast.journal.reading import records_at
from holdfast.journal.record import Record
from holdfast.journal.tail import MOST, Tail
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import Kind, Notice
from holdfast.platform.port import Change, PlatformStore
from holdfast.telemetry.log import get_logger

log = get_logger("app.notify")

POLL_S: Final = 0.2
SAVE_EVERY: Final = 1000
"""Records without news after which it is kept how far they were read."""


class _Told:
    """How far one account was told."""

    def __init__(self, teller: Teller, end: Head) -> None:
        self.teller = teller
        self.end = end
        self.saved_seq = end.seq


class Follower:
    """Of all accounts of a database.

    Args:
        journals: folded beside this, for what a record does not say itself.
    """

    def __init__(
        self,
        database: Database,
        store: PlatformStore,
        claim: Claim,
        journals: Journals,
        settings: NotifySettings,
    ) -> None:
        self._name = database.name
        self._tail: Tail = database.tail()
        self._store = store
        self._claim = claim
        self._journals = journals
        self._settings = settings
        self._told: dict[str, _Told] = {}

    async def run(self) -> None:
        """Follow until cancelled.

        Raises:
            FencedError: another process tells people.
        """
        try:
            while True:
                try:
                    await self.look()
                except (RetryableError, ConfigError) as error:
                    log.warning("journal not read", action="notify_wait", why=str(error))
                await asyncio.sleep(POLL_S)
        finally:
            self._tail.close()

    async def look(self) -> None:
        """Read what is new, of all accounts."""
        for head in await asyncio.to_thread(self._tail.heads):
            if not head.account.startswith("@"):
                try:
                    await self._follow(head)
                except CorruptionError as error:
                    await self._begin_anew(head, str(error))

    async def _follow(self, head: Head) -> None:
        told = self._told.get(head.account) or await self._begin(head)
        while (told.end.seq, told.end.hash) != (head.seq, head.hash):
            end, records = await asyncio.to_thread(self._tail.since, told.end)
            await self._take(told, end, records)
            if len(records) < MOST:
                break

    async def _begin(self, head: Head) -> _Told:
        """Where it was left; at the end of a journal that nobody was ever told of."""
        account = head.account
        known = await asyncio.to_thread(self._store.look, lambda look: rows.position(look, account))
        teller = Teller(account, self._settings.slow_order_ms)
        if known is None:
            await self._claim.changing(lambda c: rows.move(c, account, head.seq, head.hash))
            end = head
        else:
            end = Head(account, head.epoch, head.generation, known[0], known[1])
        if end.seq:
            (before,) = await asyncio.to_thread(
                self._tail.look, lambda r: tuple(records_at(self._name, r, account, (end.seq,)))
            )
            teller.rested(before.fact.why if isinstance(before.fact, Rested) else "")
        self._told[account] = told = _Told(teller, end)
        return told

    async def _take(self, told: _Told, end: Head, records: Sequence[Record]) -> None:
        followed = self._journals.accounts.get(end.account)
        notices = [
            notice
            for record in records
            for notice in (told.teller.take(record, _bot(followed, record)),)
            if notice is not None
        ]
        if notices or end.seq - told.saved_seq >= SAVE_EVERY:
            await self._put(notices, end)
            told.saved_seq = end.seq
        told.end = end

    async def _put(self, notices: Iterable[Notice], end: Head) -> None:
        def put(change: Change) -> None:
            put_all(change, notices)
            rows.move(change, end.account, end.seq, end.hash)

        await self._claim.changing(put)

    async def _begin_anew(self, head: Head, why: str) -> None:
        """What was followed is not there any more: say so once, and go on from what is."""
        log.error("journal contradicts itself", action="notify_fault", why=why)
        notice = Notice(
            kind=Kind.FAULT, account=head.account, at_ns=time.time_ns(),
            told=f"{why} What happened meanwhile may not have been told.",
        )  # fmt: skip
        self._told.pop(head.account, None)
        await self._put([notice], head)


def put_all(change: Change, notices: Iterable[Notice]) -> int:
    """Let notices wait for everybody who may hear of them and asked to; how many there are."""
    everybody, count = people.everybody(change), 0
    wanted = [one for one in rows.subscriptions(change) if one.user_id in everybody]
    for notice in notices:
        for one in wanted:
            if one.wants(notice, everybody[one.user_id]):
                rows.put(change, one, notice)
                count += 1
    return count


def _bot(followed: Followed | None, record: Record) -> str:
    return bot_of(record.fact, followed.state) if followed is not None else ""
