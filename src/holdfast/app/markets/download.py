"""Past candles of an exchange into the catalogue: only what is missing, kept as it comes.

Lives here: `download`, which joins the archive of an exchange and the catalogue. Not here: the bar
on the screen (cli.data).
"""

from __future__ import annotations

import asyncio
import difflib
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol

import msgspec
import polars as pl

from holdfast.domain.market import Bar
from holdfast.domain.timeframe import span_start, timeframe_s, timeframe_text
from holdfast.errors import ConfigError, RetryableError, UnreachableError
from holdfast.market import rules, spans
from holdfast.market.bar_table import SCHEMA
from holdfast.market.catalogue import DEFAULT_FOLDER, Catalogue, Entry, Rows
from holdfast.market.cells import ROW
from holdfast.market.findings import TOLD_FAULTS
from holdfast.market.names import unified
from holdfast.market.rules import Fault
from holdfast.market.spans import Span
from holdfast.market.stamp import instant_ns, iso
from holdfast.venues.ccxt.archive import TooOftenError, open_archive

_SECOND_NS: Final = 1_000_000_000
# What is at most lost by a kill, and how often the file is written anew.
_KEEP_ROWS: Final = 50_000
_KEEP_S: Final = 15.0
# After this time an exchange has published every candle that it will.
_SETTLED_NS: Final = 3600 * _SECOND_NS
# Pauses before another try: a minute in all, the window in which exchanges count requests.
PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_PATIENCE_S: Final = 120.0

# Symbol, nanoseconds that are done, nanoseconds in all.
Progress = Callable[[str, int, int], None]


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch.

    Attributes:
        exchange: its name at ccxt.
        since, until: ISO dates or times, UTC; `until` is left out, and None is now.
        url: of another server that speaks as it does.
    """

    exchange: str
    symbols: tuple[str, ...]
    timeframe: str
    since: str
    until: str | None = None
    url: str | None = None
    folder: Path = DEFAULT_FOLDER


class Fetched(Entry, frozen=True, kw_only=True):
    """A file of the catalogue after a download.

    Attributes:
        added: candles that came.
        complete: whether all that was wanted is there now; False after Ctrl-C.
        rounded: numbers with more digits than float64 keeps.
        left_out: candles of the exchange that break a rule, and were not taken.
    """

    added: int
    complete: bool
    rounded: int = 0
    left_out: list[Fault] = msgspec.field(default_factory=list)


class Source(Protocol):
    """What a download needs of an exchange; `venues.ccxt.archive.Archive` is one."""

    async def symbols(self) -> frozenset[str]:
        """All symbols."""

    async def now_ms(self) -> int:
        """The exchange's time, Unix milliseconds."""

    def pages(
        self, symbol: str, timeframe_s: int, since_ns: int, until_ns: int | None = None
    ) -> AsyncIterator[list[Bar]]:
        """Closed bars, oldest first."""


def run(wanted: Download, progress: Progress) -> list[Fetched]:
    """Download, and stop cleanly at SIGINT and SIGTERM: what came is kept.

    Raises:
        ConfigError: exchange, symbol, timeframe or dates cannot be used.
        UnreachableError: the exchange does not answer; what came before is kept.
        RejectedError: the exchange refused.
    """
    return asyncio.run(_run(wanted, progress))


async def _run(wanted: Download, progress: Progress) -> list[Fetched]:
    # What cannot work is told before ccxt is imported, which takes seconds.
    _dates(wanted)
    timeframe_s(wanted.timeframe)
    archive = open_archive(wanted.exchange, wanted.url)
    try:
        return await download(archive, wanted, progress)
    finally:
        await archive.close()


