"""The rebuilt book: Binance's rules for update ids, gaps told, the exchange's own best prices."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.domain.market import Level
from holdfast.errors import ConfigError
from holdfast.market.orderbook import BookGapError, Diff, OrderBook, Snapshot
from holdfast.market.raw_messages import Top, book_events
from holdfast.market.table import read_lines
from tests.support.recordings import recording


def levels(**quantities: str) -> tuple[Level, ...]:
    """`p10="2"` is a quantity of 2 at 10."""
    return tuple((Decimal(price[1:]), Decimal(told)) for price, told in quantities.items())


def diff(first: int, last: int, *, bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()
         ) -> Diff:  # fmt: skip
    return Diff(last * 10**6, first, last, bids, asks)


SNAPSHOT = Snapshot(100, levels(p9="1", p10="2"), levels(p12="3", p11="1"))


def known() -> OrderBook:
    book = OrderBook("BTC/USDT")
    book.restore(SNAPSHOT)
    return book


def best(book: OrderBook) -> tuple[Level | None, Level | None]:
    return book.best_bid, book.best_ask


def test_a_snapshot_is_the_book_best_first() -> None:
    book = known()
    assert list(book.bids()) == [(Decimal(10), Decimal(2)), (Decimal(9), Decimal(1))]
    assert list(book.asks()) == [(Decimal(11), Decimal(1)), (Decimal(12), Decimal(3))]
    assert best(book) == (next(book.bids()), next(book.asks()))
    assert (book.is_known, book.last_id) == (True, 100)


def test_a_quantity_replaces_and_zero_takes_away() -> None:
    book = known()
    changed = diff(101, 103, bids=levels(p10="0", p8="5", p9="7"), asks=levels(p11="0", p99="0"))
    assert book.apply(changed)
    assert list(book.bids()) == [(Decimal(9), Decimal(7)), (Decimal(8), Decimal(5))]
    assert list(book.asks()) == [(Decimal(12), Decimal(3))]
    assert (book.last_id, book.at_ns) == (103, 103 * 10**6)


def test_changes_wait_for_a_snapshot_and_those_it_has_are_left_out() -> None:
    book = OrderBook("BTC/USDT")
    assert not book.apply(diff(95, 98, bids=levels(p10="9")))
    assert not book.apply(diff(99, 102, bids=levels(p10="4")))
    assert not book.apply(diff(103, 104, asks=levels(p11="0")))
    assert not book.is_known
    assert best(book) == (None, None)
    book.restore(SNAPSHOT)
    assert book.last_id == 104
    assert best(book) == ((Decimal(10), Decimal(4)), (Decimal(12), Decimal(3)))


def test_the_first_change_may_begin_before_the_snapshot_and_old_ones_are_ignored() -> None:
    book = known()
    assert book.apply(diff(90, 100, bids=levels(p10="9")))
    assert book.best_bid == (Decimal(10), Decimal(2))
    assert book.apply(diff(99, 101, bids=levels(p10="3")))
    assert book.best_bid == (Decimal(10), Decimal(3))


def test_a_hole_makes_the_book_unknown_until_a_snapshot_that_covers_it() -> None:
    book = known()
    with pytest.raises(BookGapError, match="changes from 102 on of BTC/USDT; expected: from 101"):
        book.apply(diff(102, 105, bids=levels(p10="6")))
    assert not book.is_known
    assert best(book) == (None, None)
    with pytest.raises(BookGapError, match="no book"):
        book.last_id  # noqa: B018
    with pytest.raises(BookGapError, match=r"a snapshot of change 100 .* one of 101 or later"):
        book.restore(SNAPSHOT)
    assert not book.apply(diff(106, 107, asks=levels(p11="8")))
    book.restore(Snapshot(103, SNAPSHOT.bids, SNAPSHOT.asks))
    assert book.last_id == 107
    assert best(book) == ((Decimal(10), Decimal(6)), (Decimal(11), Decimal(8)))


def test_a_hole_while_waiting_leaves_only_what_comes_after_it() -> None:
    book = OrderBook("BTC/USDT")
    book.apply(diff(101, 102))
    book.apply(diff(110, 112, bids=levels(p10="5")))
    with pytest.raises(BookGapError, match="one of 109 or later"):
        book.restore(SNAPSHOT)
    book.restore(Snapshot(110, SNAPSHOT.bids, SNAPSHOT.asks))
    assert (book.last_id, book.best_bid) == (112, (Decimal(10), Decimal(5)))


def test_a_book_that_crosses_itself_is_not_believed() -> None:
    book = known()
    with pytest.raises(BookGapError, match="a bid at 11 and an ask at 11"):
        book.apply(diff(101, 101, bids=levels(p11="1")))
    assert not book.is_known
    book.restore(Snapshot(101, SNAPSHOT.bids, SNAPSHOT.asks))
    assert book.is_known


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_the_rebuilt_book_has_the_best_prices_that_the_exchange_told(asset: str) -> None:
    """Every change of the best has its own message, with the change's id: they are the check."""
    path = recording(f"ticks/binance-raw-ws/spot_{asset}usdt_20240808.gz")
    events = list(book_events(path, read_lines(path), f"{asset.upper()}USDT"))
    tops = sorted((each for each in events if isinstance(each, Top)), key=lambda top: top.last_id)
    ids = [top.last_id for top in tops]
    book = OrderBook(asset)
    waited = checked = 0
    for event in events:
        if isinstance(event, Snapshot):
            book.restore(event)
        elif isinstance(event, Diff):
            if not book.apply(event):
                waited += 1
                continue
            told = tops[bisect_right(ids, book.last_id) - 1]
            assert best(book) == (told.bid, told.ask), book.last_id
            checked += 1
    assert waited >= 2, "the snapshot came after the first changes"
    assert checked == {"btc": 3448, "eth": 3432}[asset]


def test_a_broken_message_is_named() -> None:
    line = b'1723161254087896568 {"stream":"x@depth","data":{"e":"depthUpdate","s":"BTCUSDT"}}'
    with pytest.raises(ConfigError, match=r"any\.gz, line 2: Object missing required field"):
        list(book_events(Path("any.gz"), [b"\n", line], "BTCUSDT"))
