"""Reading recordings: every format the same values, exact, and every mistake named."""

from __future__ import annotations

import gzip
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from holdfast.domain.market import Bar, Trade
from holdfast.errors import ConfigError
from holdfast.market.columns import Kind
from holdfast.market.read import open_recording

MINUTE_NS = 60 * 10**9
START_MS = 1_723_118_400_000
HEADER = "time,open,high,low,close,volume"
ROWS = ("61828.00,61860.80,61583.22,61685.99,199.42863", "61685.99,61700.1,61600,61650.5,0")
BARS = [
    Bar(
        "BTC/USDT",
        START_MS * 10**6 + number * MINUTE_NS,
        START_MS * 10**6 + (number + 1) * MINUTE_NS,
        *(Decimal(cell) for cell in row.split(",")),
    )
    for number, row in enumerate(ROWS)
]
CSV = "\n".join([HEADER, *(f"{START_MS + n * 60_000},{row}" for n, row in enumerate(ROWS))])


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def frame() -> pl.DataFrame:
    cells = [[START_MS + n * 60_000, *map(float, row.split(","))] for n, row in enumerate(ROWS)]
    names = ["date", "open", "high", "low", "close", "volume"]
    return pl.DataFrame(cells, schema=names, orient="row").with_columns(
        pl.from_epoch("date", time_unit="ms").dt.cast_time_unit("ns")
    )


def csv_file(folder: Path) -> Path:
    return write(folder, "BTC_USDT-1m.csv", CSV)


def gzipped(folder: Path) -> Path:
    return write(folder, "BTC_USDT-1m.csv.gz", gzip.compress(CSV.encode()))


def zipped(folder: Path) -> Path:
    path = folder / "anything.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BTCUSDT-1m-2024-08.csv", CSV.split("\n", 1)[1])
    return path


def semicolons(folder: Path) -> Path:
    return write(folder, "BTC_USDT-1m.csv", "\ufeff" + CSV.replace(",", ";"))


def json_file(folder: Path) -> Path:
    rows = ",".join(f"[{line}]" for line in CSV.split("\n")[1:])
    return write(folder, "BTC_USDT-1m.json", f"[{rows}]")


def feather(folder: Path) -> Path:
    frame().write_ipc(folder / "BTC_USDT-1m.feather", compression="lz4")
    return folder / "BTC_USDT-1m.feather"


def parquet(folder: Path) -> Path:
    frame().write_parquet(folder / "BTC_USDT-1m.parquet")
    return folder / "BTC_USDT-1m.parquet"


FORMATS = [csv_file, gzipped, zipped, semicolons, json_file, feather, parquet]


