"""The compiled core is the same program: the same journals, and the same tests pass.

Not here: how it is built (hatch_build.py, scripts/compiled_core.py), how fast it is (benchmarks).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import msgspec
import pytest

from scripts import compiled_core
from tests.support.course import Told

REPOSITORY = Path(__file__).parents[2]
SEEDS = ("1", "2", "7", "11")
SAME_TESTS = (
    "tests/unit/domain",
    "tests/unit/engine",
    "tests/unit/exchange/test_matching.py",
    "tests/unit/journal/test_store_contract.py",
    "tests/unit/ledger",
    "tests/property/journal/test_chain.py",
    "tests/property/ledger",
)

pytestmark = pytest.mark.slow


@cache
def compiled() -> Path:
    """The compiled build of the present sources; skips, with the reason, where none can be made."""
    lacking = compiled_core.why_not()
    if lacking is not None:
        pytest.skip(lacking)
    return compiled_core.build()


def run(*words: str, build: Path | None) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with the compiled build or with the sources."""
    environment = {**os.environ, "PYTHONPATH": str(build or "")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def course(build: Path | None) -> Told:
    """What the seeded courses left in the journal."""
    ran = run("-m", "tests.support.course", *SEEDS, build=build)
    assert ran.returncode == 0, ran.stderr
    return msgspec.json.decode(ran.stdout, type=Told)


def test_the_same_courses_leave_the_same_journal() -> None:
    ours, pure = course(compiled()), course(None)
    assert (ours.core, pure.core) == ("compiled core", "pure Python")
    assert ours.ends == pure.ends
    assert len({end.chain for end in pure.ends.values()}) == len(SEEDS)


def test_the_courses_meet_what_an_account_can_meet() -> None:
    """Equal journals prove nothing about what is in none of them."""
    facts = {kind for end in course(None).ends.values() for kind in end.facts}
    assert facts >= {
        "Decided", "Armed", "AttemptMoved", "Filled", "CancelArmed", "OrderMoved", "Refusal",
        "Halted", "Resumed", "BotStopped", "BotStarted", "Marked", "CommandTaken", "CashFlow",
    }  # fmt: skip


def test_the_tests_of_the_compiled_rooms_pass_on_the_compiled_build() -> None:
    words = ("-m", "pytest", "-n0", "-p", "no:cacheprovider", *SAME_TESTS)
    ran = run(*words, build=compiled())
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]


def test_every_module_of_the_list_runs_as_machine_code_and_defines_no_record() -> None:
    build = compiled()
    listed = json.loads(run("-c", _ASK, build=build).stdout)
    assert len(listed) > 5
    assert [name for name, seen in listed.items() if not seen["file"].startswith(str(build))] == []
    assert [name for name, seen in listed.items() if not seen["file"].endswith(".so")] == []
    assert {name: seen["records"] for name, seen in listed.items() if seen["records"]} == {}


_ASK = """
import importlib, json, tomllib
from pathlib import Path
import msgspec
from hatch_build import modules_of
hook = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
hook = hook["wheel"]["hooks"]["custom"]
found = {}
for path in modules_of(Path("src"), hook["modules"]):
    name = ".".join(path.with_suffix("").parts)
    module = importlib.import_module(name)
    found[name] = {"file": module.__file__, "records": [
        key for key, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == name
    ]}
print(json.dumps(found))
"""


def test_nothing_compiled_lies_beside_the_sources() -> None:
    compiled()
    assert [*(REPOSITORY / "src").rglob("*.so"), *(REPOSITORY / "src").rglob("*.c")] == []


def test_without_being_asked_the_wheel_is_pure(tmp_path: Path) -> None:
    environment = {key: text for key, text in os.environ.items() if key != "HOLDFAST_COMPILE"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as files:
        assert [name for name in files.namelist() if name.endswith((".so", ".c"))] == []


def test_a_machine_without_a_compiler_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "no-such-cc"))
    monkeypatch.setattr(compiled_core, "BUILD", tmp_path)
    monkeypatch.setattr(compiled_core, "COMPILED", tmp_path / "compiled")
    assert compiled_core.main() == 2
    told = capsys.readouterr().err
    assert "seen: no C compiler" in told
    assert "do: install gcc or clang" in told


def test_a_machine_without_python_s_headers_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if compiled_core.why_not() is not None:
        pytest.skip("no compiler to ask")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    told = compiled_core.why_not()
    assert told is not None
    assert "Python.h" in told
    assert "headers of Python" in told
