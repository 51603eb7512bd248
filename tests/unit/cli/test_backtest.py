"""`holdfast backtest`: figures, files and refusals as a script sees them."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.cli import main
from tests.support.recordings import recording

ROWS = ["time,open,high,low,close,volume"]
CLOSES = [100, 101, 103, 106, 104, 101, 98, 97, 99, 103, 107, 108, 105, 100, 96, 95]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "BTC_USDT-1h.csv"
    last, rows = CLOSES[0], [*ROWS]
    for at, close in enumerate(CLOSES):
        time = f"2024-01-01T{at:02}:00:00Z"
        rows.append(f"{time},{last},{max(last, close) + 1},{min(last, close) - 1},{close},5")
        last = close
    file.write_text("\n".join(rows))
    return file


def run(data: Path, *more: str) -> int:
    words = ["backtest", "--strategy", "sma_cross", "--data", str(data)]
    return main([*words, "--param", "fast=2", "--param", "slow=3", *more])


def test_one_document_with_every_figure(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "--json", "--cash", "1000", "--fee-bps", "10") == 0
    found = json.loads(capsys.readouterr().out)
    wanted = {
        "bars", "orders", "fills", "round_trips", "final_equity", "return_pct",
        "buy_hold_return_pct", "cagr_pct", "max_drawdown_pct", "longest_drawdown_days", "sharpe",
        "sortino", "calmar", "exposure_pct", "win_rate_pct", "profit_factor", "fees",
        "ambiguous_bars", "rejected", "run_seconds", "bars_per_second", "provenance", "terms",
        "depth_orders", "depth_share_pct",
    }  # fmt: skip
    assert wanted <= set(found)
    assert found["bars"] == 16
    assert found["depth_share_pct"] is None
    assert found["terms"] == {
        "fee_bps": "10", "fee_asset": "quote", "slippage_bps": "0", "margin_bps": "0",
        "latency_ms": "0", "order_lists": "yes",
    }  # fmt: skip
    assert isinstance(found["final_equity"], str)
    assert set(found["provenance"]) == {
        "data_sha256", "strategy_sha256", "params", "version", "seed", "depth_sha256",
        "trades_sha256",
    }  # fmt: skip


def test_fills_are_written_exactly(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fills.csv"
    assert run(data, "--json", "--cash", "1000", "--fills", str(file)) == 0
    found = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == found["fills"] > 2
    cash, held = Decimal(1000), Decimal(0)
    for row in rows:
        sign = 1 if row["side"] == "BUY" else -1
        cash -= sign * Decimal(row["quantity"]) * Decimal(row["price"]) + Decimal(row["fee"])
        held += sign * Decimal(row["quantity"])
    assert cash + held * CLOSES[-1] == Decimal(found["final_equity"])


def test_people_read_a_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("sma_cross on BTC/USDT 1h, 16 bars")
    assert "buy and hold" in shown
    assert "orders in books" not in shown


def test_orders_in_recorded_books_are_counted_and_the_assumptions_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    raw = str(recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz"))
    words = ["backtest", "--strategy", "sma_cross", "--data", raw, "--timeframe", "1s"]
    words += ["--symbol", "BTC/USDT", "--depth", raw, "--conservative"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "(100.0 %)" in shown
    assert shown.rstrip().endswith(
        "assumed: fee 10 bp in quote, slippage 5 bp, limits traded through by 2 bp, latency 250 ms"
    )
    assert main([*words, "--json", "--latency-ms", "300"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["depth_share_pct"] == 100
    assert found["terms"]["latency_ms"] == "300"
    assert len(found["provenance"]["depth_sha256"]) == 64


LEANING = """
from decimal import Decimal

from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish


class Leaning(Strategy):
    def setup(self, on: Setup) -> None:
        self.book = on.book(levels=5)
        self.last = on.trades()
        on.every("5s")

    def decide(self, now: View) -> Wish:
        if not self.book.ready or not self.last.ready:
            return KEEP
        bid, asked = (sum(size for _, size in side) for side in (self.book.bids, self.book.asks))
        return Target(quantity=Decimal("0.01")) if bid > asked else FLAT
