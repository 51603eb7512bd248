"""`holdfast chaos` as a user starts it: real processes, struck, and every order checked.

Not here: the many rounds behind the published figures (docs/benchmarks.md).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_S

COMMAND = [sys.executable, "-m", "holdfast", "chaos", "--json"]


def run_chaos(*options: str) -> dict[str, Any]:
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=3 * PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def processes_of(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in words:
            found.append(words)
    return found


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_leader_that_is_killed_doubles_and_loses_nothing(store: str, tmp_path: Path) -> None:
    folder = tmp_path / "chaos"
    # Leases of seconds: on a machine that runs a whole test suite nobody is taken for dead.
    found = run_chaos(
        "--rounds", "2", "--store", store, "--fault", "kill", "--profile", "standard",
        "--dir", str(folder),
    )  # fmt: skip
    assert found["rounds"] == 2
    assert found["takeovers"] == 2
    assert {one["to"] for one in found["each"]} == {"node-1", "node-2"}
    assert found["orders"] > 0
    for count in ("duplicate_orders", "lost_orders", "unresolved_orders", "ghosts"):
        assert found[count] == 0, found
    for one in found["each"]:
        assert one["checked"]["first"] <= one["number"] <= one["checked"]["last"]
        assert one["checked"]["findings"] == 0
    assert 0 < found["gap_ms"]["p50"] <= found["gap_ms"]["max"]
    assert found["false_failovers"] == 0
    assert processes_of(folder) == []


def test_a_redis_that_keeps_the_leases_and_goes_doubles_and_loses_nothing() -> None:
    """First from the leader alone, then from all, with everything that it knew."""
    found = run_chaos("--rounds", "2", "--fault", "leases", "--profile", "standard")
    assert found["leases"] == "redis"
    assert [one["strike"] for one in found["each"]] == ["Redis cut off", "Redis restarted"]
    assert found["each"][0]["takeovers"] >= 1, found
    for count in ("duplicate_orders", "lost_orders", "unresolved_orders", "ghosts", "stuck"):
        assert found[count] == 0, found


def test_strikes_of_other_kinds_double_and_lose_nothing() -> None:
    """First a leader is stopped; when it wakes, the journal refuses what it writes."""
    found = run_chaos(
        "--rounds", "7", "--store", "postgres", "--fault", "smoke", "--profile", "standard",
        "--seed", "4",
    )  # fmt: skip
    left_out = {told.partition(":")[0] for told in found["skipped"]}  # of a server that is given
    assert left_out <= {"store restarted"}
    assert {one["strike"] for one in found["each"]} | left_out == {
        "pause", "silent host", "store cut off", "clock set ahead", "handover", "store restarted",
        "store slow",
    }  # fmt: skip
    for count in ("duplicate_orders", "lost_orders", "unresolved_orders", "ghosts", "stuck"):
        assert found[count] == 0, found
    paused = found["each"][0]
    assert paused["strike"] == "pause"
    assert paused["takeovers"] >= 1, found
    assert paused["refused"] >= 1, found
    assert found["stale_epoch_writes_refused"] >= paused["refused"]


def test_a_run_that_is_asked_to_end_checks_and_tells_what_was_done(tmp_path: Path) -> None:
    folder = tmp_path / "chaos"
    command = [*COMMAND, "--hours", "1", "--profile", "standard", "--dir", str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as run:
        give_up_s = time.monotonic() + PATIENCE_S
        while not (folder / "burner-1.log").exists():
            assert run.poll() is None
            assert time.monotonic() < give_up_s
            time.sleep(0.1)
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=3 * PATIENCE_S)
    assert run.returncode == 0, err + out
    found = json.loads(out)
    assert found["ended_early"]
    assert 0 <= found["quiet_hours"] < 0.5
    assert found["orders"] > 0
    assert found["settled"]
    assert found["findings"] == []
    assert processes_of(folder) == []


def test_a_folder_with_something_in_it_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = subprocess.run(
        [*COMMAND, "--dir", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not empty" in done.stderr


@pytest.mark.parametrize("fault", ["pause", "handover"])
def test_a_lone_node_that_nobody_can_stand_in_for_is_wrong_usage(fault: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--nodes", "1", "--fault", fault], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--fault {fault}" in done.stderr
    assert "--nodes 2" in done.stderr
