"""Whole nodes in virtual time: nothing is violated, the same seed is the same run, bugs are found.

Not here: the parts of the simulator (tests/unit/simulation).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import holdfast
from tests.support.waiting import PATIENCE_S


def simulate(*options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was told of failures."""
    process = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "simulate", *options, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    with process:
        stdout, stderr = process.communicate(timeout=900)
    assert stdout, stderr
    if "--until-found" not in options:  # that one kills what the other processes are at
        assert not list(Path("/dev/shm").glob(f"holdfast-sim-{process.pid}-*")), "what it left"
    return process.returncode, json.loads(stdout), stderr


def simulate_failing(*options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a run that is refused."""
    ended = subprocess.run(
        [sys.executable, "-m", "holdfast", "simulate", *options],
        capture_output=True, text=True, timeout=60, check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.alone
def test_nothing_is_violated_under_faults_drawn_from_seeds() -> None:
    """A hundred seeds; on a slow machine as many as three minutes allow."""
    code, found, told = simulate(
        "--seeds", "1-100", "--minutes", "5", "--jobs", "2", "--at-most-s", "170"
    )
    print(f"{found['seeds']} seeds, {found['speed']} times as fast as time")
    assert found["violations"] == [], told
    assert code == 0
    assert (seeds := found["seeds"]) >= 15
    assert found["orders"] > 240 * seeds
    assert found["in_doubt_resolved"] == found["in_doubt"] > 6 * seeds
    assert found["failovers"] > 8 * seeds
    assert len(found["faults_injected"]) > 45
    assert found["ghosts"] == 0


def test_no_seed_is_begun_when_the_time_is_over() -> None:
    code, found, _ = simulate(
        "--seeds", "1-50", "--minutes", "0.5", "--nodes", "1", "--jobs", "2", "--at-most-s", "0.01"
    )
    assert code == 0
    assert 1 <= found["seeds"] <= 2
    assert found["orders"] > 0


def test_what_is_simulated_is_the_code_that_was_called_not_another_copy(tmp_path: Path) -> None:
    shutil.copytree(
        Path(holdfast.__file__).parent, tmp_path / "holdfast",
        ignore=shutil.ignore_patterns("__pycache__", "dist"),
    )  # fmt: skip
    run = tmp_path / "holdfast" / "simulation" / "run.py"
    run.write_text(f"{run.read_text()}\n\ndef run(*_: object, **__: object) -> None:\n    1 / 0\n")
    ended = subprocess.run(
        [sys.executable, "-m", "holdfast", "simulate", "--seeds", "1", "--json"],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert "ZeroDivisionError" in ended.stdout, ended.stderr


def test_the_same_seeds_give_the_same_trace_however_the_work_is_spread() -> None:
    _, alone, _ = simulate("--seeds", "3-4", "--minutes", "1", "--jobs", "1")
    _, shared, _ = simulate("--seeds", "3-4", "--minutes", "1", "--jobs", "2")
    assert alone["orders"] > 50
    assert alone["trace_hash"] == shared["trace_hash"]


@pytest.mark.parametrize(
    ("bug", "first", "invariants"),
    [
        ("resend_on_timeout", 2, "I4"),
        ("send_before_journal", 1, "I2"),
        ("reset_means_unsent", 2, "I1 I5 I13"),  # by what comes first: what it did, or the alarm
        ("absent_at_once", 2, "I1 I5 I13"),
        ("absent_by_local_clock", 3, "I1 I5 I13"),
        ("final_rejects", 3, "I1 I5 I13"),
        ("no_stops", 1, "I14"),
        ("one_bot_sleeps", 1, "I9"),
        ("cash_is_set_aside_for_its_bot", 2, "I8"),
        ("fills_are_the_first_bot_s", 11, "I6 I14"),
    ],
)
def test_a_planted_bug_is_found_and_told_with_its_story(
    bug: str, first: int, invariants: str
) -> None:
    """`first` is the seed that shows it as the code is now; when that changes, a later one does."""
    code, found, told = simulate(
        "--seeds", f"{first}-200", "--minutes", "1", "--bug", bug, "--until-found"
    )
    assert code == 1
    assert found["violations"][0]["invariant"] in invariants.split()
    seed = found["violations"][0]["seed"]
    replay = f"--seeds {seed}-{seed} --minutes 1 --nodes 3 --bug {bug}"
    assert f"replay: holdfast simulate {replay}" in told
    story = told.partition("replay:")[0]
    assert re.search(r"^ +\d+\.\d{6}  \w", story, re.MULTILINE), "line by line, with its moment"


def test_a_campaign_goes_on_where_it_was_and_adds_up(tmp_path: Path) -> None:
    file = str(tmp_path / "runs.jsonl")
    options = ("--minutes", "0.5", "--nodes", "1", "--campaign", file)
    _, first, _ = simulate("--seeds", "1-2", *options)
    _, both, _ = simulate("--seeds", "1-3", *options)
    assert (first["seeds"], both["seeds"]) == (2, 3)
    assert both["orders"] > first["orders"] > 0
    code, _, told = simulate_failing("--seeds", "1-3", "--minutes", "1", "--campaign", file)
    assert code == 2
    assert "not added up" in told


def test_a_campaign_that_is_told_to_end_keeps_what_is_over_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs.jsonl"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "holdfast", "simulate", "--seeds", "1-500", "--minutes", "0.5",
            "--nodes", "1", "--campaign", str(file), "--json",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        while not file.exists() or file.read_bytes().count(b"\n") < 2:  # settings, and a seed
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert 1 <= json.loads(stdout)["seeds"] < 500
    assert not list(Path("/dev/shm").glob(f"holdfast-sim-{process.pid}-*"))
