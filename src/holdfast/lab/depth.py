"""What an order meets in a recorded order book: the levels that it walks, and what is left of it.

Lives here: the walk, pure, and what a venue needs to know of recorded books. Not here: making books
from recordings (market.book_replay), orders that fill by bars (bar_venue).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Generic, NamedTuple, Protocol, TypeVar

from holdfast.domain.market import NS_PER_S, BookLevels, Level
from holdfast.domain.money import ZERO
from holdfast.domain.order import OrderSpec, Side
from holdfast.errors import ConfigError

_BUY = Side.BUY


class Books(Protocol):
    """The recorded books of one symbol, asked forward in time."""

    @property
    def sha256(self) -> str:
        """Of the recordings."""
        ...

    @property
    def coverage(self) -> str:
        """From when books are known, and until when they were seen: for people."""
        ...

    def levels(self, side: Side, at_ns: int) -> Iterable[Level] | None:
        """What an order of `side` meets that arrives at `at_ns`: price and quantity, best first.

        The newest book at or before that time, less what was taken; None where none is known.
        """
        ...

    def when(
        self, side: Side, price: Decimal, since_ns: int, until_ns: int, *, falls: bool
    ) -> int | None:
        """The first time from `since_ns` to `until_ns` at which the best price for an order of
        `side` is at or below `price` (or, when it does not fall, at or above); None: not seen.
        """
        ...

    def take(self, side: Side, parts: Sequence[Level]) -> None:
        """An order of `side` has executed these: nobody gets them again."""
        ...


class QueueBooks(Books, Protocol):
    """Recorded books in which orders wait: they tell how much stands at a price, and when it
    changes. Here a side is the one on which orders of that side rest."""

    def changes(
        self, until_ns: int
    ) -> Iterable[tuple[Iterable[Decimal], Iterable[Decimal]] | None]:
        """Go forward to `until_ns` change by change: the prices of bids and asks that each has told
        anew, None for all of them."""
        ...

    def quantity_at(self, side: Side, price: Decimal) -> Decimal:
        """What is shown at a price: 0 for nothing, infinite while the book is not known."""
        ...

    def edge(self, side: Side) -> Decimal | None:
        """The last price that a snapshot told; further ones are known only once they change."""
        ...

    def best(self, levels: int, at_ns: int) -> BookLevels:
        """The best levels at `at_ns`, whatever was taken from them; none while not known."""
        ...


BooksT_co = TypeVar("BooksT_co", bound=Books, covariant=True)


class Depth(Generic[BooksT_co]):
    """What a backtest's orders find in recorded books, and how many found one.

    Args:
        books: of the market that is traded.
        fallback: whether orders without a book may fill by bars; else such an order is an error.

    Attributes:
        walked, missed: orders that met a book, and those that did not.
    """

    def __init__(self, books: BooksT_co, *, fallback: bool = False) -> None:
        self.books = books
        self.fallback = fallback
        self.walked = 0
        self.missed = 0

    def walk(self, spec: OrderSpec, at_ns: int) -> Walk | None:
        """What an order makes of the book at its arrival; None where it fills by bars.

        Raises:
            ConfigError: no book is known, and there is no fallback.
        """
        levels = self.books.levels(spec.side, at_ns)
        if levels is not None:
            self.walked += 1
            return walk(levels, spec.side, spec.quantity, spec.price)
        self._miss(spec, at_ns)
        return None

    def when(
        self, spec: OrderSpec, price: Decimal, since_ns: int, until_ns: int, *, falls: bool
    ) -> int | None:
        """When the best price for an order came to `price`, for what a bar says has happened.

        Books are recorded ten times a second and need not have seen it: None, it fills by bars.

        Raises:
            ConfigError: no book is known, and there is no fallback.
        """
        met_ns = self.books.when(spec.side, price, since_ns, until_ns, falls=falls)
        if met_ns is not None:
            return met_ns
        if self.books.levels(spec.side, until_ns) is None:
            self._miss(spec, until_ns)
        else:
            self.missed += 1
        return None

    def _miss(self, spec: OrderSpec, at_ns: int) -> None:
        self.missed += 1
        if self.fallback:
            return
        at = datetime.fromtimestamp(at_ns // NS_PER_S, UTC).isoformat()
        raise ConfigError(
            f"seen: an order of {spec.symbol} that arrives at {at}, where no book is known "
            f"(recorded {self.books.coverage}); expected: a book not older than a few seconds; "
            "do: run over the bars that the recordings cover, or let such orders fill by bars and "
            "slippage with --depth-fallback (depth_fallback=True)"
        )


class Walk(NamedTuple):
    """How far an order came.

    Attributes:
        parts: price and quantity of each level that it took, best first; may be empty.
        unfilled: what is left of its quantity, because the book or its limit ended.
    """

    parts: tuple[Level, ...]
    unfilled: Decimal

    @property
    def quantity(self) -> Decimal:
        """Base units executed."""
        return sum((quantity for _, quantity in self.parts), ZERO)

    @property
    def value(self) -> Decimal:
        """Quote units executed; over `quantity` it is the average price."""
        return sum((price * quantity for price, quantity in self.parts), ZERO)


def walk(
    levels: Iterable[Level], side: Side, quantity: Decimal, limit: Decimal | None = None
) -> Walk:
    """Take `quantity` from `levels`, level by level.

    Args:
        levels: price and quantity, best first for an order of `side`.
        limit: no level beyond this price is taken; None takes any.
    """
    parts: list[Level] = []
    for price, offered in levels:
        if limit is not None and (price > limit if side is _BUY else price < limit):
            break
        part = min(offered, quantity)
        parts.append((price, part))
        quantity -= part
        if not quantity:
            break
    return Walk(tuple(parts), quantity)
