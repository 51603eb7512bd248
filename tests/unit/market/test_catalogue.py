"""The user's own data: whole or not at all, proved when read, and never two truths at once."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from holdfast import load
from holdfast.errors import ConfigError, CorruptionError
from holdfast.market.bar_table import SCHEMA, Gap
from holdfast.market.catalogue import Catalogue, Entry, Rows, digest

START_NS = 1_723_118_400_000_000_000
MINUTE_NS = 60 * 10**9


def candles(*minutes: int, close: float = 11.0) -> Rows:
    rows = [(START_NS + at * MINUTE_NS, 10.0, 12.0, 9.0, close, 0.5) for at in minutes]
    return Rows("BTC/USDT", "1m", pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def trades(*ids: int, price: float = 10.0, known: bool = True) -> Rows:
    frame = pl.DataFrame({
        "time_ns": [START_NS + number * 10**9 for number in ids],
        "price": [price] * len(ids), "quantity": [0.1] * len(ids),
        "id": list(ids), "side": ["buy"] * len(ids),
    })  # fmt: skip
    return Rows("BTC/USDT", "", frame if known else frame.drop("id", "side"))


def put(folder: Path, rows: Rows, source: str = "a.csv", *, replace: bool = False) -> Entry:
    return Catalogue(folder).put("binance", rows, source, replace=replace)


def test_what_is_put_is_an_ordinary_file_that_says_what_it_is(tmp_path: Path) -> None:
    entry = put(tmp_path, candles(0, 1, 5))
    path = tmp_path / "binance" / "BTC_USDT-1m.parquet"
    assert entry.path == str(path)
    assert (entry.rows, entry.first, entry.last) == (3, "2024-08-08T12:00:00Z",
                                                     "2024-08-08T12:05:00Z")  # fmt: skip
    assert entry.gaps == [Gap("2024-08-08T12:01:00Z", "2024-08-08T12:05:00Z", 3)]
    table = load(path)
    assert (table.symbol, table.timeframe) == ("BTC/USDT", "1m")
    assert table.frame.equals(candles(0, 1, 5).frame)
    assert pl.read_parquet(path).columns == [
        "open_time", "open", "high", "low", "close", "volume",
    ]  # fmt: skip
    assert Catalogue(tmp_path).entries() == [entry]
    assert Catalogue(tmp_path).bars("binance", "BTC/USDT", "1m") == table


def test_rows_are_added_in_order_and_those_that_are_there_stay_once(tmp_path: Path) -> None:
    put(tmp_path, candles(5, 6), "b.csv")
    entry = put(tmp_path, candles(0, 1, 5), "a.csv")
    assert (entry.rows, entry.sources) == (4, ["b.csv", "a.csv"])
    there = Catalogue(tmp_path).bars("binance", "BTC/USDT", "1m")
    assert there is not None
    assert there.frame.equals(candles(0, 1, 5, 6).frame)
    again = put(tmp_path, candles(0, 1, 5), "a.csv")
    assert (again.sha256, again.sources) == (entry.sha256, ["b.csv", "a.csv"])


def test_a_row_with_other_values_is_refused_unless_it_may_replace(tmp_path: Path) -> None:
    before = put(tmp_path, candles(0, 1, 2))
    with pytest.raises(ConfigError, match=r"1 rows that .* other values, the first at 2024-08-08"):
        put(tmp_path, candles(2, close=10.5))
    assert Catalogue(tmp_path).entries() == [before]
    put(tmp_path, candles(2, close=10.5), replace=True)
    there = Catalogue(tmp_path).bars("binance", "BTC/USDT", "1m")
    assert there is not None
    assert there.frame["close"].to_list() == [11.0, 11.0, 10.5]


def test_trades_are_joined_by_their_ids(tmp_path: Path) -> None:
    put(tmp_path, trades(5, 6))
    entry = put(tmp_path, trades(1, 2, 5))
    assert (entry.kind, entry.rows, entry.timeframe) == ("trades", 4, "")
    assert [gap.missing for gap in entry.gaps] == [2]
    assert Path(entry.path).name == "BTC_USDT-trades.parquet"
    assert load(entry.path, timeframe="1m").frame["volume"].to_list() == [0.4]
    with pytest.raises(ConfigError, match="1 rows that"):
        put(tmp_path, trades(6, price=11.0))


def test_trades_without_ids_may_follow_each_other_and_not_overlap(tmp_path: Path) -> None:
    put(tmp_path, trades(5, 6, known=False))
    put(tmp_path, trades(1, 2, known=False))
    with pytest.raises(ConfigError, match="expected: no overlap"):
        put(tmp_path, trades(2, 3))
    assert put(tmp_path, trades(7, 8, known=False)).rows == 6


def test_a_damaged_file_is_told_and_not_added_to(tmp_path: Path) -> None:
    path = Path(put(tmp_path, candles(0, 1, 2)).path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    with pytest.raises(CorruptionError, match="as Holdfast wrote it; do: move it away"):
        put(tmp_path, candles(3))
    path.write_bytes(whole)
    metadata = pl.read_parquet_metadata(path)
    changed = pl.read_parquet(path).with_columns(close=pl.lit(10.0))
    changed.write_parquet(path, metadata={"holdfast": metadata["holdfast"]})
    with pytest.raises(CorruptionError, match="not those that were written"):
        Catalogue(tmp_path).entries()
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(CorruptionError, match="a file of the catalogue"):
        Catalogue(tmp_path).entries()


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    entry = put(tmp_path, candles(0, 1))
    with (
        disk_with_room_for(200),
        pytest.raises(ConfigError, match=r"file too large.*; do: make room, or name another"),
    ):
        put(tmp_path, candles(*range(100)))
    assert Catalogue(tmp_path).entries() == [entry]
    assert [path.name for path in (tmp_path / "binance").iterdir()] == ["BTC_USDT-1m.parquet"]


def test_what_a_kill_has_left_half_is_not_data_and_is_written_over(tmp_path: Path) -> None:
    entry = put(tmp_path, candles(0, 1))
    half = tmp_path / "binance" / ".BTC_USDT-1m.parquet.half"
    half.write_bytes(b"PAR1 and then the power went")
    assert Catalogue(tmp_path).entries() == [entry]
    put(tmp_path, candles(2))
    assert not half.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="do: make room, or name another with --dir"):
        put(tmp_path / "file", candles(0))
    with pytest.raises(ConfigError, match="expected: a name of small letters"):
        Catalogue(tmp_path).put("../up", candles(0), "a.csv")


def _put_many(folder: str, first: int) -> None:
    for minute in range(first, first + 10):
        put(Path(folder), candles(minute), f"{first}.csv")


def test_two_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        pool.starmap(_put_many, [(str(tmp_path), 0), (str(tmp_path), 100)])
    (entry,) = Catalogue(tmp_path).entries()
    assert entry.rows == 20


def test_the_digest_is_of_names_and_values_in_their_order() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": ["x", None]})
    assert digest(frame) == digest(frame.clone())
    others = [
        frame.reverse(), frame.rename({"a": "z"}), frame.with_columns(b=pl.col("b") + 1e-9),
        frame.with_columns(c=pl.lit("x")), frame.head(1),
    ]  # fmt: skip
    assert len({digest(other) for other in [frame, *others]}) == 6