async def download(
    source: Source,
    wanted: Download,
    progress: Progress,
    pauses_s: Sequence[float] = PAUSES_S,
) -> list[Fetched]:
    """Fetch what the catalogue lacks, one symbol after the other.

    Args:
        pauses_s: seconds to wait before each further try of a question without an answer.

    Raises: as `run`.
    """
    since_ns, until_ns = _dates(wanted)
    bar_s = timeframe_s(wanted.timeframe)
    symbols = await _known(source, wanted)
    now_ns = await source.now_ms() * 1_000_000
    # The candle that is still open is no candle yet.
    span = (since_ns, span_start(min(until_ns, now_ns), bar_s))
    fetched: list[Fetched] = []
    with _stopping() as stop:
        for symbol in symbols:
            one = _One(source, wanted, symbol, now_ns, pauses_s)
            complete = await _unless(stop, one.fetch(span, progress))
            fetched.append(one.result(span, complete=complete))
            if not complete:
                break
    return fetched


def _dates(wanted: Download) -> Span:
    """From when to when; without `until` to the end of time.

    Raises:
        ConfigError: they are no dates, or in the wrong order.
    """
    since_ns = instant_ns(wanted.since)
    until_ns = 2**63 - 1 if wanted.until is None else instant_ns(wanted.until)
    if not since_ns < until_ns or since_ns >= time.time_ns():
        end = "now" if wanted.until is None else iso(until_ns)
        raise ConfigError(
            f"seen: --since {iso(since_ns)}, --until {end}; "
            "expected: the first before the second, and before now; do: correct one of them"
        )
    return since_ns, until_ns


async def _known(source: Source, wanted: Download) -> list[str]:
    """The symbols as the exchange spells them.

    Raises:
        ConfigError: it has none of that name.
        UnreachableError: it does not answer.
    """
    try:
        there = await source.symbols()
    except RetryableError as error:
        raise UnreachableError(
            f"{_seen(error)}; expected: an answer from {wanted.exchange}; "
            "do: check the network (a proxy, a firewall, a country that it does not serve), "
            "or try again later"
        ) from error
    known = []
    for text in wanted.symbols:
        symbol = text if text in there else unified(text) or text
        if symbol not in there:
            near = difflib.get_close_matches(symbol, there, n=3) or sorted(there)[:3]
            raise ConfigError(
                f"seen: symbol {text} at {wanted.exchange}; expected: one that it has, such as "
                f"{', '.join(near)}; do: correct it"
            )
        known.append(symbol)
    return known


def _seen(error: Exception) -> str:
    """What an error saw, without what it advises."""
    return str(error).partition("; do: ")[0]


