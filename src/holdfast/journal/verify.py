"""Verifying whole streams: every link, every number, every byte, the head, and what is unique.

Not here: signed heads outside the database, which would prove it against the database's owner too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from holdfast.domain.platform import PLATFORM
from holdfast.errors import ConfigError, CorruptionError
from holdfast.journal.database import Database
from holdfast.journal.platform import platform_head, proved_events
from holdfast.journal.port import Head
from holdfast.journal.reading import Rows, all_heads, proved
from holdfast.journal.record import GENESIS
from holdfast.journal.row_check import BadRow, RowCheck, accounts_with_rows
from holdfast.journal.version import PLATFORM_SINCE

Progress = Callable[[str, int, int], None]
"""Told the account, how many records are proved, and how many there should be."""

_STEP = 1000


class FirstBad(msgspec.Struct, frozen=True):
    """The first place where a stream does not hold.

    Attributes:
        seq: the record that is wrong, or missing.
    """

    account: str
    seq: int
    reason: str


class StreamReport(msgspec.Struct, frozen=True):
    """One stream.

    Attributes:
        records: how many its head promises.
        proved_to: sequence number of the last record that holds, with all before it.
        sealed_to: of the last record under a signed head outside the database; none yet.
        rows: how many rows the stream claims in the tables of what must be unique; they are
            compared when the stream itself holds.
        bad_rows: the first of the rows that are missing, too many or different.
        bad_row_count: how many there are.
    """

    account: str
    records: int
    proved_to: int
    sealed_to: int
    first_bad: FirstBad | None
    rows: int = 0
    bad_rows: tuple[BadRow, ...] = ()
    bad_row_count: int = 0

    @property
    def is_good(self) -> bool:
        """Whether every record holds, and the tables say the same."""
        return self.first_bad is None and not self.bad_row_count


class Report(msgspec.Struct, frozen=True):
    """All streams that were looked at.

    Attributes:
        ok: every record of every stream holds, and every row beside it.
        records, proved_to: of the stream; of several streams, the sums.
        first_bad: of the first stream that has one.
    """

    ok: bool
    records: int
    proved_to: int
    first_bad: FirstBad | None
    streams: tuple[StreamReport, ...]


def verify(
    database: Database,
    account: str | None = None,
    progress: Progress = lambda _account, _done, _all: None,
) -> Report:
    """Prove one stream of a journal, or all of them. Blocks; writes nothing.

    Raises:
        ConfigError: there is no such database or no such stream.
        RetryableError: it cannot be read now.
    """
    try:
        heads = [head for head in _heads(database) if account in (None, head.account)]
    except CorruptionError as error:  # not even the list of streams can be read
        return Report(False, 0, 0, FirstBad(account or "", 1, str(error)), ())
    if account is not None and not heads:
        raise ConfigError(
            f"seen: no stream of {account} in {database.name}; expected: an account that has "
            "traded; do: name another, or none for all"
        )
    streams = tuple(_verify_stream(database, head, progress) for head in heads)
    return Report(
        ok=all(stream.is_good for stream in streams),
        records=sum(stream.records for stream in streams),
        proved_to=sum(stream.proved_to for stream in streams),
        first_bad=next((stream.first_bad for stream in streams if stream.first_bad), None),
        streams=streams,
    )


def _heads(database: Database) -> list[Head]:
    """Of all streams; and an empty one for each account that has rows and no stream.

    The platform's is the last one, once there is anything in it.
    """
    stored = database.version()
    with database.one_moment() as rows:
        heads = all_heads(database.name, rows)
        orphans = accounts_with_rows(rows) - {head.account for head in heads}
        has_platform = stored is not None and stored.schema >= PLATFORM_SINCE
        platform = _platform(database.name, rows) if has_platform else []
    orphaned = [Head(account, 0, 1, 0, GENESIS) for account in sorted(orphans)]
    return [*heads, *orphaned, *platform]


def _platform(name: object, rows: Rows) -> list[Head]:
    head = platform_head(name, rows)
    some = rows.execute("SELECT 1 FROM platform_record LIMIT 1").fetchone()
    return [head] if head.seq or some else []


def _verify_stream(database: Database, head: Head, progress: Progress) -> StreamReport:
    proved_to, records, first_bad = 0, head.seq, None
    try:
        with database.one_moment() as rows:
            check = RowCheck(database.name, rows, head.account)
            for seq in _proving(database, rows, head.account, check):
                proved_to = seq
                if proved_to % _STEP == 0:
                    progress(head.account, proved_to, records)
            check.finish()
    except CorruptionError as error:
        first_bad = FirstBad(head.account, proved_to + 1, str(error))
        progress(head.account, proved_to, records)
        return StreamReport(head.account, records, proved_to, 0, first_bad)
    records = proved_to  # it may have grown since
    progress(head.account, proved_to, records)
    return StreamReport(
        head.account, records, proved_to, 0, None, check.compared, tuple(check.bad), check.bad_count
    )


def _proving(database: Database, rows: Rows, account: str, check: RowCheck) -> Iterator[int]:
    """The numbers of the records, as they are proved; the platform's claim no rows."""
    if account == PLATFORM:
        yield from (event.seq for event in proved_events(database.name, rows))
        return
    for record in proved(database.name, rows, account):
        check.take(record)
        yield record.seq
