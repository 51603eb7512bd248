"""Files judged as columns: every mistake is named with its row, and nothing is repaired."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from holdfast import BarTable, load
from holdfast.errors import ConfigError
from holdfast.market.columns import Kind
from holdfast.market.intake import Intake, Told, take_in
from holdfast.market.load import load_bars
from holdfast.market.rules import Fault

START_MS = 1_723_118_400_000
HEADER = "time,open,high,low,close,volume"
GOOD = ("10,12,9,11,0.5", "11,12.5,10,12,1", "12,13,11,11.5,0", "11.5,12,11,12,3.25")


def lines(*rows: str, header: str = HEADER, step_ms: int = 60_000) -> str:
    stamped = [f"{START_MS + n * step_ms},{row}" for n, row in enumerate(rows)]
    return "\n".join([header, *stamped]) + "\n"


def write(folder: Path, content: str | bytes, name: str = "BTC_USDT-1m.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def judged(folder: Path, content: str | bytes, **told: object) -> Intake:
    return take_in(write(folder, content), Told(**told))  # type: ignore[arg-type]


CSV = lines(*GOOD)
SAME = {
    "windows": CSV.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + CSV,
    "mac": CSV.replace("\n", "\r"),
    "no last line end": CSV.rstrip("\n"),
    "quotes": '"' + CSV.strip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    "spaces": CSV.replace(",", ", "),
    "semicolons": CSV.replace(",", ";"),
    "tabs": CSV.replace(",", "\t"),
    "no header": CSV.split("\n", 1)[1],
    "empty lines": CSV.replace("\n", "\n\n"),
    "seconds": CSV.replace("000,", ",", 4).replace(HEADER, HEADER),
    "microseconds": CSV.replace("0000,", "0000000,"),
    "nanoseconds": CSV.replace("0000,", "0000000000,"),
    "other names": CSV.replace(HEADER, "Open Time,Open,High,Low,Close,Base Volume"),
    "one more column": CSV.replace("\n", ",x\n"),
    "zeros": CSV.replace("10,", "10.00000000,").replace("0.5", "0.500000000000000000"),
}


@pytest.mark.parametrize("form", SAME)
def test_every_way_to_write_it_is_the_same_table(form: str, tmp_path: Path) -> None:
    expected = load(write(tmp_path, CSV, "BTC_USDT-1m.txt"))
    found = load(write(tmp_path, SAME[form]))
    assert found == expected
    assert (len(found), found.bar_s, found.symbol) == (4, 60, "BTC/USDT")


@pytest.mark.parametrize("suffix", ["parquet", "feather", "json", "csv.gz"])
def test_every_format_is_the_same_table(suffix: str, tmp_path: Path) -> None:
    expected = load(write(tmp_path, CSV))
    path = tmp_path / f"BTC_USDT-1m.{suffix}"
    if suffix == "parquet":
        expected.dated().write_parquet(path)
    elif suffix == "feather":
        expected.dated().write_ipc(path)
    elif suffix == "json":
        path.write_text("[" + ",".join(f"[{line}]" for line in CSV.split()[1:]) + "]")
    else:
        path.write_bytes(gzip.compress(CSV.encode()))
    assert load(path) == expected


def test_the_sha256_is_of_the_file_as_it_lies_there(tmp_path: Path) -> None:
    path = write(tmp_path, CSV)
    packed = write(tmp_path, gzip.compress(CSV.encode(), mtime=0), "BTC_USDT-1m.csv.gz")
    assert load(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(packed).sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


FAULTS = {
    "word": (2, GOOD[1].replace("12.5", "high"), "high is no number"),
    "empty cell": (2, GOOD[1].replace("12.5", ""), "high is no number"),
    "missing cell": (2, "11,12.5", "low is no number"),
    "not a number": (2, GOOD[1].replace("12.5", "NaN"), "high NaN"),
    "infinite": (2, GOOD[1].replace("12.5", "inf"), "high inf"),
    "zero": (2, GOOD[1].replace("10", "0"), "low 0.0"),
    "negative": (2, GOOD[1].replace("10", "-10"), "low -10.0"),
    "negative volume": (2, "11,12.5,10,12,-1", "volume -1.0"),
    "high under low": (2, "11,9,10,12,1", "high 9.0 below low 10.0"),
    "open outside": (
        2, "13,12.5,10,12,1", "open 13.0 and close 12.0 outside low 10.0 to high 12.5",
    ),
    "close outside": (
        2, "11,12.5,10,9,1", "open 11.0 and close 9.0 outside low 10.0 to high 12.5",
    ),
    "too many digits": (
        2, "11,12.123456789012345678,10,12,1",
        "high 12.123456789012346 has more digits than float64 keeps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_named_and_the_others_are_good(fault: str, tmp_path: Path) -> None:
    place, row, reason = FAULTS[fault]
    rows = [*GOOD]
    rows[place - 1] = row
    found = judged(tmp_path, lines(*rows))
    assert found.bad == [Fault(place + 1, reason)]
    assert found.good["row"].to_list() == [2, 4, 5]
    assert (found.rows, found.duplicates, found.misplaced) == (4, [], [])
    with pytest.raises(ConfigError, match=f"row {place + 1}: "):
        load(tmp_path / "BTC_USDT-1m.csv")


def test_a_time_that_cannot_be_read_is_a_bad_row(tmp_path: Path) -> None:
    found = judged(tmp_path, CSV.replace(str(START_MS + 60_000), "soon"))
    assert found.bad == [Fault(3, "no time that can be read")]


def test_a_float_s_own_dust_is_no_loss(tmp_path: Path) -> None:
    """Recorders print 22264158.1 as what float64 makes of it."""
    found = judged(tmp_path, CSV.replace("3.25", "22264158.1000000015"))
    assert found.faults == []
    assert found.good["volume"].to_list()[-1] == 22264158.1


def test_duplicates_and_rows_that_go_back_are_told_apart(tmp_path: Path) -> None:
    again = CSV + CSV.split("\n")[2] + "\n" + f"{START_MS - 60_000},10,12,9,11,1\n"
    found = judged(tmp_path, again)
    assert found.duplicates == [Fault(6, "2024-08-08T12:01:00Z a second time")]
    assert found.misplaced == [Fault(7, "2024-08-08T11:59:00Z behind a later one")]
    assert len(found.good) == 4
    sorted_ = judged(tmp_path, again, sort=True)
    assert (len(sorted_.good), sorted_.misplaced) == (5, [])
    assert sorted_.good["open_ns"].is_sorted()


def test_a_file_that_runs_backwards_says_so(tmp_path: Path) -> None:
    header, *rows = CSV.split()
    path = write(tmp_path, "\n".join([header, *reversed(rows)]))
    with pytest.raises(ConfigError, match="does not run from old to new: pass --sort"):
        load(path)
    assert load_bars(path, Told(sort=True)) == load(write(tmp_path, CSV))


def test_a_row_beside_the_grid_is_bad(tmp_path: Path) -> None:
    found = judged(tmp_path, CSV.replace(str(START_MS + 60_000), str(START_MS + 61_000)))
    assert found.bad == [Fault(3, "2024-08-08T12:01:01Z, beside the grid of the other 1m bars")]


@pytest.mark.parametrize("name", ["BTC_USDT-1m.csv", "BTC_USDT.csv"])
def test_a_row_half_way_between_two_others_is_bad_and_makes_no_shorter_timeframe(
    name: str, tmp_path: Path
) -> None:
    half_way = CSV.replace(str(START_MS + 180_000), str(START_MS + 150_000))
    found = take_in(write(tmp_path, half_way, name))
    assert found.bar_s == 60
    assert found.bad == [Fault(5, "2024-08-08T12:02:30Z, beside the grid of the other 1m bars")]


def test_a_shorter_timeframe_that_is_told_is_one_where_markets_stood_still(tmp_path: Path) -> None:
    sparse = CSV.replace(str(START_MS + 180_000), str(START_MS + 150_000))
    for name, told in (("BTC_USDT-30s.csv", Told()), ("BTC_USDT.csv", Told(timeframe="30s"))):
        found = take_in(write(tmp_path, sparse, name), told)
        assert (found.bar_s, found.bad) == (30, [])


def test_a_bad_row_after_an_empty_line_has_the_editor_s_number(tmp_path: Path) -> None:
    gap = CSV.split("\n")
    text = "\n".join([gap[0], gap[1], "", gap[2].replace("12.5", "x"), *gap[3:]])
    assert judged(tmp_path, text).bad == [Fault(4, "high is no number")]


def test_mixed_units_are_refused_with_the_row(tmp_path: Path) -> None:
    mixed = CSV.replace(str(START_MS + 120_000), str(START_MS // 1000 + 120))
    with pytest.raises(ConfigError, match=r"row 4: time 1723118520 \(Unix time in s\), where most"):
        judged(tmp_path, mixed)
    dates = CSV.replace(str(START_MS + 120_000), "2024-08-08T12:02:00")
    with pytest.raises(ConfigError, match=r"row 4: time 2024-08-08T12:02:00 \(dates\)"):
        judged(tmp_path, dates)


def test_the_unit_may_be_said(tmp_path: Path) -> None:
    early = CSV.replace(str(START_MS)[:8], "00000000")
    found = judged(tmp_path, early, unit="ms", timeframe="1m")
    assert found.good["open_ns"].to_list()[1] == (START_MS + 60_000) % 100_000 * 1_000_000
    with pytest.raises(ConfigError, match="--unit minutes; expected: one of s, ms, us, ns"):
        Told(unit="minutes")


ZONED = "date,open,high,low,close,volume\n" + "\n".join(
    f"2024-03-31 {hour},10,12,9,11,1" for hour in ("00:00", "01:00", "03:00", "04:00")
)


def test_a_time_zone_is_applied_and_what_its_clocks_skip_is_bad(tmp_path: Path) -> None:
    found = judged(tmp_path, ZONED, zone="Europe/Berlin", symbol="BTC/USDT", timeframe="1h")
    assert found.faults == []
    assert found.good["open_ns"].diff().drop_nulls().unique().to_list() == [3600 * 10**9]
    skipped = judged(tmp_path, ZONED.replace("03:00", "02:30"), zone="Europe/Berlin")
    assert skipped.bad == [Fault(4, "no time that can be read")]
    with pytest.raises(ConfigError, match="time zone 'Mars/North'"):
        judged(tmp_path, ZONED, zone="Mars/North")


def test_an_offset_in_the_text_comes_before_the_zone(tmp_path: Path) -> None:
    rows = [f"2024-08-08T12:0{n}:00+02:00,{row}" for n, row in enumerate(GOOD)]
    found = judged(tmp_path, "\n".join([HEADER, *rows]), zone="America/New_York")
    assert found.good["open_ns"][0] == (START_MS - 7_200_000) * 1_000_000


MAPPED = "when,o,hi,lo,c,amount,other\n" + "\n".join(
    f"{START_MS + n * 60_000},{row},7" for n, row in enumerate(GOOD)
)


def test_columns_can_be_said_by_name_and_by_number(tmp_path: Path) -> None:
    expected = load(write(tmp_path, CSV))
    said = {"time": "when", "high": "hi", "low": "3", "volume": "amount"}
    with pytest.raises(ConfigError, match="--columns time="):
        judged(tmp_path, MAPPED)
    said["low"] = "4"
    assert load_bars(write(tmp_path, MAPPED), Told(columns=said)) == expected
    bare = MAPPED.split("\n", 1)[1]
    numbers = dict(zip(("time", "open", "high", "low", "close", "volume"), "123456", strict=True))
    assert load_bars(write(tmp_path, bare), Told(columns=numbers)) == expected


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"when": "time"}, "expected: one of time, open"),
        ({"time": "nothing"}, "expected: one of time, open, high, low, close, volume, or a number"),
        ({"time": "9"}, "a number from 1 to 6"),
    ],
)
def test_a_column_that_is_not_there_is_refused(
    said: dict[str, str], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        judged(tmp_path, CSV, columns=said)


def test_a_symbol_that_does_not_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="by its name holds BTC/USDT; expected: ETH/USDT"):
        load(write(tmp_path, CSV), symbol="ETH/USDT")
    assert load(write(tmp_path, CSV, "data.csv"), symbol="ethusdt").symbol == "ETH/USDT"
    with pytest.raises(ConfigError, match="does not tell its symbol"):
        load(write(tmp_path, CSV, "data.csv"))


def test_one_symbol_of_several_can_be_chosen(tmp_path: Path) -> None:
    header, *rows = CSV.split()
    both = [f"{row},{pair}" for pair in ("BTCUSDT", "ETHUSDT") for row in rows]
    path = write(tmp_path, "\n".join([f"{header},symbol", *both]), "all-1m.csv")
    with pytest.raises(ConfigError, match="rows of BTC/USDT, ETH/USDT; expected: one symbol"):
        load(path)
    assert len(load(path, symbol="ETH/USDT")) == 4
    with pytest.raises(ConfigError, match="expected: SOL/USDT"):
        load(path, symbol="SOL/USDT")


def test_a_longer_timeframe_is_built_and_a_shorter_one_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, CSV)
    assert load(path, timeframe="2m").frame["volume"].to_list() == [1.5, 3.25]
    with pytest.raises(ConfigError, match=r"bars of 1m, asked for as 30s; expected: 1m or a mult"):
        load(path, timeframe="30s")
    with pytest.raises(ConfigError, match="timeframe 'soon'"):
        load(path, timeframe="soon")


def test_the_rows_tell_the_timeframe_and_the_name_where_markets_stood_still(tmp_path: Path) -> None:
    named = write(tmp_path, lines(*GOOD, step_ms=300_000), "BTC_USDT.csv")
    assert load(named).timeframe == "5m"
    header, *rows = lines(*GOOD).split()
    sparse = "\n".join([header, rows[0], rows[2], *rows[3:]])
    assert load(write(tmp_path, sparse)).timeframe == "1m"
    one = "\n".join([header, rows[0]])
    assert load(write(tmp_path, one)).timeframe == "1m"
    with pytest.raises(ConfigError, match="too few rows to tell how long a bar is"):
        load(write(tmp_path, one, "BTC_USDT.csv"))


MISTAKES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "header only": (HEADER + "\n", "has no rows"),
    "columns": ("a,b\n1,2\n", "with columns a, b; expected: candles"),
    "binary": (b"\x7fELF\x00\x00\x01", "in a format not known here"),
    "damaged parquet": (b"PAR1 and then nothing", "expected: a whole Parquet"),
    "broken json": ("[[1723118400000, 1, ", "expected: a whole file"),
    "not text": (HEADER.encode() + b"\n\xff\xfe,1,1,1,1,1\n", "expected: a whole file"),
    "object": ('{"a": 1}', "in a format not known here"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_file_that_cannot_be_read_is_refused(mistake: str, tmp_path: Path) -> None:
    content, told = MISTAKES[mistake]
    with pytest.raises(ConfigError, match="seen: ") as caught:
        load(write(tmp_path, content))
    assert told in str(caught.value)


TRADES = "time,id,price,quantity,side\n" + "\n".join(
    f"{START_MS + at},{number},{price},0.1,{side}"
    for number, (at, price, side) in enumerate(
        [(0, 10, "buy"), (500, 12, "sell"), (500, 9, "sell"), (61_000, 11, "buy")]
    )
)


def trades(folder: Path, content: str, **told: object) -> Intake:
    return take_in(write(folder, content, "BTCUSDT-trades.csv"), Told(**told))  # type: ignore[arg-type]


def test_trades_are_judged_and_become_candles(tmp_path: Path) -> None:
    found = trades(tmp_path, TRADES)
    assert (found.kind, found.bar_s, found.rows, found.faults) == (Kind.TRADES, 0, 4, [])
    assert found.good["side"].to_list() == ["buy", "sell", "sell", "buy"]
    table = load(tmp_path / "BTCUSDT-trades.csv", timeframe="1m")
    assert table.frame.drop("open_ns").rows() == [
        (10.0, 12.0, 9.0, 9.0, 0.3), (11.0, 11.0, 11.0, 11.0, 0.1),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="holds trades; expected: a timeframe"):
        load(tmp_path / "BTCUSDT-trades.csv")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (",12,0.1", ",0,0.1", Fault(3, "price 0.0")),
        (",12,0.1", ",12,0", Fault(3, "quantity 0.0")),
        ("12,0.1,sell", "12,0.1,up", Fault(3, "neither a buy nor a sell")),
        (f"{START_MS + 500},1", f"{START_MS - 500},1",
         Fault(3, "2024-08-08T11:59:59.5Z behind a later one")),
        ("500,2,", "500,1,", Fault(4, "2024-08-08T12:00:00.5Z a second time")),
    ],
)  # fmt: skip
def test_a_bad_trade_is_named(old: str, new: str, fault: Fault, tmp_path: Path) -> None:
    assert trades(tmp_path, TRADES.replace(old, new)).faults == [fault]


def test_json_keeps_what_float64_would_lose(tmp_path: Path) -> None:
    rows = [[START_MS, 10, 12, 9, 11, 1], [START_MS + 60_000, 10, 12, 9, 11, 1]]
    text = json.dumps(rows).replace("12, 9", "12.123456789012345678, 9", 1)
    found = take_in(write(tmp_path, text, "BTC_USDT-1m.json"))
    assert [fault.row for fault in found.bad] == [1]


def test_exact_types_of_a_parquet_file_are_taken_exactly(tmp_path: Path) -> None:
    path = tmp_path / "BTC_USDT-1m.parquet"
    frame = pl.read_csv(CSV.encode()).with_columns(
        pl.col("open").cast(pl.Decimal(18, 8)), pl.col("high").cast(pl.Float32),
        pl.col("low").cast(pl.Int32), pl.from_epoch("time", time_unit="ms"),
    ).with_columns(high=pl.col("high") + pl.lit(0.1, pl.Float32))  # fmt: skip
    frame.write_parquet(path)
    assert load(path).frame["high"].to_list() == [12.1, 12.6, 13.1, 12.1]
    assert load(path).frame["open"].to_list() == [10, 11, 12, 11.5]


def test_the_front_door_knows_the_table() -> None:
    import holdfast  # noqa: PLC0415

    assert holdfast.load is load
    assert holdfast.BarTable is BarTable
    assert set(holdfast.__all__) <= set(dir(holdfast))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        holdfast.lode  # noqa: B018
