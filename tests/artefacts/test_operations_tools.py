"""The programs that artefacts are tried with: found, able to run, and done without where they lack.

Not here: artefacts.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.operations_tools import REPOSITORY, found, operations_tool

SCRIPT = REPOSITORY / "scripts" / "operations-tools"


@pytest.mark.parametrize(
    ("program", "asked", "said"),
    [
        ("promtool", "--version", "promtool"),
        ("prometheus", "--version", "prometheus"),
        ("amtool", "--version", "amtool"),
        ("alertmanager", "--version", "alertmanager"),
        ("prometheus-node-exporter", "--version", "node_exporter"),
        ("prometheus-redis-exporter", "--version", "Redis Metrics Exporter"),
        ("prometheus-postgres-exporter", "--version", "postgres_exporter"),
        ("nginx", "-v", "nginx/"),
        ("haproxy", "-v", "HAProxy"),
    ],
)
def test_each_program_runs_wherever_it_was_unpacked(program: str, asked: str, said: str) -> None:
    ran = subprocess.run(
        [operations_tool(program), asked], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout + ran.stderr


def test_what_is_not_here_skips_and_says_what_to_run() -> None:
    assert found("no-such-program") is None
    with pytest.raises(pytest.skip.Exception, match="to run this: scripts/operations-tools"):
        operations_tool("no-such-program")


def test_without_apt_nothing_is_done_and_that_is_said(tmp_path: Path) -> None:
    copy = tmp_path / "scripts" / SCRIPT.name
    copy.parent.mkdir()
    shutil.copy(SCRIPT, copy)
    folder = tmp_path / "bin"
    folder.mkdir()
    for needed in ("sh", "dirname"):
        (folder / needed).symlink_to(str(shutil.which(needed)))
    ran = subprocess.run(
        [copy], capture_output=True, text=True, check=False, env={"PATH": str(folder)}
    )
    assert ran.returncode == 0, ran.stderr
    assert "no apt to get them with: prometheus" in ran.stderr
    assert not (tmp_path / ".tools").exists()
