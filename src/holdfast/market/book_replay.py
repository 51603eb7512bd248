"""Recorded order books of one symbol, walked forward in time: one book in memory, never all.

Lives here: which book is in force when, from raw recordings. Not here: the rules of update ids
(`orderbook`), the messages (`raw_messages`), what an order does in a book (lab.depth).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from pathlib import Path

from holdfast.domain.market import NS_PER_S, BookLevels, Level
from holdfast.domain.order import Side
from holdfast.domain.waiting_line import UNTOLD
from holdfast.market.names import split_venue_symbol
from holdfast.market.orderbook import BookGapError, Diff, OrderBook, Snapshot
from holdfast.market.raw_messages import Top, book_events, first_book_change
from holdfast.market.recordings import files_by_symbol
from holdfast.market.stamp import iso
from holdfast.market.table import read_lines, sha256_of

# Busy markets change ten times a second. A book as old as this says nothing about the market.
STALE_NS = 5 * NS_PER_S

_BUY = Side.BUY
_EXPECTED = "Binance's raw stream messages with a depth snapshot and the changes after it"


class BookReplay:
    """The books of one symbol, asked with times that never fall.

    A book is in force from the exchange time of a change on, until the next one, for five seconds
    at most. A snapshot takes effect with the change after it, whose time is known. Where changes
    are missing there is no book until the next snapshot.

    What `take` was told is gone from its level until the recording changes that level.

    Args:
        first_ns: exchange time of the first change, to tell people.
        sha256: of the recordings.
    """

    def __init__(
        self,
        symbol: str,
        events: Iterable[Snapshot | Diff | Top],
        *,
        first_ns: int = 0,
        sha256: str = "",
    ) -> None:
        self.symbol = symbol
        self.sha256 = sha256
        self._first_ns = first_ns
        self._events = iter(events)
        self._book = OrderBook(symbol)
        self._book_ns: int | None = None  # of the change that made the book; None: it is not known
        self._asked_ns = 0
        self._walked_ns = 0
        self._taken: dict[tuple[Side, Decimal], Decimal] = {}
        self._snapshots: list[Snapshot] = []
        self._next = self._pull()

    @property
    def coverage(self) -> str:
        """From when books are recorded, and until when they were walked: for people."""
        return f"from {iso(self._first_ns)}, walked to {iso(self._walked_ns or self._first_ns)}"

    def levels(self, side: Side, at_ns: int) -> Iterator[Level] | None:
        """What an order of `side` meets at `at_ns`, best first; None where no book is known.

        Raises:
            ValueError: an earlier time than the last: that book is gone.
            ConfigError: a line of a recording is no message.
        """
        if at_ns < self._asked_ns:
            raise ValueError(f"a book of {at_ns} after one of {self._asked_ns}: only forward")
        self._asked_ns = at_ns
        while self._next_ns is not None and self._next_ns <= at_ns:
            self._step()
        if self._book_ns is None or at_ns - self._book_ns > STALE_NS:
            return None
        return self._untaken(side)

    def when(
        self, side: Side, price: Decimal, since_ns: int, until_ns: int, *, falls: bool
    ) -> int | None:
        """The first time from `since_ns` to `until_ns` at which the best price for an order of
        `side` is at or below `price` (or, when it does not fall, at or above); None: not seen.

        Where later times were asked for already, it begins with those.

        Raises:
            ConfigError: a line of a recording is no message.
        """
        at_ns: int | None = max(since_ns, self._asked_ns)
        while at_ns is not None and at_ns <= until_ns:
            best = next(self.levels(side, at_ns) or iter(()), None)
            if best is not None and (best[0] <= price if falls else best[0] >= price):
                return at_ns
            at_ns = self._next_ns
        return None

    def best(self, levels: int, at_ns: int) -> BookLevels:
        """The best levels at `at_ns`, whatever was taken from them; none while not known.

        Where later times were asked for already, those of then.

        Raises:
            ConfigError: a line of a recording is no message.
        """
        if self.levels(_BUY, max(at_ns, self._asked_ns)) is None:
            return BookLevels(0, self.symbol)
        return self._book.best(levels)

    def changes(
        self, until_ns: int
    ) -> Iterator[tuple[Iterator[Decimal], Iterator[Decimal]] | None]:
        """Go forward to `until_ns`: the prices of bids and asks that each change has told anew,
        None for all of them. Whoever went forward in another way has missed some.

        Raises:
            ConfigError: a line of a recording is no message.
        """
        while self._next is not None and (self._next_ns or 0) <= until_ns:
            told, is_whole = self._next, self._step()
            bids, asks = ((price for price, _ in side) for side in (told.bids, told.asks))
            yield None if is_whole else (bids, asks)

    def quantity_at(self, side: Side, price: Decimal) -> Decimal:
        """What is shown where orders of `side` rest: infinite while the book is not known."""
        if not self._book.is_known:
            return UNTOLD
        return self._book.bid_at(price) if side is _BUY else self._book.ask_at(price)

    def edge(self, side: Side) -> Decimal | None:
        """The last price that a snapshot told on the side on which orders of `side` rest."""
        return self._book.bid_edge if side is _BUY else self._book.ask_edge

    def take(self, side: Side, parts: Sequence[Level]) -> None:
        """An order of `side` has executed `parts`, prices with quantities, in the last book."""
        for price, quantity in parts:
            key = side, price
            self._taken[key] = self._taken.get(key, Decimal(0)) + quantity

    def _untaken(self, side: Side) -> Iterator[Level]:
        for price, quantity in self._book.asks() if side is _BUY else self._book.bids():
            left = quantity - self._taken.get((side, price), 0)
            if left > 0:
                yield price, left

    def _pull(self) -> Diff | None:
        """The next change; snapshots before it are laid aside until it is due."""
        for event in self._events:
            if isinstance(event, Diff):
                return event
            if isinstance(event, Snapshot):
                self._snapshots.append(event)
        return None

    @property
    def _next_ns(self) -> int | None:
        """When the next change counts: a clock that was set back takes no changes back."""
        return None if self._next is None else max(self._next.at_ns, self._walked_ns)

    def _step(self) -> bool:
        """Take the next change in; whether the book is another one since."""
        assert self._next is not None  # noqa: S101 - the caller looked
        is_whole = self._take_in(self._next)
        self._next = self._pull()
        return is_whole

    def _take_in(self, diff: Diff) -> bool:
        is_whole = False
        self._walked_ns = max(self._walked_ns, diff.at_ns)
        book = self._book
        for snapshot in self._snapshots:
            if not book.is_known or snapshot.last_id >= book.last_id:
                with suppress(BookGapError):  # too old for the changes after it: the next may fit
                    book.restore(snapshot)
                    self._taken.clear()
                    is_whole = True
        self._snapshots.clear()
        with suppress(BookGapError):  # not known until a snapshot that fits
            book.apply(diff)
        # A snapshot may be ahead of the changes that came with it: its own time is not known.
        is_exact = book.is_known and book.last_id == diff.last_id
        self._book_ns = self._walked_ns if is_exact else None
        if self._taken:
            for side, levels in ((Side.SELL, diff.bids), (Side.BUY, diff.asks)):
                for price, _ in levels:
                    self._taken.pop((side, price), None)
        return is_whole


def open_books(paths: Sequence[Path], symbols: Sequence[str]) -> dict[str, BookReplay]:
    """The books of each of `symbols` in raw recordings.

    Args:
        paths: recordings of the book of one of these symbols, and folders of recordings, of which
            those of other symbols are left out. Their order does not matter.

    Raises:
        ConfigError: a symbol has none, or a recording cannot be read or is of another symbol.
    """
    found = files_by_symbol(paths, symbols, _first, what="recorded order book", expected=_EXPECTED)
    return {symbol: _replay(symbol, files) for symbol, files in found.items()}


def _first(file: Path) -> tuple[str, int] | None:
    first = first_book_change(file, read_lines(file))
    return None if first is None else (split_venue_symbol(first[0]) or first[0], first[1])


def _replay(symbol: str, files: Mapping[Path, int]) -> BookReplay:
    venue_symbol = symbol.replace("/", "")
    events = chain.from_iterable(
        book_events(file, read_lines(file), venue_symbol) for file in files
    )
    first_ns = next(iter(files.values()))
    return BookReplay(symbol, events, first_ns=first_ns, sha256=sha256_of(list(files)))