"""


def test_a_strategy_that_looks_at_the_book_between_closes_runs_on_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = str(recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz"))
    file = tmp_path / "leaning.py"
    file.write_text(LEANING)
    words = ["backtest", "--strategy", f"{file}:Leaning", "--data", raw, "--timeframe", "1m"]
    assert main(words) == 2
    assert "without recorded trades and order books" in capsys.readouterr().err
    words += ["--trades", raw, "--depth", raw, "--conservative", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bars"] == 7
    assert found["orders"] > 7, "it decided between closes"
    assert (found["terms"]["latency_ms"], found["terms"]["margin_bps"]) == ("250", "0")
    assert found["depth_share_pct"] == 100
    assert len(found["provenance"]["trades_sha256"]) == 64


def test_a_symbol_that_the_strategy_does_not_trade_is_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["backtest", "--strategy", "sma_cross"]
    for one in ("BTC", "ETH"):
        words += ["--data", str(recording(f"ohlcv/binance-spot-2021-04-05/{one}_USDT-5m.json"))]
    assert main([*words, "--json"]) == 0
    shown = capsys.readouterr()
    assert "ETH/USDT was given, but sma_cross has declared nothing of it" in shown.err
    assert len(json.loads(shown.out)["warnings"]) == 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--trades", "/no/such/trades.gz"], "/no/such/trades.gz: No such file"),
        (["--param", "fast"], "name=value"),
        (["--param", "fast=3"], "fast twice"),
        (["--cash", "-5"], "more than zero"),
        (["--fee-asset", "BNB"], "quote or base"),
        (["--fills", "/no/such/folder/f.csv"], "cannot be written"),
        (["--timeframe", "7m"], "expected"),
        (["--latency-ms", "-1"], "from 0 to 86400000"),
        (["--depth", "/no/such/book.gz"], "/no/such/book.gz: No such file"),
    ],
)
def test_what_cannot_be_meant_ends_with_two(
    data: Path, more: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *more) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("time,open", "when,what", "data import FILE --columns time=NAME"),
        ("T05:00:00Z", "T15:00:00Z", "row 8: 2024-01-01T06:00:00Z behind a later one"),
        ("T05:00:00Z", "T04:00:00Z", "row 7: 2024-01-01T04:00:00Z a second time"),
        (",105,", ",NaN,", "row 14: close NaN"),
        (",95,", ",0,", "row 16: low 0"),
        (",95,", ",-95,", "row 16: low -95"),
        ("2024-01-01T05:00:00Z", "1704085200", "one unit; do: repair the rows"),
    ],
)
def test_rows_that_are_no_market_are_named_and_nothing_is_written(
    data: Path, old: str, new: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data.write_text(data.read_text().replace(old, new))
    before = sorted(data.parent.iterdir())
    fills = data.with_name("fills.csv")
    assert run(data, "--fills", str(fills), "--save", str(data.with_name("run.json"))) == 2
    shown = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert told.replace("; do:", " do:") in shown
    assert sorted(data.parent.iterdir()) == before


def test_an_invented_market_is_called_so_and_gives_way_to_a_file_of_that_name(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    made_up = Path("invented")
    assert run(made_up) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("sma_cross on INVENTED/USDT 1h, 8,760 bars")
    assert shown.err.startswith("note: an invented market")
    assert run(made_up, "--symbol", "banana") == 2
    assert "a pair such as BTC/USDT" in capsys.readouterr().err
    data.rename(made_up)
    assert run(made_up, "--symbol", "BTC/USDT") == 0
    assert "16 bars" in capsys.readouterr().out


def test_a_hole_is_told_and_times_of_any_zone_are_read(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = data.read_text().replace("T09:00:00Z", "T11:00:00+02:00").splitlines()
    data.write_text("\n".join(lines[:4] + lines[7:]))
    assert run(data, "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["bars"] == 13
    assert "3 bars are missing, the first after 2024-01-01T02:00:00Z" in shown.err


def test_a_broken_strategy_ends_with_one_and_names_the_bar(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(
        "from holdfast.strategy import FLAT, Strategy\n"
        "class Mine(Strategy):\n"
        "    def decide(self, now):\n"
        "        return FLAT if now.bar.close < 106 else 1 / 0\n"
    )
    words = ["backtest", "--strategy", f"{tmp_path}/mine.py:Mine", "--data", str(data)]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "bar 3" in told
