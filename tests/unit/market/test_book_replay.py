"""Which book is in force when: by exchange time, never from the future, never an unknown one."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.domain.market import Level
from holdfast.domain.order import Side
from holdfast.errors import ConfigError
from holdfast.market.book_replay import STALE_NS, BookReplay, open_books
from holdfast.market.orderbook import Diff, Snapshot
from tests.support.books import MS, BookByHand
from tests.support.recordings import recording

D = Decimal
WHOLE = Snapshot(10, ((D(99), D(1)), (D(98), D(2))), ((D(101), D(1)), (D(102), D(2))))


def change(at_ms: int, last: int, *, asks: tuple[Level, ...] = (), first: int = 0) -> Diff:
    return Diff(at_ms * MS, first or last, last, (), asks)


def asks(books: BookReplay, at_ms: int) -> list[tuple[int, int]] | None:
    found = books.levels(Side.BUY, at_ms * MS)
    return None if found is None else [(int(price), int(quantity)) for price, quantity in found]


def test_a_book_is_in_force_from_its_change_on_and_a_snapshot_from_the_change_after_it() -> None:
    books = BookReplay(
        "A/B", [change(100, 10), WHOLE, change(200, 11, asks=((D(101), D(7)),)), change(300, 12)]
    )
    assert asks(books, 100) is None
    assert asks(books, 199) is None
    assert asks(books, 200) == [(101, 7), (102, 2)]
    assert asks(books, 299) == [(101, 7), (102, 2)]
    bids = books.levels(Side.SELL, 299 * MS)
    assert bids is not None
    assert list(bids) == [(D(99), D(1)), (D(98), D(2))]


def test_a_snapshot_ahead_of_the_changes_is_no_book_until_they_have_caught_up() -> None:
    books = BookReplay("A/B", [WHOLE, change(100, 8), change(200, 9), change(300, 10)])
    assert asks(books, 200) is None
    assert asks(books, 300) == [(101, 1), (102, 2)]


def test_a_hole_leaves_no_book_until_the_next_snapshot() -> None:
    later = Snapshot(20, (), ((D(105), D(5)),))
    books = BookReplay(
        "A/B", [WHOLE, change(100, 11), change(200, 19), later, change(300, 21), change(400, 22)]
    )
    assert asks(books, 100) == [(101, 1), (102, 2)]
    assert asks(books, 200) is None
    assert asks(books, 300) == [(105, 5)]


def test_a_snapshot_in_between_is_taken_unless_it_is_older_than_the_book() -> None:
    older, newer = Snapshot(9, (), ()), Snapshot(11, (), ((D(104), D(4)),))
    books = BookReplay("A/B", [WHOLE, change(100, 11), older, newer, change(200, 12)])
    assert asks(books, 100) == [(101, 1), (102, 2)]
    assert asks(books, 200) == [(104, 4)]


def test_an_old_book_is_none_and_time_only_goes_forward() -> None:
    books = BookReplay("A/B", [WHOLE, change(100, 11)])
    still = 100 + STALE_NS // MS
    assert asks(books, still) == [(101, 1), (102, 2)]
    assert asks(books, still + 1) is None
    with pytest.raises(ValueError, match="only forward"):
        books.levels(Side.BUY, still * MS)


def test_a_clock_that_was_set_back_takes_no_change_back() -> None:
    back = change(50, 12, asks=((D(101), D(3)),))
    books = BookReplay("A/B", [WHOLE, change(100, 11), back])
    assert asks(books, 99) is None
    assert asks(books, 100) == [(101, 3), (102, 2)]


def test_what_was_taken_is_gone_until_the_recording_changes_the_level() -> None:
    books = BookReplay(
        "A/B", [WHOLE, change(100, 11), change(200, 12, asks=((D(102), D(6)),)),
                change(300, 13, asks=((D(101), D(4)),))]
    )  # fmt: skip
    assert asks(books, 100) == [(101, 1), (102, 2)]
    books.take(Side.BUY, [(D(101), D(1)), (D(102), D(1))])
    assert asks(books, 100) == [(102, 1)]
    assert asks(books, 200) == [(102, 6)]
    assert asks(books, 300) == [(101, 4), (102, 6)]


def test_when_a_price_was_come_to_is_found_without_going_past_it() -> None:
    books = BookReplay(
        "A/B", [WHOLE, change(100, 11), change(200, 12, asks=((D(101), D(0)),)),
                change(300, 13, asks=((D(100), D(3)),)), change(400, 14)]
    )  # fmt: skip
    assert books.when(Side.BUY, D(102), 100 * MS, 150 * MS, falls=False) is None
    assert books.when(Side.BUY, D(102), 100 * MS, 400 * MS, falls=False) == 200 * MS
    assert asks(books, 200) == [(102, 2)]
    assert books.when(Side.BUY, D(102), 250 * MS, 400 * MS, falls=False) == 250 * MS
    assert books.when(Side.BUY, D(100), 0, 400 * MS, falls=True) == 300 * MS
    assert books.when(Side.SELL, D(98), 0, 10**15, falls=True) is None


# -- recordings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_a_recorded_book_is_the_one_that_is_put_together_by_hand(asset: str) -> None:
    path = recording(f"ticks/binance-raw-ws/spot_{asset}usdt_20240808.gz")
    symbol = f"{asset.upper()}/USDT"
    books = open_books([path], [symbol])[symbol]
    hand = BookByHand(path)
    times = [change["E"] for change in hand.changes]
    for at_ms in (times[10], times[10] + 49, times[700], times[-1] + 4_999):
        sides = hand.at(at_ms)
        for side, told in ((Side.BUY, sides["asks"]), (Side.SELL, sides["bids"])):
            found = books.levels(side, at_ms * MS)
            assert found is not None
            expected = sorted(told.items(), reverse=side is Side.SELL)
            assert list(found) == [(price, quantity) for price, quantity in expected if quantity]
    assert books.levels(Side.BUY, (times[-1] + 5_001) * MS) is None


def test_a_folder_gives_the_recordings_of_the_symbol_and_a_file_must_be_one() -> None:
    folder = recording("ticks/binance-raw-ws")
    btc = folder / "spot_btcusdt_20240808.gz"
    (one,) = open_books([btc], ["BTC/USDT"]).values()
    both = open_books([folder], ["BTC/USDT", "ETH/USDT"])
    assert list(both) == ["BTC/USDT", "ETH/USDT"]
    assert both["BTC/USDT"].sha256 == one.sha256 != both["ETH/USDT"].sha256
    assert len(one.sha256) == 64
    assert one.coverage.startswith("from 2024-08-08T23:54:15.208000Z")
    with pytest.raises(ConfigError, match=r"order book of BTC/USDT; expected: .*ETH/USDT"):
        open_books([btc], ["ETH/USDT"])
    with pytest.raises(ConfigError, match="no recorded order book of SOL/USDT"):
        open_books([folder], ["BTC/USDT", "SOL/USDT"])


def test_a_recording_cut_in_two_is_the_same_in_any_order_and_packing(tmp_path: Path) -> None:
    path = recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[:4000]
    whole, first, second = (tmp_path / name for name in ("a.gz", "z.txt", "b.gz"))
    whole.write_bytes(gzip.compress(b"".join(lines)))
    first.write_bytes(b"".join(lines[:2000]))
    second.write_bytes(gzip.compress(b"".join(lines[2000:])))
    cut, uncut = (
        open_books(paths, ["BTC/USDT"])["BTC/USDT"] for paths in ([second, first], [whole])
    )
    changes = [at for line in lines if b"depthUpdate" in line
               for at in [json.loads(line.partition(b" ")[2])["data"]["E"] * MS]]  # fmt: skip
    for at_ns in changes[5::40]:
        found, expected = (one.levels(Side.SELL, at_ns) for one in (cut, uncut))
        assert found is not None
        assert expected is not None
        assert list(found) == list(expected)


def test_a_file_without_a_book_and_one_that_is_not_there_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "BTC_USDT-1m.csv"
    empty.write_text("time,open,high,low,close,volume\n")
    with pytest.raises(ConfigError, match=r"BTC_USDT-1m\.csv with no recorded order book"):
        open_books([empty], ["BTC/USDT"])
    with pytest.raises(ConfigError, match=r"nothing\.gz: No such file"):
        open_books([tmp_path / "nothing.gz"], ["BTC/USDT"])
