"""What is told of a defect that ends a process: its trace, and no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.cli.output import complain
from holdfast.telemetry import log

CRASHES = """
import os
from holdfast.app.live.process import run_child
from holdfast.telemetry import log

async def work():
    raise RuntimeError("no good: hunter2hunter2")

log.hide("hunter2hunter2")
log.configure("info")
run_child("main", work(), os.pipe()[0], lambda error: 1, 75)
"""

REFUSED = """
import os
from holdfast.app.live.process import run_child
from holdfast.errors import ConfigError

async def work():
    print("a line that is still to be written")
    raise ConfigError("seen: no key; expected: one; do: write it")

run_child("main", work(), os.pipe()[0], lambda error: 2, 75)
"""


def test_a_process_whose_last_lines_nobody_takes_ends_with_its_own_code() -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", REFUSED], env=buffered,
            stdout=full, stderr=subprocess.DEVNULL, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 2


def test_a_process_that_crashes_tells_its_trace_as_one_masked_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASHES], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 70
    (line,) = (json.loads(one) for one in done.stderr.splitlines())
    assert (line["action"], line["process"]) == ("process_crashed", "main")
    assert "RuntimeError: no good: ***" in line["exception"]
    assert "hunter2" not in done.stdout + done.stderr


def test_a_traceback_on_a_terminal_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log.hide("hunter2hunter2")
    try:
        raise ValueError("no good: hunter2hunter2")
    except ValueError as error:
        complain(error, debug=True)
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "hunter2" not in said
