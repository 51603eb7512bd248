"""`holdfast optimize`: the document, the table for people, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from holdfast.cli import main
from tests.support.recordings import recording
from tests.unit.app.research.test_front import table

HEEDING = """
from decimal import Decimal
from typing import Annotated

from holdfast.strategy import FLAT, Range, Setup, Strategy, Target, View, Wish


class Heeding(Strategy):
    levels: Annotated[int, Range(1, 9)] = 3

    def setup(self, on: Setup) -> None:
        self.book = on.book(levels=self.levels)
        self.news = on.signal("news")

    def decide(self, now: View) -> Wish:
        if not self.news.ready or not self.book.ready:
            return FLAT
        bid, asked = (sum(size for _, size in side) for side in (self.book.bids, self.book.asks))
        return Target(quantity=Decimal("0.01")) if bid > asked else FLAT
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "BTC_USDT-1h.csv"
    # In 2024: a file of 1970 has times that could be of any unit.
    since = 1_704_067_200_000_000_000
    table(300).frame.with_columns(pl.col("open_ns") + since).write_csv(file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join(["time,open,high,low,close,volume", *lines[1:]]))
    return file


def run(data: Path, *more: str) -> int:
    words = ["optimize", "--strategy", "sma_cross", "--data", str(data), "--trials", "8"]
    return main([*words, "--seed", "3", "--space", "fast=2:9", "--space", "slow=10:30", *more])


def test_one_document(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--json", "--objective", "return_pct", "--walk-forward", "2") == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert {"best", "trials", "in_sample", "out_of_sample", "warnings"} <= set(found)
    assert set(found["best"]) == {"params", "value"}
    assert len(found["trials"]) == 16
    assert {"number", "params", "value", "state"} <= set(found["trials"][0])
    assert [one["window"] for one in found["out_of_sample"]["windows"]] == [1, 2]
    assert found["in_sample"]["value"] == found["best"]["value"]


def test_people_read_what_was_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--objective", "return_pct") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("best: fast=")
    assert "8 trials: 8 complete, 0 pruned, 0 failed" in shown
    assert "--walk-forward" in shown


def test_runs_of_a_search_have_the_terms_books_trades_and_signals_of_a_backtest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the best parameters came to is what `holdfast backtest` makes of them."""
    raw = str(recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz"))
    news, file = tmp_path / "news.jsonl", tmp_path / "heeding.py"
    news.write_text('{"known_at": "2024-08-08T23:55:30Z", "value": 1}\n')
    file.write_text(HEEDING)
    words = ["--strategy", f"{file}:Heeding", "--data", raw, "--timeframe", "10s", "--json"]
    words += ["--trades", raw, "--depth", raw, "--latency-ms", "40", "--signal", f"news={news}"]
    study = ["--study", str(tmp_path / "s.db")]
    more = ["--objective", "return_pct", "--trials", "3", "--seed", "1", *study]
    assert main(["optimize", *words, *more]) == 0
    found = json.loads(capsys.readouterr().out)
    (levels,) = found["best"]["params"].values()
    assert main(["backtest", *words, "--param", f"levels={levels}"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert found["in_sample"]["figures"]["final_equity"] == alone["final_equity"]
    assert alone["fills"] > 4
    news.write_text('{"known_at": "2024-08-08T23:57:30Z", "value": 1}\n')
    assert main(["optimize", *words, *more]) == 2
    assert "data, costs" in capsys.readouterr().err, "another series is another search"


def test_a_study_goes_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ("--json", "--objective", "return_pct", "--study", str(tmp_path / "s.db"))
    assert run(data, *more) == 0
    first = json.loads(capsys.readouterr().out)
    assert run(data, *more, "--trials", "10") == 0
    second = json.loads(capsys.readouterr().out)
    assert second["trials"][:8] == first["trials"]
    assert len(second["trials"]) == 10


def test_a_file_per_symbol(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = data.with_name("ETH_USDT-1h.csv")
    other.write_text(data.read_text())
    words = ["optimize", "--strategy", "rebalance", "--data", str(data), "--data", str(other)]
    assert main([*words, "--trials", "3", "--objective", "return_pct", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["best"]["params"]) == {"band"}
    assert main([*words, "--symbol", "BTC/USDT"]) == 2
    assert "--symbol BTC/USDT and 2 files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--objective", "luck"], 2, "--objective luck"),
        (["--space", "speed=1:2"], 2, "--space speed"),
        (["--param", "fast=3"], 2, "fast as --space and --param"),
        (["--walk-forward", "200"], 2, "fewer windows"),
        (["--cash", "-1"], 2, "more than zero"),
        (["--objective", "profit_factor", "--param", "quantity=100000"], 1, "undefined in all 8"),
    ],
)
def test_exit_codes_say_whose_fault_it_is(
    data: Path, more: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *more) == code
    assert said in capsys.readouterr().err
