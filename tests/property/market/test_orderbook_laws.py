"""Any course of a book, cut in any way into changes and a snapshot, is rebuilt or told lost."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.market import Level
from holdfast.market.orderbook import BookGapError, Diff, OrderBook, Snapshot

Book = dict[Decimal, Decimal]
# Bids below a hundred, asks from it on: the market never crosses itself.
changes = st.tuples(st.integers(90, 109), st.integers(0, 5)).map(
    lambda change: (Decimal(change[0]), Decimal(change[1]))
)
groups = st.lists(st.lists(changes, min_size=1, max_size=5), min_size=2, max_size=20)


def state(course: list[Level], until: int) -> Book:
    """The book after so many changes, kept without any cleverness."""
    book: Book = {}
    for price, quantity in course[:until]:
        book[price] = quantity
    return {price: quantity for price, quantity in book.items() if quantity}


def sides(levels: Book | list[Level]) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    pairs = tuple(levels.items() if isinstance(levels, dict) else levels)
    return tuple(p for p in pairs if p[0] < 100), tuple(p for p in pairs if p[0] >= 100)


def cut(grouped: list[list[Level]]) -> tuple[list[Level], list[Diff]]:
    """The whole course, and its changes; the first change has the id 1."""
    course: list[Level] = []
    diffs = []
    for group in grouped:
        first = len(course) + 1
        course += group
        latest = dict(group)
        diffs.append(Diff(len(course), first, len(course), *sides(list(latest.items()))))
    return course, diffs


def content(book: OrderBook) -> tuple[list[Level], list[Level]]:
    return list(book.bids()), list(book.asks())


def expected(book: Book) -> tuple[list[Level], list[Level]]:
    bids, asks = sides(book)
    return sorted(bids, reverse=True), sorted(asks)


@given(groups, st.data())
def test_a_book_is_that_of_the_exchange_after_every_change(
    grouped: list[list[Level]], data: st.DataObject
) -> None:
    course, diffs = cut(grouped)
    book = OrderBook("A/B")
    arrives = data.draw(st.integers(1, len(diffs)), label="changes before the snapshot")
    taken = data.draw(st.integers(0, diffs[arrives - 1].last_id), label="snapshot of change")
    for number, diff in enumerate(diffs, start=1):
        assert book.apply(diff) is (number > arrives)
        if number == arrives:
            book.restore(Snapshot(taken, *sides(state(course, taken))))
        if book.is_known:
            # Where a snapshot lies inside a change, the change brings its later levels anyway.
            assert content(book) == expected(state(course, max(book.last_id, taken)))


@given(groups, st.data())
def test_a_missing_change_is_never_unseen_and_a_new_snapshot_heals(
    grouped: list[list[Level]], data: st.DataObject
) -> None:
    course, diffs = cut(grouped)
    lost = data.draw(st.integers(0, len(diffs) - 2), label="lost")
    book = OrderBook("A/B")
    book.restore(Snapshot(0, (), ()))
    gaps = 0
    for number, diff in enumerate(diffs):
        if number == lost:
            continue
        try:
            book.apply(diff)
        except BookGapError:
            gaps += 1
    assert (gaps, book.is_known) == (1, False)
    taken = diffs[lost].last_id
    book.restore(Snapshot(taken, *sides(state(course, taken))))
    assert content(book) == expected(state(course, len(course)))


@given(groups)
def test_a_change_twice_changes_nothing(grouped: list[list[Level]]) -> None:
    course, diffs = cut(grouped)
    book = OrderBook("A/B")
    book.restore(Snapshot(0, (), ()))
    for number, diff in enumerate(diffs):
        book.apply(diff)
        for earlier in diffs[: number + 1]:
            assert book.apply(earlier)
    assert content(book) == expected(state(course, len(course)))
