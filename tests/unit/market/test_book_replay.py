"""Which book is in force when: by exchange time, never from the future, never an unknown one."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.domain.order import Side
from holdfast.errors import ConfigError
from holdfast.market.book_replay import STALE_NS, BookReplay, open_books
from holdfast.market.orderbook import Diff, Level, Snapshot
from tests.support.recordings import recording

D = Decimal
MS = 1_000_000
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


# -- recordings ------------------------------------------------------------------------------------


def raw(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with gzip.open(path, "rt") as lines:
        for line in lines:
            message = json.loads(line.partition(" ")[2])
            if "lastUpdateId" in message:
                yield "snapshot", message
            elif message["data"].get("e") == "depthUpdate":
                yield "change", message["data"]


def kept_by_hand(path: Path, at_ms: int) -> dict[str, dict[Decimal, Decimal]]:
    """The book at a time: every change up to then put over the snapshot, in two dicts."""
    found: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    messages = list(raw(path))
    whole = next(told for kind, told in messages if kind == "snapshot")
    parts = [(whole["bids"], whole["asks"])]
    parts += [
        (told["b"], told["a"])
        for kind, told in messages
        if kind == "change" and told["u"] > whole["lastUpdateId"] and told["E"] <= at_ms
    ]
    for bids, offers in parts:
        for side, levels in (("bids", bids), ("asks", offers)):
            for price, quantity in levels:
                found[side][D(price)] = D(quantity)
    return found


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_a_recorded_book_is_the_one_that_is_put_together_by_hand(asset: str) -> None:
    path = recording(f"ticks/binance-raw-ws/spot_{asset}usdt_20240808.gz")
    books = open_books([path], f"{asset.upper()}/USDT")
    times = [told["E"] for kind, told in raw(path) if kind == "change"]
    for at_ms in (times[10], times[10] + 49, times[700], times[-1] + 4_999):
        hand = kept_by_hand(path, times[bisect_right(times, at_ms) - 1])
        for side, told in ((Side.BUY, hand["asks"]), (Side.SELL, hand["bids"])):
            found = books.levels(side, at_ms * MS)
            assert found is not None
            expected = sorted(told.items(), reverse=side is Side.SELL)
            assert list(found) == [(price, quantity) for price, quantity in expected if quantity]
    assert books.levels(Side.BUY, (times[-1] + 5_001) * MS) is None


def test_a_folder_gives_the_recordings_of_the_symbol_and_a_file_must_be_one() -> None:
    folder = recording("ticks/binance-raw-ws")
    btc = folder / "spot_btcusdt_20240808.gz"
    both, one = open_books([folder], "BTC/USDT"), open_books([btc], "BTC/USDT")
    assert both.sha256 == one.sha256
    assert len(one.sha256) == 64
    assert one.coverage.startswith("from 2024-08-08T23:54:15.208000Z")
    with pytest.raises(ConfigError, match=r"with the book of BTC/USDT; expected: .*ETH/USDT"):
        open_books([btc], "ETH/USDT")
    with pytest.raises(ConfigError, match="no recorded order book of SOL/USDT"):
        open_books([folder], "SOL/USDT")


def test_a_recording_cut_in_two_is_the_same_in_any_order_and_packing(tmp_path: Path) -> None:
    path = recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[:4000]
    whole, first, second = (tmp_path / name for name in ("a.gz", "z.txt", "b.gz"))
    whole.write_bytes(gzip.compress(b"".join(lines)))
    first.write_bytes(b"".join(lines[:2000]))
    second.write_bytes(gzip.compress(b"".join(lines[2000:])))
    cut, uncut = open_books([second, first], "BTC/USDT"), open_books([whole], "BTC/USDT")
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
    with pytest.raises(ConfigError, match=r"BTC_USDT-1m\.csv without changes of a book"):
        open_books([empty], "BTC/USDT")
    with pytest.raises(ConfigError, match=r"nothing\.gz: No such file"):
        open_books([tmp_path / "nothing.gz"], "BTC/USDT")
