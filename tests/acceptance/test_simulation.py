"""Whole nodes in virtual time: nothing is violated, the same seed is the same run, bugs are found.

Not here: the parts of the simulator (tests/unit/simulation).
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def simulate(*options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was told of failures."""
    ended = subprocess.run(
        [sys.executable, "-m", "holdfast", "simulate", *options, "--json"],
        capture_output=True, text=True, timeout=600, check=False,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout), ended.stderr


def test_nothing_is_violated_under_faults_drawn_from_a_hundred_seeds() -> None:
    code, found, told = simulate("--seeds", "1-100", "--minutes", "5", "--jobs", "2")
    assert found["violations"] == [], told
    assert code == 0
    assert found["seeds"] == 100
    assert found["orders"] > 10_000
    assert found["in_doubt_resolved"] == found["in_doubt"] > 1_000
    assert len(found["faults_injected"]) > 35
    assert found["ghosts"] == 0


def test_the_same_seeds_give_the_same_trace_however_the_work_is_spread() -> None:
    _, alone, _ = simulate("--seeds", "3-6", "--minutes", "1", "--jobs", "1")
    _, shared, _ = simulate("--seeds", "3-6", "--minutes", "1", "--jobs", "2")
    _, other, _ = simulate("--seeds", "7-10", "--minutes", "1", "--jobs", "2")
    assert alone["trace_hash"] == shared["trace_hash"] != other["trace_hash"]
