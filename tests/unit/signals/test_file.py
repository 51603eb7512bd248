"""A series in a file: whole for a backtest, line by line while it grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.signals.file import FileTail, read_series
from holdfast.signals.port import Entry

DAY_NS = 86_400_000_000_000


def test_json_lines_and_csv_say_the_same(tmp_path: Path) -> None:
    lines, cells = tmp_path / "a.jsonl", tmp_path / "a.csv"
    lines.write_text(
        '{"value": 0.5, "known_at": "1970-01-02T00:00:00Z", "id": "x"}\n\n'
        '{"value": "calm, so far", "known_at": "1970-01-03T00:00:00Z"}\n'
    )
    cells.write_text(
        "known_at,value,id\r\n1970-01-02T00:00:00Z,0.5,x\r\n"
        '1970-01-03T00:00:00Z,"calm, so far",\r\n'
    )
    expected = [Entry("0.5", DAY_NS, "x"), Entry('"calm, so far"', 2 * DAY_NS)]
    assert read_series(lines) == read_series(cells) == expected


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", '{"value": 1}', "line 1: no known_at"),
        ("a.jsonl", "nonsense", "line 1: seen: 'nonsense'"),
        (
            "a.jsonl",
            '{"value": 1, "known_at": "1970-01-03T00:00:00Z"}\n'
            '{"value": 1, "known_at": "1970-01-02T00:00:00Z"}',
            "line 2: an earlier known_at",
        ),
        ("a.csv", "time,value\n", "line 1: seen: the columns time, value"),
        ("a.csv", "known_at,value\n1970-01-02T00:00:00Z\n", "line 2: seen: 1 cells"),
        ("a.csv", "known_at,value\n1970-01-02,5\n", "line 2: seen: known_at '1970-01-02'"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_series(path)
    assert told in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.csv cannot be read"):
        read_series(tmp_path / "none.csv")


def told(tail: FileTail) -> list[str]:
    return [f"{line.number} {line.text}" for line in tail.read()]


def test_only_complete_lines_are_read_and_each_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    tail = FileTail(path)
    with pytest.raises(FileNotFoundError):
        told(tail)
    steps = [("one\ntw", ["1 one"]), ("o", []), ("\nthree\n", ["2 two", "3 three"])]
    with path.open("a") as file:
        for text, expected in steps:
            file.write(text)
            file.flush()
            assert told(tail) == expected


def test_a_file_that_was_replaced_or_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("one\ntwo\n")
    tail = FileTail(path)
    assert told(tail) == ["1 one", "2 two"]
    fresh = tmp_path / "fresh"
    fresh.write_text("three\nfour\n")
    os.replace(fresh, path)
    assert told(tail) == ["1 three", "2 four"]
    path.write_text("five\n")
    assert told(tail) == ["1 five"]


def test_a_line_without_end_is_not_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("x" * 3_000_000 + "\nnext\n")
    first, last = FileTail(path).read()
    assert len(first.text) < 1_100_000
    assert last.text == "next"
