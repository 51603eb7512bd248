"""Every account's journal, folded in this process as its leader writes it.

It begins at the newest snapshot and follows over one connection for reading. Not here: what is told
of it (the other modules).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Final

from holdfast.app.live.leadership import Leadership
from holdfast.app.live.start import Start, start_at
from holdfast.app.reports.telling import order_of, position_after
from holdfast.app.view.fills import Fills
from holdfast.app.view.shown import Place
from holdfast.domain.fact import Armed, Filled, Marked
from holdfast.errors import ConfigError, CorruptionError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.port import Head
from holdfast.journal.reading import Rows, armed_at, snapshot_of
from holdfast.journal.record import Record
from holdfast.journal.tail import MOST, Tail
from holdfast.ledger import fold
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
PATIENCE_S: Final = 3.0
"""Without news of a database that is asked all the time; then what is known counts as old."""
ANEW_S: Final = 5.0
"""The same at a journal that contradicts itself."""
CLOCKS_NS: Final = 60 * 10**9
"""Moments of the exchange and of the journal are nearer together than this."""


class Followed:
    """One account, as far as its journal was read.

    Attributes:
        end: of what is folded.
        places: of the orders that the fold remembers, by client order id, as they were armed.
        whole_ns: of the orders that were armed since then (journal time) the fold has forgotten
            none; 0: of all.
        fills: the newest ones.
        marked_seq: the last record that says what the account was worth; 0 before any.
        heard_s: monotonic moment of the last news; 0 before any.
        is_whole: it was folded to the end at least once.
    """

    def __init__(self, name: str, start: Start) -> None:
        self.name = name
        self.state = start.state
        self.end = start.end
        self.leadership = Leadership()
        self.places: dict[str, Place] = {}
        self.whole_ns = 0
        self.fills = Fills(name, start.end.seq)
        self.last_order_ns = 0
        self.marked_seq = 0
        self.heard_s = 0.0
        self.is_whole = False

    def fold(self, record: Record) -> None:
        """Take the next record in."""
        fact = record.fact
        oldest = next(iter(self.state.recent), "")
        fold.apply(self.state, record.seq, record.epoch, record.at_ns, fact)
        if oldest and self.state.order(oldest) is None:
            place = self.places.get(oldest)
            self._is_forgotten(record.at_ns if place is None else place.armed_ns)
        self.leadership.take(record)
        if isinstance(fact, Armed):
            self.places[fact.cid] = Place(record.seq, record.at_ns, record.at_ns)
            self.last_order_ns = record.at_ns
        elif place := self.places.get(order_of(fact)):
            place.changed_ns = record.at_ns
            place.seqs.append(record.seq)
            place.shown = None
        if isinstance(fact, Marked):
            self.marked_seq = record.seq
        elif isinstance(fact, Filled):
            position = position_after(self.state, fact)
            self.fills.hear(record.seq, fact, None if position is None else position.quantity)

    def begin(self, armed: Iterable[tuple[str, int, int]]) -> None:
        """Take in when the orders that the fold begins with were armed: id, record, moment."""
        state: AccountState = self.state
        for cid, seq, at_ns in sorted(armed, key=itemgetter(1)):
            order = state.order(cid)
            changed_ns = at_ns if order is None else max(at_ns, order.learnt_ms * 1_000_000)
            self.places[cid] = Place(seq, at_ns, changed_ns)
            self.last_order_ns = max(self.last_order_ns, at_ns)
        if len(state.recent) >= fold.REMEMBERED:
            # Closed orders are forgotten in turn: what is gone was closed before the first that is
            # still there, and armed before that.
            first = self.places.get(next(iter(state.recent)))
            known_ns = self.last_order_ns if first is None else first.changed_ns
            self._is_forgotten(known_ns + CLOCKS_NS)

    def _is_forgotten(self, armed_ns: int) -> None:
        self.whole_ns = max(self.whole_ns, armed_ns // 1000 * 1000 + 1)  # lists know microseconds

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
        is_read: all journals that there were have been read to their ends, or are at fault.
        on_news: told of records that were just folded in, of an account that is whole.
        on_whole: told of an account that was just folded to its end, for the first time or, after a
            fault, anew.
    """

    def __init__(self, database: Database, on_news: News = lambda *_: None) -> None:
        self._database = database
        self._tail: Tail = database.tail()
        self._anew_s: dict[str, float] = {}
        self._reached_s: float | None = None
        self.accounts: dict[str, Followed] = {}
        self.faults: dict[str, str] = {}
        self.is_reached = False
        self.is_read = False
        self.on_news = on_news
        self.on_whole: Callable[[Followed], None] = lambda _: None

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

    @property
    def unread_s(self) -> float:
        """How long nothing could be read, beyond what is usual; 0 while it can, and before ever.

        A database may as well hang as refuse, and one look may have much to fold.
        """
        if self._reached_s is None:
            return 0.0
        heard_s = max((followed.heard_s for followed in self.accounts.values()), default=0.0)
        waited_s = time.monotonic() - max(heard_s, self._reached_s)
        return waited_s if waited_s >= PATIENCE_S else 0.0

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
            self.is_read |= isinstance(error, ConfigError)  # there are none yet
        else:
            self.is_reached = self.is_read = True
            self._reached_s = time.monotonic()
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
            self.faults.pop(name, None)
            if not followed.is_whole:
                followed.is_whole = True
                self.on_whole(followed)
        except CorruptionError as error:
            log.warning("journal contradicts itself", action="view_fault", why=str(error))
            self.faults[name] = str(error)
            self.accounts.pop(name, None)  # perhaps another copy was put in its place
            self._anew_s[name] = time.monotonic() + ANEW_S

    async def _begin(self, name: str) -> Followed:
        def read(rows: Rows) -> Followed:
            followed = Followed(name, start_at(name, snapshot_of(rows, name)))
            known = {**followed.state.recent, **followed.state.live}
            followed.begin(armed_at(self._database.name, rows, name, known))
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
