"""A local copy of an exchange's order book, from one snapshot and the changes after it.

Follows Binance's rules for update ids. Pure: who asks for snapshots, and when, is the caller's. Not
here: the local exchange's own book (exchange.book), recordings of messages (`raw_messages`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

import msgspec

from holdfast.domain.market import BookLevels, Level
from holdfast.domain.money import ZERO
from holdfast.errors import RetryableError

# A caller that never brings a snapshot must not fill the memory: ten minutes of changes.
_MOST_WAITING = 6000


class Snapshot(msgspec.Struct, frozen=True):
    """A whole book, or its first levels.

    Attributes:
        last_id: the last change that is in it.
        bids, asks: price and quantity, in any order.
    """

    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Diff(msgspec.Struct, frozen=True):
    """What changed.

    Attributes:
        at_ns: exchange time, UTC nanoseconds.
        first_id, last_id: the changes that are in it, all of them.
        bids, asks: prices with their new quantity; zero takes the level away.
    """

    at_ns: int
    first_id: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BookGapError(RetryableError):
    """The book is not known any more: changes are missing. Ask for a snapshot and `restore` it."""


class OrderBook:
    """The book of one symbol. Until it has a snapshot that fits, it collects changes and is empty.

    Feed every change to `apply`, and a snapshot, asked for after the first change has come, to
    `restore`. Levels beyond a snapshot that was cut off are known only once they change.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.at_ns = 0
        self._last_id: int | None = None
        self._waiting: list[Diff] = []
        self._bids = _Side(-1)
        self._asks = _Side(1)

    @property
    def is_known(self) -> bool:
        """Whether the book is that of the exchange after change `last_id`."""
        return self._last_id is not None

    @property
    def last_id(self) -> int:
        """The last change in the book.

        Raises:
            BookGapError: it is not known.
        """
        if self._last_id is None:
            raise self._gap("no book", "a snapshot")
        return self._last_id

    @property
    def best_bid(self) -> Level | None:
        """The highest bid, None where there is none."""
        return self._bids.best()

    @property
    def best_ask(self) -> Level | None:
        """The lowest ask, None where there is none."""
        return self._asks.best()

    def bids(self) -> Iterator[Level]:
        """All bids, the highest first."""
        return self._bids.levels()

    def asks(self) -> Iterator[Level]:
        """All asks, the lowest first."""
        return self._asks.levels()

    def best(self, levels: int) -> BookLevels:
        """So many levels of each side at most; none while the book is not known."""
        bids, asks = islice(self.bids(), levels), islice(self.asks(), levels)
        return BookLevels(self.at_ns, self.symbol, tuple(bids), tuple(asks))

    @property
    def bid_edge(self) -> Decimal | None:
        """The lowest bid that the snapshot told: lower ones are known only once they change."""
        return self._bids.edge

    @property
    def ask_edge(self) -> Decimal | None:
        """The highest ask that the snapshot told: higher ones are known only once they change."""
        return self._asks.edge

    def bid_at(self, price: Decimal) -> Decimal:
        """What is bid at a price, 0 for nothing."""
        return self._bids.at(price)

    def ask_at(self, price: Decimal) -> Decimal:
        """What is asked at a price, 0 for nothing."""
        return self._asks.at(price)

    def apply(self, diff: Diff) -> bool:
        """Take a change in; what the book has already is ignored.

        Returns:
            Whether the book is known now; False while it waits for a snapshot.

        Raises:
            BookGapError: changes before it are missing, or it contradicts the book. The book is
                empty then, and waits for a snapshot; the change is not lost.
        """
        if self._last_id is None:
            self._wait(diff)
            return False
        if diff.last_id <= self._last_id:
            return True
        if diff.first_id > self._last_id + 1:
            expected = self._last_id + 1
            self._forget()
            self._wait(diff)
            raise self._gap(f"changes from {diff.first_id} on", f"from {expected} on")
        self._change(diff)
        return True

    def lose(self) -> None:
        """Forget everything: changes were or may have been missed. It waits for a snapshot."""
        self._forget()

    def restore(self, snapshot: Snapshot) -> None:
        """Begin with a snapshot, and with the changes after it that were collected meanwhile.

        Raises:
            BookGapError: it is older than the first change collected, or does not fit them. Ask
                for another; what was collected stays.
        """
        waiting = [diff for diff in self._waiting if diff.last_id > snapshot.last_id]
        if waiting and waiting[0].first_id > snapshot.last_id + 1:
            raise self._gap(
                f"a snapshot of change {snapshot.last_id}",
                f"one of {waiting[0].first_id - 1} or later",
            )
        self._forget()
        self._last_id = snapshot.last_id
        self._bids.begin(snapshot.bids)
        self._asks.begin(snapshot.asks)
        for number, diff in enumerate(waiting):
            try:
                self.apply(diff)
            except BookGapError:
                # This one waits again; those after it must as well.
                self._waiting += waiting[number + 1 :]
                raise

    def _change(self, diff: Diff) -> None:
        self._bids.change(diff.bids)
        self._asks.change(diff.asks)
        self._last_id = diff.last_id
        self.at_ns = diff.at_ns
        bid, ask = self.best_bid, self.best_ask
        if bid is not None and ask is not None and bid[0] >= ask[0]:
            self._forget()
            self._wait(diff)
            raise self._gap(f"a bid at {bid[0]} and an ask at {ask[0]}", "bids below asks")

    def _wait(self, diff: Diff) -> None:
        waiting = self._waiting
        if waiting and diff.first_id > waiting[-1].last_id + 1:
            # No snapshot can bridge a hole: only what comes after it counts.
            waiting.clear()
        waiting.append(diff)
        del waiting[:-_MOST_WAITING]

    def _forget(self) -> None:
        self._last_id = None
        self._waiting = []
        self._bids = _Side(-1)
        self._asks = _Side(1)

    def _gap(self, seen: str, expected: str) -> BookGapError:
        return BookGapError(
            f"seen: {seen} of {self.symbol}; expected: {expected}; do: ask for a snapshot"
        )


class _Side:
    """The levels of one side; the keys are prices signed so that the best one is first."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[Decimal] = []
        self._quantities: dict[Decimal, Decimal] = {}
        self.edge: Decimal | None = None

    def begin(self, levels: Iterable[Level]) -> None:
        """Take a snapshot into an empty side."""
        self.change(levels)
        self.edge = self._sign * self._keys[-1] if self._keys else None

    def change(self, levels: Iterable[Level]) -> None:
        for price, quantity in levels:
            is_there = price in self._quantities
            if quantity:
                self._quantities[price] = quantity
                if not is_there:
                    insort(self._keys, self._sign * price)
            elif is_there:
                del self._quantities[price]
                del self._keys[bisect_left(self._keys, self._sign * price)]

    def best(self) -> Level | None:
        return next(self.levels(), None)

    def at(self, price: Decimal) -> Decimal:
        return self._quantities.get(price, ZERO)

    def levels(self) -> Iterator[Level]:
        for key in self._keys:
            price = self._sign * key
            yield price, self._quantities[price]
