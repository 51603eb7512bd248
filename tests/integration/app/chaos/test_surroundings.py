"""What a struck node believes of its machine; in a process of its own, since `time` is replaced."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from holdfast.app.chaos.surroundings import set_clock
from tests.support.waiting import PATIENCE_S

FORKED = """
import os, sys, time
from pathlib import Path
from holdfast.app.chaos.surroundings import follow_clock

follow_clock(Path(sys.argv[1]))
began_s = time.monotonic()
if os.fork():
    os.wait()
else:
    for _ in sys.stdin:
        print(time.time_ns(), time.time(), time.monotonic() - began_s, flush=True)
"""
NEAR_S = 30.0


def test_a_jump_reaches_a_forked_process_at_once_and_spares_its_monotonic_clock(
    tmp_path: Path,
) -> None:
    file = tmp_path / "clock"
    set_clock(file, 0.0)
    with subprocess.Popen(
        [sys.executable, "-c", FORKED, str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for off_s in (0.0, 60.0, -60.0, 0.0):
            set_clock(file, off_s)
            process.stdin.write("\n")
            process.stdin.flush()
            ns, seconds, passed_s = process.stdout.readline().split()
            for told_s in (int(ns) / 1e9, float(seconds)):
                assert abs(told_s - time.time() - off_s) < NEAR_S
            assert 0 <= float(passed_s) < PATIENCE_S
        process.stdin.close()
