"""Filling the tables of reports from the journal: from where they are to the end of the stream.

It can be killed at any moment and run again: a step moves the tables and their place in the stream
together. Not here: what records make of rows (app.reports.projection).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice

import msgspec

from holdfast.app.reports.projection import Projection
from holdfast.errors import RetryableError
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
    """Every account that has a stream."""
    with database.one_moment() as rows:
        return [head.account for head in all_heads(database.name, rows)]


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

    What fails for a while is tried again.

    Raises:
        ConfigError, FencedError, CorruptionError: as `Projector.step`; nothing else ends it.
    """
    projectors: dict[str, Projector] = {}
    filled: dict[str, Followed] = {}
    tended_s = -TEND_S
    while not stop.is_set():
        try:
            if time.monotonic() - tended_s >= TEND_S:
                reports.make(time.time_ns())
                tended_s = time.monotonic()
            for account in accounts():
                if account not in projectors:
                    projectors[account] = Projector(database, reports, account)
                at = filled[account] = projectors[account].step()
                told(account, at.seq, at.end)
                while at.seq != at.end and not stop.is_set():
                    at = filled[account] = projectors[account].step()
                    told(account, at.seq, at.end)
        except RetryableError as error:
            projectors.clear()
            log.warning("reports wait", action="reports_wait", why=str(error))
        stop.wait(every_s)
    return filled
