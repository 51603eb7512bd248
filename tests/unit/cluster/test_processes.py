"""What is known of a process: whether it ended, or was stopped, and that no other is killed.

Not here: which host it is on (test_host).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cluster.host import (
    Process,
    has_ended,
    is_stopped,
    kill,
    started_at,
    this_process,
)
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="reads /proc: run it on Linux"
)
NOBODY = 2**22 + 1  # above the highest pid of Linux


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    yield process
    process.kill()
    process.wait(PATIENCE_S)


def known(process: subprocess.Popen[bytes]) -> Process:
    return Process(process.pid, started_at(process.pid))


def test_a_process_that_runs_has_not_ended() -> None:
    assert not has_ended(this_process())
    assert not has_ended(Process(os.getpid(), 0))  # nobody can tell when it began
    assert has_ended(Process(NOBODY, 0))


def test_one_that_ended_and_was_not_waited_for_has_ended(other: subprocess.Popen[bytes]) -> None:
    before = known(other)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(before)


def test_a_number_that_was_given_away_again_is_another_process() -> None:
    me = this_process()
    assert has_ended(Process(me.pid, me.started + 1))


def test_another_process_with_the_number_is_not_killed(other: subprocess.Popen[bytes]) -> None:
    one = known(other)
    assert kill(Process(one.pid, one.started + 1))  # that one has ended
    assert not kill(Process(one.pid, 0))  # and this one nobody knows
    assert other.poll() is None
    assert kill(one)
    assert other.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_process_halted_by_a_signal_is_told_from_one_that_sleeps(
    other: subprocess.Popen[bytes],
) -> None:
    assert not is_stopped(known(other))
    other.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, other.pid, os.WSTOPPED)
    assert is_stopped(known(other))
    assert not has_ended(known(other))
