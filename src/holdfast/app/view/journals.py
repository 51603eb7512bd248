"""Every account's journal, folded in this process as its leader writes it.

It begins at the newest snapshot and follows over one connection for reading. Not here: what is told
of it (the other modules).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from holdfast.api.shapes.trading import Order
from holdfast.app.live.leadership import Leadership
from holdfast.app.live.start import Start, start_at
from holdfast.app.reports.telling import order_of
from holdfast.domain.fact import Armed
from holdfast.errors import ConfigError, CorruptionError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.port import Head
from holdfast.journal.reading import Rows, armed_at, snapshot_of
from holdfast.journal.record import Record
from holdfast.journal.tail import MOST, Tail
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.telemetry.log import get_logger

log = get_logger("app.view")

POLL_S: Final = 0.04
BUSY_POLL_S: Final = 0.02
"""The same while there was news within `BUSY_S`: after an order is armed, its fill is near."""
BUSY_S: Final = 1.0
SLICE: Final = 200
"""Records folded before others get their turn: some two milliseconds."""
AGAIN_S: Final = 0.5
"""Between two tries at a database that does not answer, or has no journal yet."""
ANEW_S: Final = 5.0
"""The same at a journal that contradicts itself."""


Where = tuple[int, str, int]
"""An item's moment (ns), account and record: in this order lists are, newest first."""


class Shown(msgspec.Struct, frozen=True):
    """An order as lists show it.

    Attributes:
        where: its place in them.
        written: the same order as it goes over the wire.
    """

    where: Where
    order: Order
    written: msgspec.Raw


class Place(msgspec.Struct):
    """When and where an order was armed, and when it last changed; journal time.

    Attributes:
        seqs: of the records about it that were read since this process follows.
        shown: the order as it was last shown; None after a change.
    """

    seq: int
    armed_ns: int
    changed_ns: int
    seqs: list[int] = []
    shown: Shown | None = None


class Followed:
    """One account, as far as its journal was read.

    Attributes:
        end: of what is folded.
        places: of the orders that the fold remembers, by client order id, as they were armed.
        heard_s: monotonic moment of the last news; 0 before any.
        is_whole: it was folded to the end at least once.
    """

    def __init__(self, name: str, start: Start) -> None:
        self.name = name
        self.state = start.state
        self.end = start.end
        self.leadership = Leadership()
        self.places: dict[str, Place] = {}
        self.last_order_ns = 0
        self.heard_s = 0.0
        self.is_whole = False

    def fold(self, record: Record) -> None:
        """Take the next record in."""
        fact = record.fact
        apply(self.state, record.seq, record.epoch, record.at_ns, fact)
        self.leadership.take(record)
        if isinstance(fact, Armed):
            self.places[fact.cid] = Place(record.seq, record.at_ns, record.at_ns)
            self.last_order_ns = record.at_ns
        elif place := self.places.get(order_of(fact)):
            place.changed_ns = record.at_ns
            place.seqs.append(record.seq)
            place.shown = None

    def forget(self) -> None:
        """Let go of the places of orders that the fold has forgotten."""
        state: AccountState = self.state
        if len(self.places) > 2 * (len(state.live) + len(state.recent)) + SLICE:
            self.places = {c: p for c, p in self.places.items() if state.order(c) is not None}


News = Callable[[Followed, Sequence[Record]], None]


class Journals:
    """All accounts of one database.

    Attributes:
        accounts: by name.
        faults: what is wrong with a journal that cannot be followed, by account.
        is_reached: the database answered the last time it was asked.
        on_news: told of records that were just folded in.
    """

    def __init__(self, database: Database, on_news: News = lambda *_: None) -> None:
        self._database = database
        self._tail: Tail = database.tail()
        self._anew_s: dict[str, float] = {}
        self.accounts: dict[str, Followed] = {}
        self.faults: dict[str, str] = {}
        self.is_reached = False
        self.on_news = on_news

    async def run(self) -> None:
        """Follow until cancelled; a database that does not answer is asked again."""
        try:
            while True:
                is_reached = await self.look()
                await asyncio.sleep(self.pause_s if is_reached else AGAIN_S)
        finally:
            self.close()

    @property
    def pause_s(self) -> float:
        """Until it looks again, at a database that answers."""
        heard_s = max((followed.heard_s for followed in self.accounts.values()), default=0.0)
        return BUSY_POLL_S if time.monotonic() - heard_s < BUSY_S else POLL_S

    def close(self) -> None:
        """Let the connection go; it is opened again when it is needed."""
        self._tail.close()

    async def look(self) -> bool:
        """Read and fold what is new, of all accounts; whether the database answered."""
        try:
            for head in await asyncio.to_thread(self._tail.heads):
                if not head.account.startswith("@"):
                    await self._follow(head)
        except (RetryableError, ConfigError) as error:
            if self.is_reached:
                log.warning("journal not read", action="view_wait", why=str(error))
            self.is_reached = False
        else:
            self.is_reached = True
        return self.is_reached

    async def _follow(self, head: Head) -> None:
        name = head.account
        if self._anew_s.get(name, 0.0) > time.monotonic():
            return
        try:
            followed = self.accounts.get(name) or await self._begin(name)
            while (followed.end.seq, followed.end.hash) != (head.seq, head.hash):
                end, records = await asyncio.to_thread(self._tail.since, followed.end)
                await self._fold(followed, records)
                followed.end = end
                if len(records) < MOST:
                    break
            followed.is_whole = True
            self.faults.pop(name, None)
        except CorruptionError as error:
            log.warning("journal contradicts itself", action="view_fault", why=str(error))
            self.faults[name] = str(error)
            self.accounts.pop(name, None)  # perhaps another copy was put in its place
            self._anew_s[name] = time.monotonic() + ANEW_S

    async def _begin(self, name: str) -> Followed:
        def read(rows: Rows) -> Followed:
            followed = Followed(name, start_at(name, snapshot_of(rows, name)))
            state = followed.state
            known = {**state.recent, **state.live}
            armed = armed_at(self._database.name, rows, name, known)
            for cid, seq, at_ns in sorted(armed, key=lambda one: one[1]):
                changed_ns = max(at_ns, known[cid].learnt_ms * 1_000_000)
                followed.places[cid] = Place(seq, at_ns, changed_ns)
                followed.last_order_ns = max(followed.last_order_ns, at_ns)
            return followed

        self.accounts[name] = followed = await asyncio.to_thread(self._tail.look, read)
        return followed

    async def _fold(self, followed: Followed, records: Sequence[Record]) -> None:
        for first in range(0, len(records), SLICE):
            part = records[first : first + SLICE]
            for record in part:
                followed.fold(record)
            followed.heard_s = time.monotonic()
            if followed.is_whole:
                self.on_news(followed, part)
            if len(records) > SLICE:
                await asyncio.sleep(0)
        followed.forget()
