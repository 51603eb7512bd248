"""What docs/notifications.md shows is done as it is shown."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.config import Config, load
from holdfast.journal.database import SqliteDatabase
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import URGENT, USUAL, Kind, Subscription

DOCUMENT = (Path(__file__).parents[3] / "docs" / "notifications.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def test_the_shown_configuration_is_one_and_shows_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    channels, settings, *_ = blocks("toml")
    file.write_text(settings + channels, encoding="utf-8")
    found = load(file, {}).notify
    assert [one.name for one in found.channels] == ["ops", "ana-phone"]
    assert not found.channels[1].is_for("ben@example.com")
    file.write_text(settings, encoding="utf-8")
    assert load(file, {}).notify == Config().notify


def test_the_shown_commands_do_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    Path("holdfast.toml").write_text(blocks("toml")[0], encoding="utf-8")
    for line in blocks("sh")[0].splitlines():
        assert main(shlex.split(line)[1:]) == 0, line
    said = capsys.readouterr().out
    assert "large: fill on main, fills from 1000, by ops; 0 delivered" in said
    assert "all: what matters, by ana-phone; 0 delivered, 1 waiting" in said
    assert "may use: ops, ana-phone" in said
    assert [one.name for one in subscriptions(tmp_path)] == ["all", "large"]


def test_every_kind_is_in_the_table_as_it_is() -> None:
    row = re.compile(r"^\| (`[a-z_`, ]+) \|.*\| *(yes)? *\| *(yes|halts)? *\|$", re.MULTILINE)
    shown = row.findall(DOCUMENT)
    found = {
        kind: (bool(usual), urgent == "yes" or urgent == f"{kind}s")
        for names, usual, urgent in shown
        for kind in re.findall(r"`([a-z_]+)`", names)
    }
    assert found == {str(kind): (kind in USUAL, kind in URGENT) for kind in Kind}


def test_a_wrong_name_is_said_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    Path("holdfast.toml").write_text(blocks("toml")[0], encoding="utf-8")
    assert main(["user", "create", "ben@example.com"]) == 0
    capsys.readouterr()
    assert main(["notify", "add", "ben@example.com", "x", "--by", "ana-phone"]) == 1
    said = capsys.readouterr().err
    assert "no channel 'ana-phone' for ben@example.com" in said
    assert "expected: one of ops" in said
    assert main(["notify", "add", "ben@example.com", "x", "--by", "ops", "--least", "-1"]) == 2
    assert main(["notify", "link", "telegram", "ben@example.com"]) == 1
    assert subscriptions(tmp_path) == []


def subscriptions(folder: Path) -> list[Subscription]:
    with closing(SqliteDatabase(folder / ".holdfast" / "journal.db").platform()) as store:
        return store.look(rows.subscriptions)
