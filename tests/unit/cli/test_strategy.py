"""`holdfast strategy new|check`: a first strategy in a minute, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.lab import report
from holdfast.strategy.invented import invented
from tests.support.lab_results import bare_page
from tests.unit.app.research.test_front import table

CHEATER = """
from time import time
from holdfast.strategy import FLAT, Strategy
class Mine(Strategy):
    def decide(self, now):
        return FLAT if time() else None
"""
READER = """
from holdfast.strategy import FLAT, Strategy
with open(__file__) as file:
    TEXT = file.read()
class Mine(Strategy):
    def decide(self, now):
        return FLAT
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table(3000).dated().write_parquet(tmp_path / "BTC_USDT-1h.parquet")
    return tmp_path


def test_a_new_file_works_as_it_is_and_the_next_commands_are_told(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["strategy", "new", "my_first"]) == 0
    check, backtest = capsys.readouterr().out.splitlines()[1:3]
    assert main(check.split()[1:]) == 0
    monkeypatch.setattr(report, "TEMPLATE", bare_page(here))
    capsys.readouterr()
    assert main([*backtest.split()[1:], "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["round_trips"] > 10
    assert "note: an invented market" in shown.err
    assert "MyFirst · INVENTED/USDT" in (here / "my_first.html").read_text()
    words = backtest.replace("invented", "BTC_USDT-1h.parquet").split()[1:]
    assert main([*words, "--symbol", "BTC/USDT", "--timeframe", "1h", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["round_trips"] > 10
    assert "invented" not in shown.err


@pytest.mark.parametrize("name", ["target", "strategy", "x1", "_", "Setup"])
def test_any_name_gives_a_file_that_works(
    name: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["strategy", "new", name]) == 0
    assert main(capsys.readouterr().out.splitlines()[1].split()[1:]) == 0


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.py").write_text("precious")
    assert main(["strategy", "new", "mine"]) == 2
    assert (here / "mine.py").read_text() == "precious"
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mine.py", "a/b", "class", "1st", "", "größe"])
def test_a_name_that_python_does_not_take_is_refused(name: str, here: Path) -> None:
    assert main(["strategy", "new", name]) == 2
    assert list(here.glob("*.py")) == []


def test_a_broken_law_ends_with_one_and_says_where(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mine.py").write_text(CHEATER)
    assert main(["strategy", "check", "mine.py:Mine", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["holds"] is False
    assert len(found["laws"]) == 5
    first = found["laws"][0]
    assert (first["verdict"], first["bar"], first["at"]) == ("broken", 0, "2024-01-01T00:01:00Z")
    assert main(["strategy", "check", "mine.py:Mine"]) == 1
    shown = capsys.readouterr().out
    assert "broken       same bars, same wishes" in shown
    assert "It always wished the same" in shown


def test_a_file_that_reads_another_while_it_is_imported_is_found(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "reader.py").write_text(READER)
    assert main(["strategy", "check", "reader.py:Mine", "--json"]) == 1
    law = json.loads(capsys.readouterr().out)["laws"][1]
    assert (law["verdict"], law["why"]) == (
        "broken", "the strategy opens a file; the future may be in there (before the first bar)",
    )  # fmt: skip


def test_it_is_tried_on_given_data_with_given_parameters(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["strategy", "check", "sma_cross", "--data", "BTC_USDT-1h.parquet", "--json"]
    words += ["--symbol", "BTC/USDT", "--timeframe", "1h"]
    assert main([*words, "--param", "fast=3", "--param", "slow=9"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["bars"], found["decisions"]) == (3000, 2992)
    assert main([*words, "--param", "fast=3", "--param", "slow=2"]) == 2
    assert main([*words, "--param", "fast"]) == 2
    assert main(["strategy", "check", "no_such"]) == 2


PAIR = """
from holdfast.strategy import *
class Mine(Strategy):
    def setup(self, on):
        self.other = on.bars("5m", on.symbols[1]).sma(3)
    def decide(self, now):
        high = float(now.bars["ETH/USDT"].close) > self.other.value
        return {"ETH/USDT": Target(weight=0.5) if high else FLAT}
"""


def test_several_symbols_are_tried_on_an_invented_market_or_on_a_file_each(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "pair.py").write_text(PAIR)
    both = ["--symbol", "BTC/USDT", "--symbol", "ETH/USDT"]
    words = ["strategy", "check", "pair.py:Mine", "--json"]
    assert main([*words, *both]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changes"] > 10
    files = []
    for number, symbol in enumerate(("BTC/USDT", "ETH/USDT")):
        bars = invented(900 + 50 * number, number, symbol=symbol)[50 * number :]
        rows = [
            f"{b.open_ns // 10**9},{b.open},{b.high},{b.low},{b.close},{b.volume}" for b in bars
        ]
        file = here / f"{number}.csv"
        file.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
        files += ["--data", str(file)]
    assert main([*words, *files, *both, "--timeframe", "1m"]) == 0
    assert json.loads(capsys.readouterr().out)["bars"] == 900, "from where both have bars"
    assert main([*words, *files, "--symbol", "BTC/USDT"]) == 2
    assert "2 × --data, 1 × --symbol" in capsys.readouterr().err


WATCHFUL = """
from holdfast.strategy import KEEP, Setup, Strategy
class Mine(Strategy):
    levels: int
    def setup(self, on: Setup) -> None:
        on.bars("1h").sma(12)
        on.bars(symbol=on.symbols[-1]).ema(5)
        on.book(levels=self.levels)
        on.trades(on.symbols[-1])
        on.signal("news")
        on.every("200ms")
    def decide(self, now):
        return KEEP
"""


def test_what_a_strategy_looks_at_is_shown_and_checked(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mine.py").write_text(WATCHFUL)
    words = ["mine.py:Mine", "--param", "levels=7", "--symbol", "BTC/USDT", "--symbol", "ETH/USDT"]
    words += ["--timeframe", "5m"]
    expected = {
        "symbols": ["BTC/USDT", "ETH/USDT"],
        "timeframe": "5m",
        "indicators": {"BTC/USDT 1h": ["Sma(period=12)"], "ETH/USDT 5m": ["Ema(period=5)"]},
        "signals": ["news"],
        "books": {"BTC/USDT": 7},
        "trades": ["ETH/USDT"],
        "every": "200ms",
        "warmup_bars": 155,  # twelve hours, of which the first may have begun before
    }
    for verb in ("show", "check"):
        assert main(["strategy", verb, *words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["looks_at"] == expected
        assert main(["strategy", verb, *words]) == 0
        shown = capsys.readouterr().out
        assert "  on BTC/USDT 1h: Sma(period=12)\n" in shown
        assert "  books: BTC/USDT, 7 levels\n" in shown
        assert "  asked: at each close, and every 200ms\n" in shown


def test_without_a_parameter_that_must_be_given_nobody_knows_what_is_looked_at(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mine.py").write_text(WATCHFUL)
    assert main(["strategy", "show", "mine.py:Mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["looks_at"] is None
    words = ["mine.py:Mine", "--param", "levels=7", "--timeframe", "2h"]
    assert main(["strategy", "show", *words]) == 2
    assert "on.bars('1h')" in capsys.readouterr().err
