"""What lies further back than a fold remembers: the tables of reports, asked off the event loop.

A replica of the database may answer, as long as it is near enough to what the journal was seen to
say; nothing on the path of an order asks here. Not here: filling the tables (app.reports).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import msgspec

from holdfast.app.view.journals import Journals
from holdfast.config.database import ReportPolicy
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.reading import all_heads, records_at
from holdfast.journal.record import Record
from holdfast.journal.report_query import END_OF_STREAM, Wanted
from holdfast.journal.reports import Reports, Row
from holdfast.telemetry.log import get_logger

T = TypeVar("T")

log = get_logger("app.view")

THREADS: Final = 4
LOOK_S: Final = 1.0


class History:
    """Questions to the tables, each in a thread that has a connection of its own.

    Args:
        replica: a copy of the database that follows it; None without.
        journals: says how far the copy should be.
        most_lag_s: what the copy may lack, in time; beyond it the database itself is asked.

    Attributes:
        lag_s: of the replica: since when records are missing there; None without one, or while it
            does not answer.
    """

    def __init__(
        self,
        database: Database,
        policy: ReportPolicy,
        journals: Journals,
        *,
        replica: Database | None = None,
        most_lag_s: float = 5.0,
    ) -> None:
        self._database = database
        self._policy = policy
        self._journals = journals
        self._replica = replica
        self._most_lag_s = most_lag_s
        self._lacking_s: dict[str, tuple[int, float]] = {}
        self._threads = ThreadPoolExecutor(THREADS, "history")
        self._local = threading.local()
        self._opened: list[Reports] = []
        self.lag_s: float | None = None

    async def run(self) -> None:
        """Watch the replica until cancelled."""
        while self._replica is not None:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """See how far the replica is."""
        assert self._replica is not None  # noqa: S101 - the caller knows
        before = self.lag_s
        try:
            heads = await self._in_thread(self._heads_of_replica)
        except (RetryableError, ConfigError) as error:
            self.lag_s = None
            if before is not None:
                log.warning("replica not read", action="replica_wait", why=str(error))
            return
        self.lag_s = self._lag_s(heads)
        was_used, is_used = _is_near(before, self._most_lag_s), self.is_near
        if was_used and not is_used:
            log.warning(
                "replica lags: reports are read from the database itself", action="replica_lag",
                lag_s=round(self.lag_s, 1), most_s=self._most_lag_s,
            )  # fmt: skip

    @property
    def is_near(self) -> bool:
        """Whether the replica is asked."""
        return _is_near(self.lag_s, self._most_lag_s)

    def _lag_s(self, heads: Mapping[str, int]) -> float:
        """How long the oldest record that the replica lacks has been known here."""
        now_s, worst_s = time.monotonic(), 0.0
        for followed in list(self._journals.accounts.values()):
            name, there = followed.name, heads.get(followed.name, 0)
            if there >= followed.state.seq:
                self._lacking_s.pop(name, None)
                continue
            lacking, since_s = self._lacking_s.get(name, (0, now_s))
            if there >= lacking:  # it has caught up with what was missing; something newer is now
                lacking, since_s = followed.state.seq, now_s
                self._lacking_s[name] = lacking, since_s
            worst_s = max(worst_s, now_s - since_s)
        return worst_s

    def _heads_of_replica(self) -> dict[str, int]:
        assert self._replica is not None  # noqa: S101 - as `look`
        with self._replica.one_moment() as rows:
            return {head.account: head.seq for head in all_heads(self._replica.name, rows)}

    # -- questions ---------------------------------------------------------------------------------

    async def ask(self, question: Callable[[Reports], T]) -> T:
        """What `question` finds.

        Raises:
            RetryableError: the tables do not answer, or are not made yet.
        """
        return await self._in_thread(lambda: question(self._reports()))

    async def newest(
        self,
        table: str,
        accounts: Iterable[str],
        wanted: Wanted,
        after: tuple[int, str, int] | None,
    ) -> list[Row]:
        """Rows of several accounts, newest first: by moment, account and record.

        Args:
            after: moment (ns), account and record of the last row of the page before.
        """

        def read(reports: Reports) -> list[Row]:
            rows = [
                row
                for account in accounts
                for row in reports.newest(table, account, _after(wanted, account, after))
            ]
            at = "armed_at" if table == "report_order" else "at"
            rows.sort(key=lambda row: (row[at], row["account"], row["seq"]), reverse=True)
            return rows[: wanted.limit]

        return await self.ask(read)

    async def records(self, account: str, seqs: Sequence[int]) -> list[Record]:
        """Single records of a journal, in this order, each proved by the one before it."""

        def read() -> list[Record]:
            with self._database.one_moment() as rows:
                return list(records_at(self._database.name, rows, account, seqs))

        return await self._in_thread(read)

    async def close(self) -> None:
        """Let the connections go."""
        await asyncio.to_thread(self._threads.shutdown)
        for reports in self._opened:
            reports.close()

    def _reports(self) -> Reports:
        """The tables as this thread reads them: of the replica while that is near."""
        whose = self._replica if self._replica is not None and self.is_near else self._database
        kept: dict[int, Reports] = self._local.__dict__.setdefault("reports", {})
        if id(whose) not in kept:
            kept[id(whose)] = whose.reports(self._policy)
            self._opened.append(kept[id(whose)])
        return kept[id(whose)]

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _is_near(lag_s: float | None, most_s: float) -> bool:
    return lag_s is not None and lag_s <= most_s


def _after(wanted: Wanted, account: str, after: tuple[int, str, int] | None) -> Wanted:
    """The same of one account: what comes after a place among several."""
    if after is None:
        return wanted
    at_ns, of, seq = after
    seq = seq if account == of else END_OF_STREAM if account < of else 0
    return msgspec.structs.replace(wanted, before=(at_ns, seq))
