"""`holdfast demo` as a user starts it: ends green, goes on after kill -9, takes failovers.

Not here: crashes at every named point, which have a test of their own.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_S

# Its dashboard has tests of its own (test_dashboard).
COMMAND = [sys.executable, "-m", "holdfast", "demo", "--no-dashboard"]
ENDS_WITHIN_S = 2 * PATIENCE_S  # it waits for others itself, for half a minute each


def run_demo(
    directory: Path, *options: str, until: Callable[[str], bool] | None = None
) -> dict[str, Any]:
    """Run one to its end; it must be green and print one JSON document.

    Args:
        until: it is asked to end after the first line of its progress that this is true of, and
            ends by itself (`--duration`) without.
    """
    words = [*COMMAND, "--dir", str(directory), "--headless", "--json", *options]
    told = ""
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(ENDS_WITHIN_S, process.kill)
        watchdog.start()
        try:
            assert process.stderr is not None
            for line in process.stderr if until is not None else ():
                told += line
                if until is not None and until(line):
                    process.send_signal(signal.SIGTERM)
                    break
            out, rest = process.communicate()
        finally:
            watchdog.cancel()
            process.kill()
    assert process.returncode == 0, told + rest + out
    document: dict[str, Any] = json.loads(out)
    return document


def trades_more_than(orders: int) -> Callable[[str], bool]:
    """Whether a line of progress tells of more orders than that, and of fills."""

    def is_told(line: str) -> bool:
        found = re.search(r"(\d+) orders, (\d+) fills", line)
        return found is not None and int(found[1]) > orders and int(found[2]) > 0

    return is_told


def nth(count: int, text: str) -> Callable[[str], bool]:
    """Whether this is the line number `count` of those with `text`."""
    seen = 0

    def is_told(line: str) -> bool:
        nonlocal seen
        seen += text in line
        return seen >= count

    return is_told


def require_green(summary: dict[str, Any]) -> None:
    assert summary["duplicate_orders"] == 0, summary
    assert summary["lost_orders"] == 0, summary
    assert summary["unresolved_orders"] == 0, summary
    assert summary["findings"] == [], summary
    assert summary["settled"] is True, summary


def await_true(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        time.sleep(0.05)


def processes_of(directory: Path) -> list[str]:
    """Command lines of live processes that name the demo's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in words:
            found.append(words)
    return found


def test_a_demo_from_nothing_ends_green_and_the_next_goes_on(tmp_path: Path) -> None:
    summary = run_demo(tmp_path / "demo", until=trades_more_than(0))
    require_green(summary)
    assert summary["orders"] > 0
    assert summary["fills"] > 0
    assert float(summary["final_equity"]) > 0
    assert summary["failovers"] == 0
    assert summary["failover_gap_ms"] == {"p50": None, "p99": None, "max": None}
    assert summary["first_order_ms"] is not None

    # Its end halted entries; the next start lifts that.
    following = run_demo(tmp_path / "demo", until=trades_more_than(summary["orders"]))
    require_green(following)
    assert following["orders"] > summary["orders"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc: run it on Linux")
def test_killed_with_9_it_takes_everything_with_it_and_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "demo"
    words = [*COMMAND, "--dir", str(directory), "--headless"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "first order" in line:
                break
        assert len(processes_of(directory)) >= 3, "the demo, the exchange, the node"
        demo.kill()
    # What they did until now must be what the next one finds.
    await_true(lambda: processes_of(directory) == [])

    summary = run_demo(directory, "--duration", "3")
    require_green(summary)
    assert (summary["run"], summary["epoch"]) == (2, 2)
    assert summary["orders"] > 0


def test_a_leader_killed_every_two_seconds_doubles_and_loses_nothing(tmp_path: Path) -> None:
    # A leader is there to be killed once it took over from the one before it.
    third_kill = nth(3, "killed the leader")
    summary = run_demo(tmp_path / "demo", "--kill-leader-every", "2", until=third_kill)
    require_green(summary)
    assert summary["failovers"] >= 2
    assert summary["epoch"] == summary["failovers"] + 1
    assert summary["failover_ready_ms"]["p50"] is not None


def test_a_folder_that_is_no_demo_s_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    words = [*COMMAND, "--dir", str(tmp_path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds something that is no demo's" in done.stderr


class Terminal:
    """A demo in a terminal of its own, read as a person reads it."""

    def __init__(self, directory: Path) -> None:
        self.shown = b""
        self._terminal, its_end = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, "--dir", str(directory)],
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        )
        os.close(its_end)

    def read_until(self, text: bytes, timeout_s: float = PATIENCE_S) -> None:
        """Read until `text` has been shown since the last call."""
        seen = b""
        deadline_s = time.monotonic() + timeout_s
        while text not in seen:
            assert time.monotonic() < deadline_s, seen[-3000:].decode(errors="replace")
            ready, _, _ = select.select([self._terminal], [], [], 0.2)
            if ready:
                part = os.read(self._terminal, 65536)
                seen += part
                self.shown += part

    def press(self, key: str) -> None:
        os.write(self._terminal, key.encode())

    def end(self) -> int:
        """Wait for its end, reading on; the exit code."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            ready, _, _ = select.select([self._terminal], [], [], 0.1)
            if ready:
                try:
                    self.shown += os.read(self._terminal, 65536)
                except OSError:  # the other end is closed
                    break
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)


def test_keys_kill_the_leader_halt_and_quit_and_the_terminal_is_given_back(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path / "demo")
    try:
        terminal.read_until(b"Trading normally.")
        terminal.press("k")
        terminal.read_until(b"trading again after")
        terminal.press("h")
        terminal.read_until(b"Entries halted")
        terminal.press("q")
        assert terminal.end() == 0
    finally:
        terminal.close()
    last_left = terminal.shown.rindex(b"\x1b[?1049l")
    assert b"\x1b[?1049h" not in terminal.shown[last_left:]
    assert b"doubled 0   lost 0   unresolved 0" in terminal.shown[last_left:]
