"""The units of `deploy/systemd`: systemd's own word on each, and how far it is closed.

Not here: running them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.app.live.seat import STOP_TIMEOUT_S
from holdfast.cli.verbs import VERBS

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
MOST_EXPOSED = 3.0
"""Of systemd's 0 to 10; it calls anything below 4 well protected."""

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)


@each_unit
def test_systemd_understands_it_and_finds_it_closed(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here; to run this: apt-get install systemd")
    named = tmp_path / unit.name.replace("@", "@1")
    # Only what is elsewhere than on a host that was set up is replaced.
    text = re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", unit.read_text(encoding="utf-8"))
    named.write_text(text.replace("User=holdfast", "User=daemon")
                     .replace("Group=holdfast", "Group=daemon"), encoding="utf-8")  # fmt: skip
    told = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", str(named)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, told.stderr) == (0, "")
    exposed = subprocess.run(
        [program, "security", "--offline=true", "--no-pager", str(named)],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    (level,) = re.findall(r"Overall exposure level for .*: ([\d.]+)", exposed)
    assert float(level) <= MOST_EXPOSED, exposed


@each_unit
def test_it_calls_a_verb_and_leaves_it_time_to_end(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    (verb,) = re.findall(r"^ExecStart=\S+/holdfast (\w+) ", text, re.MULTILINE)
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert verb in {one.name for one in VERBS}
    assert int(stop_s) >= 2 * STOP_TIMEOUT_S
    assert "KillMode=mixed" in text


def test_there_is_one_for_each_process() -> None:
    names = {unit.name for unit in UNITS}
    assert names == {
        "holdfast-node@.service", "holdfast-api@.service", "holdfast-worker.service",
        "holdfast-notify.service",
    }  # fmt: skip


def test_a_shell_reads_the_same_environment() -> None:
    """Which is how verbs are typed on a host: an address may have an `&`."""
    file = UNITS[0].parent / "environment"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line[:1].isupper()]
    meant = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    script = f"set -a; . {shlex.quote(str(file))}; exec {shlex.quote(sys.executable)} -c "
    asked = "import json, os; print(json.dumps(dict(os.environ)))"
    ran = subprocess.run(
        ["sh", "-c", script + shlex.quote(asked)], capture_output=True, check=True, env={}
    )
    assert json.loads(ran.stdout).items() >= meant.items()
    assert "password_from=" in meant["DATABASE_URL"]
