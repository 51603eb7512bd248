"""The root of the command line: which verb is loaded, and what an error becomes."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from typing import Any

import pytest
import typer

from holdfast import __version__, cli
from holdfast.cli.verbs import VERBS, Verb
from holdfast.errors import (
    ConfigError,
    CorruptionError,
    FencedError,
    OutcomeUnknownError,
    RejectedError,
    RetryableError,
    UnreachableError,
)


def raising(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `holdfast fail` a verb that raises `error`."""

    def fail() -> None:
        raise error

    module = types.ModuleType("holdfast.cli.fail")
    vars(module)["run"] = fail
    monkeypatch.setitem(sys.modules, "holdfast.cli.fail", module)
    original = cli.build
    monkeypatch.setattr(cli, "build", lambda word: original(word, (Verb("fail", "fail:run", "-"),)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (FencedError("x"), 3),
        (UnreachableError("x"), 4),
        (RetryableError("x"), 4),
        (RejectedError("-2010", "x"), 1),
        (CorruptionError("x"), 1),
        (OutcomeUnknownError("x"), 1),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_no_traceback(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HOLDFAST_DEBUG", raising=False)
    raising(error, monkeypatch)
    assert cli.main(["fail"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("holdfast: ")
    assert "Traceback" not in told.err


def test_an_error_is_laid_out_as_seen_expected_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "seen: port 80 in use; expected: a free port; do: name another"
    raising(ConfigError(told), monkeypatch)
    cli.main(["fail"])
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  seen:     port 80 in use",
        "  expected: a free port",
        "  do:       name another",
    ]


def test_an_error_without_parts_is_shown_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(FencedError("epoch 7 owns the stream; ours is 6"), monkeypatch)
    cli.main(["fail"])
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  seen:     epoch 7 owns the stream; ours is 6"
    ]


@pytest.mark.parametrize("how", ["option", "environment"])
def test_debug_adds_the_traceback(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(ConfigError("x"), monkeypatch)
    monkeypatch.setenv("HOLDFAST_DEBUG", "1" if how == "environment" else "0")
    words = ["--debug", "fail"] if how == "option" else ["fail"]
    assert cli.main(words) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nosuchverb"], ["--nosuchoption"], ["config", "nosuch"]])
def test_wrong_usage_exits_2_on_stderr(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "nosuch" in told.err


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"holdfast {__version__}\n"


def test_with_json_it_says_what_its_image_was_made_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_RELEASE", "v0.2.0")
    monkeypatch.setenv("HOLDFAST_GIT_SHA", "3f2a91c")
    monkeypatch.setenv("HOLDFAST_BUILD_TIME", "2026-01-31T12:00:00Z")
    assert cli.main(["--version", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("python").startswith("3.")
    assert told == {
        "version": __version__, "release": "v0.2.0", "git_sha": "3f2a91c",
        "build_time": "2026-01-31T12:00:00Z",
    }  # fmt: skip


def test_help_lists_every_verb_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for verb in VERBS:
        assert f"{verb.name} {verb.help}" in shown


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_loads_and_its_help_shows_an_example(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    target = verb.load()
    if isinstance(target, typer.Typer):
        names = [_name(command) for command in target.registered_commands]
        paths = [[verb.name, name] for name in names]
        assert paths, "a group without verbs"
    else:
        paths = [[verb.name]]
    for path in paths:
        assert cli.main([*path, "--help"]) == 0
        shown = " ".join(capsys.readouterr().out.split())  # however wide the terminal is
        assert f"holdfast {' '.join(path)}" in shown.split("xample", 1)[-1], f"no example: {path}"
        assert "--json" in shown or path == ["exchange", "serve"], f"no --json: {path}"


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__.replace("_", "-"))


def test_help_imports_no_room() -> None:
    code = (
        "import sys; from holdfast.cli import main; main(['--help']);"
        "print(*sorted(m for m in sys.modules if m.startswith('holdfast.')), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ran.stderr.split()) == {
        "holdfast.cli", "holdfast.cli.output", "holdfast.cli.verbs", "holdfast.domain",
        "holdfast.domain.money", "holdfast.errors",
    }  # fmt: skip


def test_import_of_the_package_imports_nothing_heavy() -> None:
    code = "import sys, holdfast; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"typer", "rich", "structlog", "msgspec", "aiohttp", "polars", "sqlalchemy", "asyncio"}
    assert not heavy & set(ran.stdout.split())


def test_a_shell_s_completion_knows_the_verbs_of_a_group() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from holdfast.cli import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        env={
            "_HOLDFAST_COMPLETE": "complete_bash",
            "COMP_WORDS": "holdfast config ",
            "COMP_CWORD": "2",
            "PATH": "/usr/bin:/bin",
        },
    )
    assert "show" in ran.stdout.split()
