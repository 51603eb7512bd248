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
    assert 'bots[0].strategy = "grid"' in capsys.readouterr().out.splitlines()


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
