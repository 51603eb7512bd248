"""What is shipped and locked: one version, public hosts only, and files that say the same thing.

Not here: whether the rooms fit together (test_architecture).
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import holdfast
from scripts import install_uv
from scripts.verify.lock_files import foreign_hosts

REPOSITORY = Path(__file__).parents[2]
LOCK_FILES = ("uv.lock", "package-lock.json")
HIDDEN = (".venv", ".git", ".tools", "node_modules")


def lock_files() -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = sorted(set(folders) - set(HIDDEN))
        found += [Path(folder, name) for name in LOCK_FILES if name in names]
    return found


@pytest.mark.parametrize("path", lock_files(), ids=str)
def test_lock_files_name_only_the_public_registries(path: Path) -> None:
    assert foreign_hosts(path.read_text(encoding="utf-8")) == set()


def test_a_mirror_in_a_lock_file_would_be_found() -> None:
    text = 'registry = "https://pypi.org/simple"\nurl = "http://mirror.local:8080/x.whl"'
    assert foreign_hosts(text) == {"mirror.local:8080"}


def test_there_is_a_lock_file_to_check() -> None:
    assert REPOSITORY / "uv.lock" in lock_files()


def test_the_version_is_one() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert holdfast.__version__ == project["version"] == metadata.version("holdfast")
    assert f"## [{holdfast.__version__}]" in changelog or "## [Unreleased]" in changelog


def test_the_types_are_shipped() -> None:
    assert (Path(holdfast.__file__).parent / "py.typed").is_file()


def test_the_licence_is_named_and_present() -> None:
    assert metadata.metadata("holdfast")["License-Expression"] == "Apache-2.0"
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text(encoding="utf-8")


def test_ci_calls_make_test_and_nothing_else() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    commands = [line for line in script if line and not line.startswith("#")]
    assert len(commands) == 1
    assert "exec make test " in commands[0]


@pytest.mark.parametrize(
    "script", ["scripts/lint", "scripts/browser", "scripts/operations-tools", ".ci/run"]
)
def test_shell_scripts_parse_and_can_be_run(script: str) -> None:
    path = REPOSITORY / script
    subprocess.run(["sh", "-n", str(path)], check=True)
    assert path.stat().st_mode & 0o111


def test_lint_refuses_an_option_that_it_does_not_know() -> None:
    ran = subprocess.run(
        [str(REPOSITORY / "scripts" / "lint"), "--fxi"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "--fxi" in ran.stderr


def test_make_help_names_every_target() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()
    ran = subprocess.run(
        ["make", "-C", str(REPOSITORY), "help"], capture_output=True, text=True, check=True
    )
    shown = re.findall(r"^  make ([a-z]+) ", ran.stdout, re.MULTILINE)
    assert shown == [target for target in phony if not target.startswith(".")]


def test_pre_commit_runs_the_same_script_as_make() -> None:
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"entry: (.*)", hooks) == ["scripts/lint"]


def test_pip_stands_in_from_a_wheel_pinned_by_its_hash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wheel that is not the pinned one is never run."""
    fake = tmp_path / "fake.whl"
    fake.write_bytes(b"not pip")
    monkeypatch.setattr(install_uv, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(install_uv, "PIP_WHEEL_URL", fake.as_uri())
    with pytest.raises(OSError, match="expected f3b60b20"):
        install_uv._pip_from_wheel()
