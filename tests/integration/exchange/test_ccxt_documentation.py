"""`docs/exchange.md` as a user would follow it: commands, snippets and each fault in its table."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from holdfast.cli.exchange import app
from holdfast.exchange.faults import FaultKind
from holdfast.exchange.limits import Limits
from tests.support.hosted import Hosted
from tests.support.waiting import PATIENCE_S

DOCUMENT = Path(__file__).parents[3] / "docs" / "exchange.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:8900"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def commands(word: str) -> list[list[str]]:
    """The shown commands that begin with `word`, split as a shell would."""
    lines = "\n".join(blocks("console")).splitlines()
    return [shlex.split(line[2:]) for line in lines if line.startswith(f"$ {word} ")]


def here(text: str, hosted: Hosted) -> str:
    """The same with the address that this test's exchange has."""
    return text.replace(ADDRESS, hosted.url.removeprefix("http://"))


def test_the_snippets_run_one_after_the_other(
    hosted: Hosted, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}

    for snippet in blocks("python"):
        exec(compile(here(snippet, hosted), str(DOCUMENT), "exec"), names)

    assert capsys.readouterr().out.splitlines() == ["closed 60000.0 0.00999", "sell 0.005 59999.0"]
    names["exchange"].session.close()


@pytest.mark.parametrize("command", commands("curl"), ids=lambda words: " ".join(words[2:5]))
def test_a_shown_request_is_answered(command: list[str], hosted: Hosted) -> None:
    words = command[1:]
    url = next(word for word in words if word.startswith("http"))
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    body = words[words.index("-d") + 1].encode() if "-d" in words else None
    request = urllib.request.Request(here(url, hosted), body, method=method)

    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        assert reply.status == 200
        assert isinstance(json.load(reply), dict)


def faults() -> list[dict[str, Any]]:
    return [json.loads(found) for found in re.findall(r"^\| `(\{.*?\})` \|", TEXT, re.MULTILINE)]


def test_the_table_has_each_kind_of_fault_once() -> None:
    assert sorted(fault["kind"] for fault in faults()) == sorted(kind.value for kind in FaultKind)


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault["kind"])
def test_a_fault_of_the_table_is_taken(fault: dict[str, Any], hosted: Hosted) -> None:
    (taken,) = hosted.admin("POST", "faults", fault)["faults"]

    assert taken["kind"] == fault["kind"]
    assert hosted.admin("DELETE", "faults")["faults"] == []


def test_the_limits_shown_are_limits() -> None:
    (shown,) = blocks("json")

    assert msgspec.json.decode(shown, type=Limits).orders_per_10s == 10


def test_each_option_of_the_table_is_one_of_the_command() -> None:
    (serve,) = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    known = {name for parameter in serve.params for name in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", TEXT)) <= known
    for command in commands("holdfast"):
        context = serve.make_context("serve", command[3:], resilient_parsing=False)
        assert context.params["port"] == 8900
