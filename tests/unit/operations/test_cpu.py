"""How busy a machine is, and how late it lets a process run."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from holdfast.operations.cpu import Load, Meter

PAUSED = """
from holdfast.operations.cpu import longest_pause_s
print("ready", flush=True)
print(longest_pause_s(1.0), flush=True)
"""


def a_stat(busy: int, idle: int, stolen: int = 0) -> str:
    """As the kernel writes it: half of what is idle waits for a disk."""
    ticks = f"{busy - stolen} 0 0 {idle - idle // 2} {idle // 2} 0 0 {stolen} 77 0"
    return f"cpu  {ticks}\ncpu0 1 2 3\n"


def test_a_meter_tells_of_the_time_since_its_last_look(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(a_stat(1_000, 9_000))
    meter = Meter(stat)
    stat.write_text(a_stat(1_030, 9_010, stolen=10))
    assert meter.load() == Load(busy=0.75, stolen=0.25)
    stat.write_text(a_stat(1_030, 9_110, stolen=10))
    assert meter.load() == Load(busy=0, stolen=0)


def test_nobody_knows_where_the_kernel_does_not_say_or_no_time_passed(tmp_path: Path) -> None:
    assert Meter(tmp_path / "none").load() is None
    stat = tmp_path / "stat"
    stat.write_text("")
    assert Meter(stat).load() is None
    stat.write_text(a_stat(10, 10))
    assert Meter(stat).load() is None


def test_a_pause_of_the_whole_process_is_seen_for_as_long_as_it_was() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PAUSED], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        child.stdout.readline()  # it watches
        time.sleep(0.1)
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        child.send_signal(signal.SIGCONT)
        longest_s = float(child.stdout.readline())
    assert 0.4 < longest_s < 30
