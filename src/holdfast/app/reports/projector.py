"""Filling the tables of reports from the journal: from where they are to the end of the stream.

It can be killed at any moment and run again: a step moves the tables and their place in the stream
together. Not here: what records make of rows (app.reports.projection).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from holdfast.app.reports.projection import Projection
from holdfast.errors import CorruptionError, FencedError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.reading import all_heads, hash_of, head_of, proved
from holdfast.journal.record import Record
from holdfast.journal.reports import Progress, Reports
from holdfast.telemetry.log import get_logger

log = get_logger("app.reports")

STEP = 2000
"""Records at once: a step is one transaction, and one moment of the journal."""

SAVE_EVERY = 10_000
"""Records after which the fold is kept: a start folds at most so many again."""

TEND_S = 3600.0

STAND_BY_S = 5.0
"""Between two looks at whether another process still fills them."""

FILLER = "@reports"
"""What the one process that fills them owns; no account is called so."""

Told = Callable[[str, int, int], None]
"""Told the account, the record that its reports have come to, and the last one of its stream."""


class Followed(msgspec.Struct, frozen=True):
    """Where the reports of an account stand.

    Attributes:
        seq, end: the last record that they have, and the last one of the stream.
        begun_anew: they were of another history, and are filled again from its beginning.
    """

    seq: int
    end: int
    begun_anew: bool = False


class Projector:
    """Fills the tables of one account; made from what they say, and good until something fails."""

    def __init__(self, database: Database, reports: Reports, account: str) -> None:
        self._database = database
        self._reports = reports
        self._account = account
        self.begun_anew = False
        self._at = self._begin()
        self._projection = Projection.from_bytes(reports.saved(account))
        if self._projection.state.seq > self._at.seq:  # never written like that: another copy
            self._projection = Projection.from_bytes(None)
        self._saved_seq = self._projection.state.seq

    def _begin(self) -> Progress:
        """Where the tables are; at the beginning, when the stream is not theirs (any more)."""
        at = self._reports.begin(self._account)
        with self._database.one_moment() as rows:
            stored = hash_of(self._database.name, rows, self._account, at.seq)
        if not at.seq or stored == at.hash:
            return at
        log.warning(
            "reports of another history: filled anew", action="reports_anew",
            account=self._account, seq=at.seq,
        )  # fmt: skip
        self.begun_anew = True
        self._reports.reset(self._account)
        return self._reports.begin(self._account)

    def step(self) -> Followed:
        """Take in the next records, at most `STEP`; when `seq` is `end` there are no more.

        Raises:
            FencedError: another process fills them.
            CorruptionError: the stream does not hold.
            RetryableError: not now; nothing was changed, make another `Projector`.
        """
        folded = self._projection.state.seq
        with self._database.one_moment() as rows:
            name = self._database.name
            end = head_of(name, rows, self._account).seq
            records = list(islice(proved(name, rows, self._account, folded), STEP))
            last = records[-1].seq if records else folded
            digest = hash_of(name, rows, self._account, last)
        self._take(records)
        if last > self._at.seq:
            assert digest is not None  # noqa: S101 - it was just read
            self._write(Progress(last, digest))
        return Followed(last, end, self.begun_anew)

    def _take(self, records: list[Record]) -> None:
        for record in records:
            self._projection.take(self._account, record, known=record.seq <= self._at.seq)

    def _write(self, after: Progress) -> None:
        body = None
        if after.seq - self._saved_seq >= SAVE_EVERY:
            body, self._saved_seq = self._projection.to_bytes(), after.seq
        self._reports.write(self._account, self._at, after, self._projection.taken(), body)
        self._at = after


def accounts_in(database: Database) -> list[str]:
    """Every account that has a stream; what begins with `@` is of no account."""
    with database.one_moment() as rows:
        heads = all_heads(database.name, rows)
    return [head.account for head in heads if not head.account.startswith("@")]


def fill(
    database: Database, reports: Reports, account: str, told: Told = lambda *_: None
) -> Followed:
    """Bring the reports of an account to the end of its stream. Blocks; safe to repeat.

    Raises:
        As `Projector.step`.
    """
    projector = Projector(database, reports, account)
    while True:
        at = projector.step()
        told(account, at.seq, at.end)
        if at.seq == at.end:
            return at


def follow(
    database: Database,
    reports: Reports,
    accounts: Callable[[], list[str]],
    stop: threading.Event,
    *,
    every_s: float = 1.0,
    told: Told = lambda *_: None,
) -> dict[str, Followed]:
    """Keep the reports of all accounts up to date until `stop`, and tell where they are then.

    Any number of processes may: one of them does, and the others wait until it is gone. What fails
    for a while is tried again; an account whose stream does not hold is left out for `TEND_S`.

    Raises:
        ConfigError, CorruptionError: of the tables, or of the journal as a whole.
    """
    filled: dict[str, Followed] = {}
    has_told = False
    while not stop.is_set():
        try:
            owner = database.own(FILLER)
        except (FencedError, RetryableError) as error:
            if not has_told:
                log.info("reports are not filled here", action="reports_stand_by", why=str(error))
            has_told = True
            stop.wait(STAND_BY_S)
            continue
        try:
            _keep_up(
                database, reports, accounts, stop, every_s=every_s, told=told, filled=filled
            )
        except FencedError as error:
            log.warning("reports filled elsewhere", action="reports_wait", why=str(error))
            stop.wait(STAND_BY_S)
        finally:
            owner.release()
    return filled


def _keep_up(
    database: Database,
    reports: Reports,
    accounts: Callable[[], list[str]],
    stop: threading.Event,
    *,
    every_s: float,
    told: Told,
    filled: dict[str, Followed],
) -> None:
    """As `follow`, as the only one."""
    projectors: dict[str, Projector] = {}
    damaged: set[str] = set()
    tended_s = -TEND_S
    while not stop.is_set():
        try:
            if time.monotonic() - tended_s >= TEND_S:
                reports.make(time.time_ns())
                damaged.clear()
                tended_s = time.monotonic()
            for account in (one for one in accounts() if one not in damaged):
                try:
                    if account not in projectors:
                        projectors[account] = Projector(database, reports, account)
                    for at in _to_the_end(projectors[account], stop):
                        filled[account] = at
                        told(account, at.seq, at.end)
                except CorruptionError as error:
                    projectors.pop(account, None)
                    damaged.add(account)
                    log.warning("reports wait", action="reports_wait", why=str(error))
        except RetryableError as error:
            projectors.clear()
            log.warning("reports wait", action="reports_wait", why=str(error))
        stop.wait(every_s)


def _to_the_end(projector: Projector, stop: threading.Event) -> Iterator[Followed]:
    """Steps, one at least, until there are no more records."""
    while True:
        at = projector.step()
        yield at
        if at.seq == at.end or stop.is_set():
            return
