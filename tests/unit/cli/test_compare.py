"""`holdfast compare`: saved backtests side by side, as people and scripts see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.lab import report as lab_report
from tests.support.lab_results import bare_page

CLOSES = [100, 101, 103, 106, 104, 101, 98, 97, 99, 103, 107, 108, 105, 100, 96, 95]


@pytest.fixture
def saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Two runs, as `backtest --save` leaves them."""
    data = tmp_path / "BTC_USDT-1h.csv"
    rows = ["time,open,high,low,close,volume"]
    for at, close in enumerate(CLOSES):
        last = CLOSES[max(at - 1, 0)]
        high, low = max(last, close) + 1, min(last, close) - 1
        rows.append(f"2024-01-01T{at:02}:00:00Z,{last},{high},{low},{close},5")
    data.write_text("\n".join(rows))
    files = [str(tmp_path / f"{fast}.json") for fast in (1, 2)]
    for fast, file in enumerate(files, start=1):
        words = ["backtest", "--strategy", "sma_cross", "--data", str(data), "--save", file]
        assert main([*words, "--param", f"fast={fast + 1}", "--param", "slow=5"]) == 0
        assert f"written: {file}" in capsys.readouterr().out
    return files


def test_scripts_read_every_figure_of_every_run(
    saved: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *saved, "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["file"] for run in runs] == saved
    assert [run["label"] for run in runs] == ["sma_cross fast=2", "sma_cross fast=3"]
    for run in runs:
        assert run["bars"] == 16
        assert isinstance(run["final_equity"], str)
        assert run["terms"]["fee_bps"] == "10"
        assert run["provenance"]["params"]["slow"] == 5


def test_people_read_a_table_and_get_a_report(
    saved: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab_report, "TEMPLATE", bare_page(tmp_path))
    report = tmp_path / "both.html"
    assert main(["compare", *saved, "--report", str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["sma_cross", "fast=2", "sma_cross", "fast=3"]
    assert len(set(map(len, lines[:2]))) == 1, "columns end below each other"
    assert lines[1].startswith("final equity")
    assert lines[-1] == f"written: {report}"
    assert "sma_cross fast=3" in report.read_text(encoding="utf-8")


def test_one_run_is_no_comparison(saved: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", saved[0]]) == 2
    assert "at least two" in capsys.readouterr().err
