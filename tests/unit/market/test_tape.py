"""Recorded trades put together to one tape, whatever files they lie in."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from holdfast.domain.market import Trade
from holdfast.errors import ConfigError
from holdfast.market import table
from holdfast.market.read import open_recording
from holdfast.market.tape import Tape, open_tapes
from tests.support.recordings import recording

RAW = "ticks/binance-raw-ws/spot_btcusdt_20240808.gz"


def whole(path: Path) -> list[Trade]:
    return list(open_recording(path).trades())


def test_a_recording_in_parts_is_one_tape_whatever_their_order(tmp_path: Path) -> None:
    path = recording(RAW)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    parts = []
    for number, (begin, end) in enumerate([(0, 15_000), (14_000, 30_000), (30_000, None)]):
        parts.append(tmp_path / f"{9 - number}.gz")
        parts[-1].write_bytes(gzip.compress(b"".join(lines[begin:end]), 1))
    for named in (parts, [tmp_path]):
        (tape,) = open_tapes(named, ["BTC/USDT"]).values()
        assert list(tape) == whole(path), "what two parts hold is told once"
    assert tape.first_ns == whole(path)[0].at_ns


def test_a_folder_has_the_tapes_of_several_symbols() -> None:
    tapes = open_tapes([recording(RAW).parent], ["ETH/USDT", "BTC/USDT"])
    assert list(tapes) == ["ETH/USDT", "BTC/USDT"]
    for symbol, tape in tapes.items():
        assert {trade.symbol for trade in tape} == {symbol}
    assert tapes["BTC/USDT"].sha256 != tapes["ETH/USDT"].sha256


def test_tables_of_trades_are_tapes_as_well() -> None:
    path = recording("ticks/freqtrade-testdata/XRP_ETH-trades.feather")
    (tape,) = open_tapes([path], ["XRP/ETH"]).values()
    assert list(tape) == whole(path)


def test_parquet_is_unpacked_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "BTC_USDT-trades.parquet"
    times = pl.Series([1_700_000_000_000 + n for n in range(1000)])
    frame = pl.DataFrame({"time": times, "price": [100.0 + n / 8 for n in range(1000)]})
    frame.with_columns(quantity=pl.lit(0.5)).write_parquet(path)
    expected = whole(path)
    monkeypatch.setattr(table, "_UNPACKED_ROWS", 333)
    (tape,) = open_tapes([path], ["BTC/USDT"]).values()
    found = list(tape)
    assert found == expected
    assert (len(found), found[999].price) == (1000, Decimal("224.875"))


def test_a_clock_that_was_set_back_waits_and_a_print_is_told_once() -> None:
    def trade(at_ns: int, trade_id: int) -> Trade:
        return Trade(at_ns, "BTC/USDT", Decimal(1), Decimal(1), False, trade_id)

    tape = Tape("BTC/USDT", [trade(5, 1), trade(3, 2), trade(5, 2), trade(7, 3)])
    assert [(one.at_ns, one.trade_id) for one in tape] == [(5, 1), (5, 2), (7, 3)]


def test_what_holds_no_trades_of_the_symbol_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a recorded trade of BTC/USDT; expected: .*ETH/USDT"):
        open_tapes([recording(RAW)], ["ETH/USDT"])
    with pytest.raises(ConfigError, match="no recorded trade of SOL/USDT"):
        open_tapes([recording(RAW).parent], ["SOL/USDT"])
    candles = tmp_path / "BTC_USDT-1m.csv"
    candles.write_text("time,open,high,low,close,volume\n1700000000000,1,1,1,1,1\n")
    with pytest.raises(ConfigError, match=r"BTC_USDT-1m\.csv with no recorded trade"):
        open_tapes([candles], ["BTC/USDT"])
