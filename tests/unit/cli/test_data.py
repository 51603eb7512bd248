"""`holdfast data`: what is printed, which exit code, and that nothing is stored half."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from holdfast.cli import main

START_MS = 1_723_118_400_000
HEADER = "time,open,high,low,close,volume"
ROW = "10,12,9,11,0.5"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`holdfast data …` in a folder of its own: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["data", *words])
        told = capsys.readouterr()
        return code, told.out, " ".join(told.err.split())

    return call


def write(name: str, minutes: list[int], row: str = ROW) -> str:
    lines = [HEADER, *(f"{START_MS + at * 60_000},{row}" for at in minutes)]
    Path(name).write_text("\n".join(lines))
    return name


def document(out: str) -> dict[str, Any]:
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


FIELDS = {"rows", "first", "last", "gaps", "duplicates", "bad_rows"}


def test_a_clean_file_is_checked_with_nothing_found(run: Run) -> None:
    code, out, _ = run("check", write("BTC_USDT-1m.csv", [0, 1, 2]), "--json")
    found = document(out)
    assert code == 0
    assert found.keys() >= FIELDS
    assert found | {"gaps": [], "duplicates": 0, "bad_rows": 0} == found
    assert (found["rows"], found["first"], found["last"]) == (
        3, "2024-08-08T12:00:00Z", "2024-08-08T12:02:00Z",
    )  # fmt: skip


def test_check_finds_everything_changes_nothing_and_ends_with_1(run: Run) -> None:
    name = write("BTC_USDT-1m.csv", [0, 1, 1, 2, 6, 5, 7])
    with Path(name).open("a") as file:
        file.write(f"\n{START_MS + 480_000},10,12,NaN,11,1")
    before = Path(name).read_bytes()
    code, out, _ = run("check", name, "--json")
    found = document(out)
    assert code == 1
    assert found["gaps"] == [
        {"from": "2024-08-08T12:02:00Z", "to": "2024-08-08T12:06:00Z", "missing": 3}
    ]
    assert (found["rows"], found["duplicates"], found["bad_rows"]) == (8, 1, 2)
    assert [fault["row"] for fault in found["faults"]] == [4, 7, 9]
    assert Path(name).read_bytes() == before
    code, out, _ = run("check", name)
    assert code == 1
    assert "BTC/USDT, 8 candles of 1m" in out
    assert "hole: 2024-08-08T12:02:00Z to 2024-08-08T12:06:00Z: 3 missing" in out
    assert "fault: row 9: low NaN" in out


def test_a_file_that_cannot_be_read_is_wrong_usage(run: Run) -> None:
    code, out, err = run("check", "nothing.csv", "--json")
    assert (code, out) == (2, "")
    assert "nothing.csv: No such file or directory" in err


def test_import_stores_what_list_shows_and_other_verbs_read(run: Run) -> None:
    code, out, err = run("import", write("BTC_USDT-1m.csv", [0, 1, 5]), "--json")
    stored = document(out)
    assert (code, err) == (0, "")
    assert stored.keys() >= FIELDS
    (entry,) = stored["entries"]
    assert entry["path"] == ".holdfast/data/imported/BTC_USDT-1m.parquet"
    assert (entry["rows"], entry["added"], entry["left_out_rows"]) == (3, 3, 0)
    assert stored["gaps"][0]["missing"] == 3
    code, out, _ = run("list", "--json")
    listed = document(out)
    assert (code, listed["rows"], listed["entries"][0]["sha256"]) == (0, 3, entry["sha256"])
    assert listed["entries"][0].keys() >= FIELDS
    code, out, _ = run("check", entry["path"])
    assert (code, "BTC/USDT, 3 candles of 1m" in out) == (1, True)
    assert "BTC/USDT, 3 candles of 1m" in run("list")[1]


def test_an_empty_catalogue_says_what_to_do(run: Run) -> None:
    assert run("list")[:2] == (0, "nothing yet: holdfast data download, or holdfast data import "
                               "FILE\n")  # fmt: skip
    assert document(run("list", "--json")[1]) == {
        "rows": 0, "first": None, "last": None, "gaps": [], "duplicates": 0, "bad_rows": 0,
        "entries": [],
    }  # fmt: skip


def test_a_broken_row_refuses_every_file_and_stores_nothing(run: Run) -> None:
    good = write("ETH_USDT-1m.csv", [0, 1])
    code, out, err = run("import", good, write("BTC_USDT-1m.csv", [0, 1, 1]), "--json")
    assert (code, out) == (2, "")
    assert "row 4: 2024-08-08T12:01:00Z a second time" in err
    assert "pass --skip-bad" in err
    assert not Path(".holdfast").exists()


def test_skip_bad_says_what_it_left_out(run: Run) -> None:
    name = write("BTC_USDT-1m.csv", [0, 1, 1, 2])
    code, out, err = run("import", name, "--skip-bad", "--json")
    (entry,) = document(out)["entries"]
    assert (code, entry["rows"], entry["left_out_rows"], entry["duplicates"]) == (0, 3, 1, 1)
    assert entry["left_out"] == [{"row": 4, "reason": "2024-08-08T12:01:00Z a second time"}]
    assert "left out 1 rows of BTC_USDT-1m.csv: row 4: 2024-08-08T12:01:00Z a second time" in err


def test_files_of_one_market_become_one_entry(run: Run) -> None:
    names = [write("BTC_USDT-1m-b.csv", [3, 4]), write("BTC_USDT-1m-a.csv", [0, 1, 2, 3])]
    code, out, _ = run("import", *names, "--json")
    (entry,) = document(out)["entries"]
    assert (code, entry["rows"], entry["gaps"]) == (0, 5, [])
    code, _, err = run("import", names[0], write("BTC_USDT-1m-c.csv", [4], "10,12,9,12,0.5"))
    assert code == 2
    assert "1 rows that BTC_USDT-1m-b.csv has with other values" in err


def test_what_is_there_wins_unless_told_otherwise(run: Run) -> None:
    run("import", write("BTC_USDT-1m.csv", [0, 1]))
    other = write("BTC_USDT-1m.csv", [1, 2], "10,12,9,12,0.5")
    code, _, err = run("import", other)
    assert (code, "pass --replace" in err) == (2, True)
    code, out, _ = run("import", other, "--replace", "--json")
    assert (code, document(out)["rows"]) == (0, 3)


def test_columns_zone_and_unit_can_be_said(run: Run) -> None:
    Path("dump.csv").write_text("When;O;H;L;C;V\n" + "\n".join(
        f"2024-08-08 14:0{n};10;12;9;11;1" for n in range(3)
    ))  # fmt: skip
    said = "time=When,open=O,high=3,low=L,close=C,volume=V"
    code, out, _ = run(
        "import", "dump.csv", "--symbol", "btcusdt", "--tz", "Europe/Berlin", "--columns", said,
        "--json",
    )  # fmt: skip
    assert (code, document(out)["first"]) == (0, "2024-08-08T12:00:00Z")
    code, _, err = run("import", "dump.csv", "--columns", "time")
    assert (code, "--columns time expected: our name = the file's" in err) == (2, True)
    code, _, err = run("check", "dump.csv", "--unit", "weeks")
    assert (code, "--unit weeks" in err) == (2, True)


def test_trades_are_stored_as_such_or_as_candles(run: Run) -> None:
    rows = [f"{START_MS + n * 20_000},{n},10,0.1,buy" for n in range(6)]
    Path("BTCUSDT-trades.csv").write_text("\n".join(["time,id,price,quantity,side", *rows]))
    code, out, _ = run("import", "BTCUSDT-trades.csv", "--json")
    (entry,) = document(out)["entries"]
    assert (code, entry["kind"], entry["rows"]) == (0, "trades", 6)
    code, out, _ = run("import", "BTCUSDT-trades.csv", "--timeframe", "1m", "--json")
    (entry,) = document(out)["entries"]
    assert (code, entry["kind"], entry["rows"], entry["added"]) == (0, "bars", 2, 6)
    code, out, _ = run("check", ".holdfast/data/imported/BTC_USDT-trades.parquet")
    assert code == 0


def candles_of(entry: dict[str, Any]) -> list[tuple[Any, ...]]:
    frame = pl.read_parquet(entry["path"])
    return frame.with_columns(pl.col("open_time").dt.epoch("ms") - START_MS).rows()


def test_a_longer_candle_over_the_border_of_two_files_is_made_of_both(run: Run) -> None:
    names = [write("BTC_USDT-1m-a.csv", [0, 1, 2, 3, 4, 5, 6]),
             write("BTC_USDT-1m-b.csv", [7, 8, 9, 10, 11, 12, 13, 14])]  # fmt: skip
    code, out, _ = run("import", *names, "--timeframe", "5m", "--json")
    (entry,) = document(out)["entries"]
    assert (code, entry["rows"], entry["added"], entry["gaps"]) == (0, 3, 15, [])
    assert [row[-1] for row in candles_of(entry)] == [2.5, 2.5, 2.5]


def test_files_that_are_short_for_a_candle_make_it_together_and_are_refused_alone(
    run: Run,
) -> None:
    names = [write("BTC_USDT-1m-a.csv", [0, 1, 2]), write("BTC_USDT-1m-b.csv", [3, 4])]
    code, _, err = run("import", names[0], "--timeframe", "5m")
    assert (code, "BTC_USDT-1m-a.csv, which cover no candle of 5m" in err) == (2, True)
    assert not Path(".holdfast").exists()
    code, out, _ = run("import", *names, "--timeframe", "5m", "--json")
    assert (code, document(out)["rows"]) == (0, 1)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("order", ["abc", "acb", "cab"])
def test_a_candle_of_trades_that_two_files_have_parts_of_is_made_of_both(
    order: str, numbered: bool, run: Run
) -> None:
    header = "time,id,price,quantity" if numbered else "time,price,quantity"
    trades = [
        f"{START_MS + n * 20_000},{f'{n},' if numbered else ''}{10 + n},0.1" for n in range(15)
    ]
    whole = {"whole": trades}
    parts = {"a": trades[:4], "b": trades[4:8], "c": trades[8:]}
    for name, rows in (whole | parts).items():
        Path(f"BTCUSDT-trades-{name}.csv").write_text("\n".join([header, *rows]))
    words = ("--timeframe", "1m", "--json")
    code, out, _ = run("import", "BTCUSDT-trades-whole.csv", "--exchange", "whole", *words)
    (expected,) = document(out)["entries"]
    assert (code, expected["rows"]) == (0, 5)
    names = [f"BTCUSDT-trades-{name}.csv" for name in order]
    code, out, err = run("import", *names, *words)
    assert (code, err) == (0, "")
    (entry,) = document(out)["entries"]
    assert candles_of(entry) == candles_of(expected)
    assert (entry["added"], entry["sha256"]) == (15, expected["sha256"])


def test_a_file_that_begins_and_ends_within_another_changes_no_candle(run: Run) -> None:
    trades = [f"{START_MS + n * 20_000},{n},{10 + n},0.1" for n in range(15)]
    for name, rows in (("a", trades), ("b", trades[4:11])):
        text = "\n".join(["time,id,price,quantity", *rows])
        Path(f"BTCUSDT-trades-{name}.csv").write_text(text)
    found = []
    for exchange, names in (("one", "a"), ("two", "ab"), ("three", "ba")):
        files = [f"BTCUSDT-trades-{name}.csv" for name in names]
        code, out, _ = run("import", *files, "--timeframe", "1m", "--exchange", exchange, "--json")
        assert code == 0
        found.append(document(out)["entries"][0]["sha256"])
    assert len(set(found)) == 1


def test_trades_without_ids_must_not_overlap(run: Run) -> None:
    for name, numbers in (("a", range(4)), ("b", range(3, 6))):
        rows = [f"{START_MS + n * 20_000},{10 + n},0.1" for n in numbers]
        text = "\n".join(["time,price,quantity", *rows])
        Path(f"BTCUSDT-trades-{name}.csv").write_text(text)
    names = ("BTCUSDT-trades-a.csv", "BTCUSDT-trades-b.csv")
    for words in ((), ("--timeframe", "1m")):
        code, _, err = run("import", *names, *words)
        assert code == 2
        assert "some from 2024-08-08T12:01:00Z to 2024-08-08T12:01:00Z" in err


def test_a_damaged_catalogue_file_is_told(run: Run) -> None:
    run("import", write("BTC_USDT-1m.csv", [0, 1]))
    path = Path(".holdfast/data/imported/BTC_USDT-1m.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    code, _, err = run("list")
    assert (code, "do: move it away" in err) == (1, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--timeframe": "soon"}, "timeframe 'soon'"),
        ({"--since": "soon"}, "time 'soon'"),
        ({"--since": "2999-01-01"}, "the first before the second, and before now"),
        ({"--until": "2023-01-01"}, "the first before the second"),
    ],
)
def test_a_download_that_cannot_work_is_told_at_once(
    change: dict[str, str], told: str, run: Run
) -> None:
    choice = {
        "--exchange": "binance", "--symbol": "BTC/USDT", "--timeframe": "1h",
        "--since": "2024-01-01", **change,
    }  # fmt: skip
    code, out, err = run("download", *(word for pair in choice.items() for word in pair))
    assert (code, out) == (2, "")
    assert told in err
