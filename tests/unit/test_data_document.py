"""The examples of `docs/data.md`, run in order in one folder: what they show is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cli import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"


def blocks() -> Iterator[tuple[str, str]]:
    """The fenced blocks: what follows the fence, and the text."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\S[^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield found[1], found[2]


def test_the_examples_do_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kinds = []
    for kind, text in blocks():
        kinds.append(kind.partition(" ")[0])
        if kind.startswith("csv file="):
            Path(kind.removeprefix("csv file=")).write_text(text, encoding="utf-8")
        elif kind == "console":
            command, _, shown = text.partition("\n")
            main(shlex.split(command.removeprefix("$ holdfast ")))
            assert capsys.readouterr().out == shown, command
        elif kind == "pycon":
            test = doctest.DocTestParser().get_doctest(text, {}, "data.md", str(DOCUMENT), 0)
            told: list[str] = []
            flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
            doctest.DocTestRunner(optionflags=flags).run(test, out=told.append)
            assert "".join(told) == ""
            assert test.examples
    assert {"csv", "console", "pycon"} <= set(kinds)