@contextmanager
def _stopping() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, instead of what they do otherwise."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do the work, or cancel it as soon as `stop` is set; returns whether it was done."""
    task = asyncio.create_task(work, name="download")
    stopper = asyncio.create_task(stop.wait(), name="signal to stop")
    try:
        await asyncio.wait({task, stopper}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopper.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled():
        return False
    task.result()
    return True


class _One:
    """One symbol's download: pages are collected, and kept in the catalogue now and then."""

    def __init__(
        self,
        source: Source,
        wanted: Download,
        symbol: str,
        now_ns: int,
        pauses_s: Sequence[float],
    ) -> None:
        self._source = source
        self._exchange = wanted.exchange
        self._symbol = symbol
        self._now_ns = now_ns
        self._pauses_s = pauses_s
        self._bar_s = timeframe_s(wanted.timeframe)
        self._timeframe = timeframe_text(self._bar_s)
        self._catalogue = Catalogue(wanted.folder)
        self._bars: list[Bar] = []
        self._kept_at_s = time.monotonic()
        self._added = 0
        self._rounded = 0
        self._left_out: list[Fault] = []

    async def fetch(self, wanted: Span, progress: Progress) -> None:
        """Fetch what is missing of `wanted`. What came is kept, however it ends.

        Raises:
            UnreachableError: the exchange does not answer any more.
        """
        held = self._catalogue.held(self._exchange, self._symbol, self._timeframe)
        missing = spans.without(wanted, held)
        total_ns = sum(end - start for start, end in missing)
        done_ns = 0
        progress(self._symbol, 0, total_ns)
        for start_ns, end_ns in missing:
            at_ns = start_ns
            try:
                async for known_ns in self._patient_pages(start_ns, end_ns):
                    at_ns = known_ns
                    progress(self._symbol, done_ns + min(at_ns, end_ns) - start_ns, total_ns)
                    is_due = time.monotonic() - self._kept_at_s > _KEEP_S
                    if len(self._bars) >= _KEEP_ROWS or is_due:
                        self._keep((start_ns, at_ns))
                if end_ns + _SETTLED_NS <= self._now_ns:
                    at_ns = end_ns
            finally:
                self._keep((start_ns, at_ns))
            done_ns += end_ns - start_ns
            progress(self._symbol, done_ns, total_ns)

    def result(self, wanted: Span, *, complete: bool) -> Fetched:
        """What is in the catalogue now.

        Raises:
            ConfigError: nothing, because the exchange has no such candles.
        """
        entry = self._catalogue.entry(self._exchange, self._symbol, self._timeframe)
        if entry is None:
            raise ConfigError(
                f"seen: no candle of {self._timeframe} for {self._symbol} at {self._exchange} "
                f"from {iso(wanted[0])} to {iso(wanted[1])}; expected: at least one; "
                "do: choose other dates"
            )
        fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
        fields["bad_rows"] = len(self._left_out)
        return Fetched(
            **fields, added=self._added, complete=complete, rounded=self._rounded,
            left_out=self._left_out[:TOLD_FAULTS],
        )  # fmt: skip

    async def _patient_pages(self, start_ns: int, end_ns: int) -> AsyncIterator[int]:
        """Collect page after page; yields until when all is known. Asks again when it must."""
        at_ns, tries = start_ns, 0
        while True:
            try:
                pages = self._source.pages(self._symbol, self._bar_s, at_ns, end_ns)
                async for page in pages:
                    self._bars += page
                    at_ns, tries = page[-1].close_ns, 0
                    yield at_ns
            except RetryableError as error:
                pause_s = self._pause_s(error, tries)
                if pause_s is None:
                    raise UnreachableError(
                        f"{_seen(error)}; expected: an answer; do: run the same command again "
                        f"later: what came until {iso(at_ns)} is kept"
                    ) from error
                tries += 1
                await asyncio.sleep(pause_s)
            else:
                return

    def _pause_s(self, error: RetryableError, tries: int) -> float | None:
        """How long to wait before asking again; None when it is no use."""
        if tries >= len(self._pauses_s):
            return None
        if isinstance(error, TooOftenError):
            return error.after_s if error.after_s <= _PATIENCE_S else None
        return self._pauses_s[tries]

    def _keep(self, asked: Span) -> None:
        """Put what was collected into the catalogue, whole."""
        bars, self._bars = self._bars, []
        self._kept_at_s = time.monotonic()
        is_there = self._catalogue.path_of(
            self._exchange, self._symbol, self._timeframe
        ).exists()
        if not bars and (asked[0] == asked[1] or not is_there):
            return
        frame = self._judged(bars)
        self._catalogue.put(
            self._exchange,
            Rows(self._symbol, self._timeframe, frame),
            f"{self._exchange}, public candles",
            asked=[asked],
        )
        self._added += len(frame)

    def _judged(self, bars: list[Bar]) -> pl.DataFrame:
        """The candles as columns; those that break a rule are left out, and counted."""
        rows = []
        for number, bar in enumerate(bars, start=1):
            exact = (bar.open, bar.high, bar.low, bar.close, bar.volume)
            floats = [float(value) for value in exact]
            self._rounded += sum(
                Decimal(repr(value)) != told for value, told in zip(floats, exact, strict=True)
            )
            rows.append((number, bar.open_ns, *floats))
        schema = pl.Schema([(ROW, pl.Int64()), *SCHEMA.items()])
        values = pl.DataFrame(rows, schema=schema, orient="row")
        judged = rules.judge_bars(values, {}, sort=False)
        for fault in sorted(
            [*judged.bad, *judged.duplicates, *judged.misplaced], key=lambda fault: fault.row
        ):
            moment = iso(bars[fault.row - 1].open_ns)
            self._left_out.append(Fault(fault.row, f"candle of {moment}: {fault.reason}"))
        return judged.good.select(SCHEMA.names())
