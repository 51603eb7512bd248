"""The strategies' documents: the guide does what it shows, the pages are what the script makes."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from holdfast.cli import main
from holdfast.strategy.invented import invented
from holdfast.strategy.load import SHIPPED
from tests.support.recordings import recording

REPOSITORY = Path(__file__).parents[2]
NAMES = ("dip", "ladder", "pair", "cautious", "narrow")
PAGES = REPOSITORY / "docs" / "strategies"


def script() -> ModuleType:
    path = REPOSITORY / "scripts" / "strategy_pages.py"
    spec = importlib.util.spec_from_file_location("strategy_pages", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_first_strategy_goes_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    rows = [
        f"{bar.open_ns // 10**9},{bar.open},{bar.high},{bar.low},{bar.close},{bar.volume}"
        for bar in invented(800)
    ]
    Path("candles.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    text = (REPOSITORY / "docs" / "strategy-authors.md").read_text(encoding="utf-8")
    kinds = []
    try:
        for kind, block in re.findall(r"^```(\S[^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            kinds.append(kind)
            if kind.startswith("python file="):
                Path(kind.removeprefix("python file=")).write_text(block, encoding="utf-8")
            elif kind == "python":
                exec(compile(block, "strategy-authors.md", "exec"), {})
            else:
                command, _, shown = block.partition("\n")
                assert main(shlex.split(command.removeprefix("$ holdfast "))) == 0
                assert capsys.readouterr().out == shown, command
    finally:
        for name in NAMES:
            sys.modules.pop(name, None)
    files = [f"python file={name}.py" for name in NAMES]
    assert sorted(kinds) == sorted(["console", "console", *files, *["python"] * 7])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_has_its_page(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    titles = ("## When it loses", "## Parameters", "## Results", "## What the results say")
    assert [title for title in titles if title not in text] == []
    assert (PAGES / f"{name}.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert f"({name}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")


def test_the_pages_are_what_the_script_makes_of_the_recordings(tmp_path: Path) -> None:
    pages = script()
    for one in pages.RECORDINGS:
        recording(f"ohlcv/{one.path}")
    docs = tmp_path / "strategies"
    shutil.copytree(PAGES, docs)
    pages.main(recording("ohlcv"), docs)
    for file in sorted(PAGES.iterdir()):
        assert (docs / file.name).read_text() == file.read_text(), f"{file.name} is not up to date"
