"""The page's build: which Node may do it, and that a wheel has what was built.

Not here: the page itself (tests/integration/lab).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from holdfast.lab.report import TEMPLATE
from scripts import dashboard

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("v18.20.4", False),
        ("v20.18.1", False),
        ("v20.19.0", True),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.0.0", True),
        ("", False),
        ("nodejs 22", False),
    ],
)
def test_only_a_node_that_can_build_the_page_is_used(version: str, enough: bool) -> None:
    assert dashboard.is_new_enough(version) == enough


def test_the_package_asks_for_the_same_node() -> None:
    package = json.loads((dashboard.DASHBOARD / "package.json").read_text(encoding="utf-8"))
    assert package["engines"]["node"] == "^20.19.0 || >=22.12.0"


def test_an_old_node_is_passed_over_for_the_locked_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, says in (("node", "v18.1.0"), ("npm", "9.0.0")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    wheel = tmp_path / "wheel"
    monkeypatch.setattr(dashboard, "_node_from_pypi", lambda: wheel)
    command, environment = dashboard.find_npm()
    assert command[0] == str(wheel / "bin" / "node")
    assert environment["PATH"].startswith(str(wheel / "bin"))


def test_a_build_that_fails_says_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no registry today >&2\nexit 7\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setattr(dashboard, "find_npm", lambda: ([str(npm)], {"PATH": "/usr/bin:/bin"}))
    before = TEMPLATE.read_bytes() if TEMPLATE.is_file() else None
    assert dashboard.main() == 1
    said = capsys.readouterr().err
    assert "ended with 7" in said
    assert "no registry today" in said
    assert "make dashboard" in said
    assert (TEMPLATE.read_bytes() if TEMPLATE.is_file() else None) == before


@pytest.mark.skipif(
    not TEMPLATE.is_file(), reason="the report's page is not built; to run this: make dashboard"
)
def test_what_is_released_has_the_page_although_git_has_not(tmp_path: Path) -> None:
    """Both, because a wheel may be built from the source distribution."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    page = TEMPLATE.read_bytes()
    (wheel,) = tmp_path.glob("*.whl")
    assert zipfile.ZipFile(wheel).read("holdfast/lab/report.html") == page
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as files:
        (name,) = (name for name in files.getnames() if name.endswith("lab/report.html"))
        packed = files.extractfile(name)
        assert packed is not None
        assert packed.read() == page
        assert not [name for name in files.getnames() if "node_modules" in name]
