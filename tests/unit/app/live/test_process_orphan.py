"""What ends an account's process that nobody ends: its supervisor is gone, or it does not close."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from holdfast.app.live import process as process_module
from holdfast.app.live.process import CRASHED, RESTED, code_of, forked, run_child
from holdfast.app.live.watch import Watch
from holdfast.cluster.host import Process, has_ended, kill, started_at
from tests.support.waiting import PATIENCE_S

Work = Callable[[], Coroutine[None, None, None]]
SHORT_S = 0.5


async def never_returns() -> None:
    """A strategy that gives the interpreter's lock away now and then, as any written in Python."""
    await asyncio.sleep(0.1)
    while True:
        pass


async def holds_the_lock() -> None:
    """A strategy that does not: this would match for longer than the sun will shine."""
    beating = asyncio.create_task(process_module._beat(Watch()))
    await asyncio.sleep(0.2)
    re.match("(a+)+$", "a" * 200 + "b")
    beating.cancel()


async def waits_in_a_thread() -> None:
    await asyncio.to_thread(time.sleep, 3600)


def account(work: Work, alive: int, *others: int) -> int:
    """A process that runs that; it keeps none of the other ends."""

    def run() -> None:
        for end in others:
            os.close(end)
        run_child("main", work(), alive, code_of, RESTED)

    return forked("main", run)


def orphan(work: Work) -> Process:
    """Such a process, half a second after it was begun, whose supervisor has just been killed."""
    told, tell = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        alive, held_open = os.pipe()
        os.write(tell, str(account(work, alive, held_open)).encode())
        time.sleep(3600)
    pid = int(os.read(told, 20))
    left = Process(pid, started_at(pid))
    time.sleep(0.5)
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    os.close(told)
    os.close(tell)
    return left


def ends(left: Process) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not has_ended(left) and time.monotonic() < until_s:
        time.sleep(0.02)
    if has_ended(left):
        return True
    kill(left)
    return False


def code(pid: int) -> int | None:
    """Of its end; None when it had to be killed."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def test_a_process_whose_strategy_never_returns_does_not_outlive_its_supervisor_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_module, "END_TIMEOUT_S", SHORT_S)
    assert ends(orphan(never_returns))


def test_a_process_whose_supervisor_is_gone_closes_in_order_first(tmp_path: Path) -> None:
    async def closes() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(SHORT_S)
            (tmp_path / "closed").touch()

    assert ends(orphan(closes))
    assert (tmp_path / "closed").exists()


def test_a_thread_that_never_returns_keeps_no_process_that_was_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_module, "END_TIMEOUT_S", SHORT_S)
    pid = account(waits_in_a_thread, os.pipe()[0])
    time.sleep(SHORT_S)
    os.kill(pid, signal.SIGTERM)
    assert code(pid) == CRASHED


def test_a_strategy_that_holds_the_interpreter_s_lock_spends_a_bounded_time_of_a_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No thread of its process runs then; the system ends it, also where no supervisor does."""
    monkeypatch.setattr(process_module, "SPIN_S", SHORT_S)
    assert code(account(holds_the_lock, os.pipe()[0])) == -signal.SIGPROF