@pytest.mark.parametrize("make", FORMATS, ids=lambda make: make.__name__)
def test_every_format_gives_the_same_bars(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    recording = open_recording(make(tmp_path))

    assert (recording.kind, recording.symbol, recording.bar_s) == (Kind.BARS, "BTC/USDT", 60)
    assert list(recording.bars()) == BARS
    assert list(recording.bars()) == BARS, "a second walk starts from the beginning"


def test_what_the_caller_says_comes_before_the_name(tmp_path: Path) -> None:
    recording = open_recording(csv_file(tmp_path), symbol="eth-usdt", bar_s=30)

    assert (recording.symbol, recording.bar_s) == ("ETH/USDT", 30)


def test_the_distance_of_rows_tells_the_bar_length_when_nothing_else_does(tmp_path: Path) -> None:
    assert open_recording(write(tmp_path, "BTCUSDT.csv", CSV)).bar_s == 60


TRADE_FILES = {
    "named.csv": "timestamp,trade_id,price,quantity,buyer_maker\n"
    f"{START_MS},7,100.10,0.5,True\n{START_MS + 1},8,100.2,0.25,False\n",
    "sides.csv": f"time,id,side,price,amount\n{START_MS},7,sell,100.10,0.5\n"
    f"{START_MS + 1},8,buy,100.2,0.25\n",
    "binance.csv": f"7,100.10,0.5,50.05,{START_MS},true,true\n"
    f"8,100.2,0.25,25.05,{START_MS + 1},false,true\n",
    "aggregated.csv": f"7,100.10,0.5,1,1,{START_MS},true,true\n"
    f"8,100.2,0.25,2,2,{START_MS + 1},false,true\n",
    "ccxt.json": json.dumps([
        {"info": {"a": 1}, "timestamp": START_MS, "id": "7", "side": "sell", "price": 100.1,
         "amount": 0.5, "fee": None},
        {"info": {"a": 2}, "timestamp": START_MS + 1, "id": "8", "side": "buy", "price": 100.2,
         "amount": 0.25, "fee": None},
    ]),
    "lists.json": json.dumps([
        [START_MS, "7", None, "sell", 100.1, 0.5, 50.05],
        [START_MS + 1, "8", None, "buy", 100.2, 0.25, 25.05],
    ]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRADE_FILES)
def test_every_layout_gives_the_same_trades(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"BTCUSDT-{name}", TRADE_FILES[name])

    assert list(open_recording(path).trades()) == [
        Trade(START_MS * 10**6, "BTC/USDT", Decimal("100.1"), Decimal("0.5"), True, 7),
        Trade(START_MS * 10**6 + 10**6, "BTC/USDT", Decimal("100.2"), Decimal("0.25"), False, 8),
    ]


def test_without_a_side_a_falling_price_was_sold_and_an_equal_one_goes_on(tmp_path: Path) -> None:
    prices = ["10", "11", "11", "10", "10", "12"]
    text = "\n".join(f"{START_MS + n},{price},1" for n, price in enumerate(prices))

    trades = open_recording(write(tmp_path, "BCHEUR.csv", text)).trades()

    assert [trade.buyer_is_maker for trade in trades] == [False, False, False, True, True, False]


def raw(**changes: object) -> str:
    data = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 5, "p": "61837.63000000", "q": "0.02",
            "T": START_MS, "m": True, "M": True, **changes}  # fmt: skip
    message = json.dumps({"stream": "btcusdt@trade", "data": data}, separators=(",", ":"))
    return f"1723161254087896568 {message}\n"


def test_raw_messages_give_trades_at_the_exchange_time(tmp_path: Path) -> None:
    book = '1723161254087896568 {"stream":"btcusdt@bookTicker","data":{"u":1}}\n'
    path = write(tmp_path, "any.gz", gzip.compress((book + raw() + raw(t=6, m=False)).encode()))

    recording = open_recording(path)

    assert (recording.kind, recording.symbol) == (Kind.TRADES, "BTC/USDT")
    assert [(t.trade_id, t.buyer_is_maker, t.at_ns) for t in recording.trades()] == [
        (5, True, START_MS * 10**6), (6, False, START_MS * 10**6),
    ]  # fmt: skip


def test_raw_messages_of_two_symbols_need_a_choice(tmp_path: Path) -> None:
    path = write(tmp_path, "any.gz", gzip.compress((raw() + raw(s="ETHUSDT")).encode()))

    with pytest.raises(ConfigError, match="BTC/USDT, ETH/USDT; expected: one symbol"):
        open_recording(path)
    chosen = open_recording(path, symbol="ETH/USDT")
    assert [trade.symbol for trade in chosen.trades()] == ["ETH/USDT"]


def test_floats_become_the_shortest_text_that_means_them(tmp_path: Path) -> None:
    path = tmp_path / "XRP_ETH-1m.parquet"
    pl.DataFrame({
        "date": [START_MS], "open": [0.1], "high": [0.3], "low": [1e-7], "close": [0.1 + 0.2 - 0.1],
        "volume": [1e22],
    }).with_columns(high=pl.lit(0.30000000000000004)).write_parquet(path)  # fmt: skip

    (bar,) = open_recording(path).bars()

    assert (bar.open, bar.low, bar.volume) == (Decimal("0.1"), Decimal("1e-7"), Decimal("1e22"))
    assert bar.high == Decimal("0.30000000000000004")


GZIP = gzip.compress(CSV.encode())
MISTAKES: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("BTC_USDT-1m.csv", "", "is empty"),
    "header only": ("BTC_USDT-1m.csv", HEADER, "has a header and no rows"),
    "no symbol": ("data.csv", CSV, "do: pass --symbol BTC/USDT"),
    "one row, no length": (
        "BTC_USDT.csv", "\n".join(CSV.split("\n")[:2]), "too few rows to tell how long a bar is",
    ),
    "columns": ("BTC_USDT.csv", "a,b\n1,2\n", "with columns a, b; expected: candles"),
    "binary": ("BTC_USDT-1m.csv", b"\x7fELF\x00\x00\x01", "in a format not known here"),
    "damaged gzip": ("BTC_USDT-1m.csv.gz", GZIP[:-12], "damaged archive"),
    "changed gzip": ("BTC_USDT-1m.csv.gz", GZIP[:10] + b"\xff" + GZIP[11:], "damaged archive"),
    "damaged parquet": ("BTC_USDT-1m.parquet", b"PAR1 and then nothing", "expected: a whole file"),
    "broken json": ("BTC_USDT-1m.json", "[[1723118400000, 1, ", "expected: a whole file"),
    "empty json": ("BTC_USDT-1m.json", "[]", "is an empty list"),
    "word for price": ("BTC_USDT-1m.csv", CSV.replace("61700.1", "high"), "row 3: not a number"),
    "missing cell": ("BTC_USDT-1m.csv", CSV + f"\n{START_MS + 120_000},1,2", "row 4: "),
    "not a number": ("BTC_USDT-1m.csv", CSV.replace("61700.1", "NaN"), "row 3: not a finite"),
    "time": ("BTC_USDT-1m.csv", CSV.replace(str(START_MS), "yesterday"), "row 2: time 'yesterday'"),
    "goes back": ("BTC_USDT-1m.csv", CSV + "\n" + CSV.split("\n")[1], "row 4: a bar that does not"),
    "high under low": ("BTC_USDT-1m.csv", CSV.replace("61860.80", "1"), "row 2: open 61828.00"),
    "side": (
        "BTCUSDT-t.csv", f"time,price,qty,side\n{START_MS},1,1,up\n", "row 2: side 'up'",
    ),
    "quantity": (
        "BTCUSDT-t.csv", f"time,price,qty\n{START_MS},1,0\n", "row 2: price 1, quantity 0",
    ),
    "raw": ("BTCUSDT.gz", gzip.compress(raw(p=1).encode()), "line 1: "),
}  # fmt: skip


def walk(path: Path) -> None:
    recording = open_recording(path)
    list(recording.bars() if recording.kind is Kind.BARS else recording.trades())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_what_to_do(mistake: str, tmp_path: Path) -> None:
    name, content, told = MISTAKES[mistake]
    path = write(tmp_path, name, content)

    with pytest.raises(ConfigError) as caught:
        walk(path)

    assert told in str(caught.value)
    assert str(path) in str(caught.value) or mistake == "no symbol"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file.*do: check the path"):
        open_recording(tmp_path / "none.csv")


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", CSV)

    with pytest.raises(ConfigError, match="holds 2 files; expected: one"):
        open_recording(tmp_path / "two.zip")


def test_bars_are_no_trades_and_trades_no_bars(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds bars; expected: trades"):
        list(open_recording(csv_file(tmp_path)).trades())
