"""`holdfast config show`: the same object in two forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli import main


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LOG_LEVEL", "DATABASE_URL", "HOLDFAST_DEBUG"):
        monkeypatch.delenv(name, raising=False)


def test_json_is_one_document_with_money_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["account"]["api_secret"] == "env:BINANCE_API_SECRET"
    assert document["account"]["limits"]["price_band_pct"] == "5"


def test_lines_name_each_value_by_its_dotted_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[bots]]\nname = "one"\nstrategy = "grid"\nsymbols = ["BTC/USDT"]\n')
    assert main(["config", "show", "--file", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f'bots[0].strategy = "grid"  # {file}:3' in lines
    assert 'log_level = "info"  # default' in lines


def test_what_the_environment_says_and_what_of_it_counts_for_nothing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8181")
    monkeypatch.setenv("NODE_ENV", "production")
    monkeypatch.setenv("DATABASE_ULR", "sqlite:///x.db")
    assert main(["config", "show", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["api"]["port"], told["origins"]["api.port"]) == (8181, "env PORT")
    assert told["origins"]["api.metrics_port"] == "default"
    assert told["notes"] == [
        "DATABASE_ULR is set, which nothing reads: DATABASE_URL is",
        "NODE_ENV is set and has no effect: the dashboard's build comes with the package",
    ]


def test_a_missing_file_exits_2_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--file", "absent.toml"]) == 2
    assert "do:       create it or name another" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_password_of_a_database_is_not_shown(
    form: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ana:hunter2@db.example/holdfast")
    assert main(["config", "show", *form]) == 0
    shown = capsys.readouterr().out
    assert "hunter2" not in shown
    assert "postgresql://ana:" in shown
