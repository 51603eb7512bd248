"""An account's process and whoever watches over it: pauses, refusals, no process to be had."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.app.live import seat as seat_module
from holdfast.app.live.board import SharedBoard
from holdfast.app.live.node import Supervisor
from holdfast.app.live.process import RESTED
from holdfast.app.live.seat import DECIDE_BUDGET_S, Seat
from holdfast.app.live.slate import Slate
from holdfast.app.live.teller import Sources, Teller
from holdfast.app.live.watch import Watch
from holdfast.cluster.board import State
from holdfast.config import Config
from holdfast.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from tests.support.waiting import PATIENCE_S

POLL_S = 0.02
HANG_S = 1.0
PAUSE_S = DECIDE_BUDGET_S + 0.5


def decides(_config: Config, watch: Watch, _quarantine: dict[str, str]) -> None:
    """A process whose bot decides now and then, and whose event loop turns between."""
    while True:
        with watch.running("trend"):
            time.sleep(POLL_S)
        watch.beat()


def waits(_config: Config, watch: Watch, _quarantine: dict[str, str]) -> None:
    """A process whose bots decide nothing."""
    while True:
        watch.beat()
        time.sleep(POLL_S)


def refused(_config: Config, _watch: Watch, _quarantine: dict[str, str]) -> None:
    """A process that ends for what it was configured with."""
    time.sleep(0.1)
    os._exit(EXIT_USAGE)


@contextmanager
def seated(run: object, state_dir: Path) -> Iterator[Seat]:
    board = SharedBoard(["main"])
    seat = Seat(Config(state_dir=str(state_dir)), board, HANG_S, run)  # type: ignore[arg-type]
    watched(seat, 0.5)
    board.tell("main", State.LEADING)
    try:
        yield seat
    finally:
        if seat.pid:
            os.kill(seat.pid, signal.SIGKILL)
            os.waitpid(seat.pid, 0)


def watched(seat: Seat, seconds: float, *, every_s: float = POLL_S) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        seat.look(stopping=False)
        time.sleep(every_s)


def watched_until(seat: Seat, comes: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not comes():
        assert time.monotonic() < until_s
        watched(seat, POLL_S)


def stopped_while_deciding(seat: Seat) -> None:
    while True:
        os.kill(seat.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, seat.pid, os.WSTOPPED)
        if seat._watch.deciding() is not None:
            return
        os.kill(seat.pid, signal.SIGCONT)
        time.sleep(0.003)


@pytest.mark.parametrize("run", [decides, waits])
def test_a_pause_of_the_whole_node_ends_nobody_and_blames_no_bot(
    run: object, tmp_path: Path
) -> None:
    with seated(run, tmp_path) as seat:
        pid = seat.pid
        if run is decides:
            stopped_while_deciding(seat)
        else:
            os.kill(pid, signal.SIGSTOP)
        seat.look(stopping=False)  # it has seen the last beat
        time.sleep(PAUSE_S)  # and stands still as well
        seat.look(stopping=False)  # and is back first
        os.kill(pid, signal.SIGCONT)
        watched(seat, 0.5)
        assert seat._blame.quarantine == {}
        assert seat.pid == pid


@pytest.mark.parametrize("every_s", [POLL_S, 0.5])
def test_a_decision_that_does_not_return_is_ended_by_a_slow_supervisor_too(
    every_s: float, tmp_path: Path
) -> None:
    with seated(decides, tmp_path) as seat:
        pid = seat.pid
        stopped_while_deciding(seat)
        began_s = time.monotonic()
        while seat.pid == pid and time.monotonic() - began_s < PATIENCE_S:
            watched(seat, every_s, every_s=every_s)
        assert list(seat._blame.quarantine) == ["trend"]


def test_a_system_that_gives_no_process_ends_no_node_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(seat_module, "NO_FORK_S", 0.1)
    config = Config(state_dir=str(tmp_path))
    board = SharedBoard(["main"])
    seat = Seat(config, board, HANG_S, waits)
    told = Sources("node", board, {"main": Slate()}, {"main": "fake"})
    with monkeypatch.context() as without:
        without.setattr(os, "fork", refuse)
        watched(seat, 0.3)
        Teller(config, told, 0, 0).look()
        supervisor = Supervisor(config)
        supervisor._look_after_keeper()
    assert (seat.pid, seat.code, supervisor._keeper) == (0, None, 0)
    watched(seat, 0.3)
    assert seat.pid > 0
    os.kill(seat.pid, signal.SIGKILL)
    os.waitpid(seat.pid, 0)


@pytest.mark.parametrize("known", [State.DOWN, State.FOLLOWING, State.LEADING])
def test_what_was_right_before_and_is_refused_now_is_tried_again_after_a_while(
    known: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when one side of the rotation of a password is late: what begins then knows no other."""
    monkeypatch.setattr(seat_module, "AGAIN_S", 0.3)
    board, lives = SharedBoard(["main"]), tmp_path / "lives"

    def lives_on(config: Config, watch: Watch, quarantine: dict[str, str]) -> None:
        with lives.open("a") as noted:
            noted.write("x")
        life = lives.stat().st_size
        board.tell("main", known if life == 1 else State.DOWN)
        time.sleep(0.2)
        if life <= 2:
            os._exit(RESTED if life == 1 else EXIT_USAGE)
        waits(config, watch, quarantine)

    seat = Seat(Config(state_dir=str(tmp_path)), board, HANG_S, lives_on)
    watched_until(seat, lambda: board.state("main") is State.UNFIT)
    assert lives.read_text() == "xx"
    if known is State.DOWN:  # nobody ever got so far: it would only repeat itself
        assert (seat.pid, seat.code) == (0, EXIT_USAGE)
        return
    watched_until(seat, lambda: lives.read_text() == "xxx" or seat.code is not None)
    assert seat.code is None
    os.kill(seat.pid, signal.SIGKILL)
    os.waitpid(seat.pid, 0)


def test_what_is_refused_at_once_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it followed before the refusal, as with a key that was never taken."""
    monkeypatch.setattr(seat_module, "AGAIN_S", 0.0)
    board = SharedBoard(["main"])

    def refused(_config: Config, _watch: Watch, _quarantine: dict[str, str]) -> None:
        board.tell("main", State.FOLLOWING)
        time.sleep(0.1)
        os._exit(EXIT_USAGE)

    seat = Seat(Config(state_dir=str(tmp_path)), board, HANG_S, refused)
    watched_until(seat, lambda: board.state("main") is State.UNFIT)
    assert (seat.pid, seat.code) == (0, EXIT_USAGE)


def test_an_added_account_is_tried_again_because_its_key_may_come_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seat_module, "AGAIN_S", 0.3)
    board = SharedBoard(["main"])
    seat = Seat(Config(state_dir=str(tmp_path)), board, HANG_S, refused, is_added=True)
    watched_until(seat, lambda: board.state("main") is State.UNFIT)
    assert (seat.pid, seat.code) == (0, None)
    watched_until(seat, lambda: bool(seat.pid))
    watched_until(seat, lambda: not seat.pid)


def test_what_breaks_before_an_account_s_process_has_begun_ends_there_and_is_begun_again(
    tmp_path: Path,
) -> None:
    """Not in the supervisor's own code, which it has on its stack as well."""

    def breaks(_config: Config, _watch: Watch, _quarantine: dict[str, str]) -> None:
        with lives.open("a") as noted:
            noted.write("x")
        raise MemoryError

    lives, supervisor = tmp_path / "lives", os.getpid()
    lives.touch()
    seat = Seat(Config(state_dir=str(tmp_path)), SharedBoard(["main"]), HANG_S, breaks)
    try:
        watched_until(seat, lambda: lives.read_text() == "xx" or seat.code is not None)
    finally:
        if os.getpid() != supervisor:  # as Python ends who does not take an exception
            os._exit(EXIT_FAILED)
    watched_until(seat, lambda: not seat.pid)
    assert seat.code is None


def test_an_account_whose_process_ends_in_order_though_nobody_asked_is_begun_again(
    tmp_path: Path,
) -> None:
    """As by a SIGTERM of whoever frees memory, or of a strategy."""

    def ends(_config: Config, _watch: Watch, _quarantine: dict[str, str]) -> None:
        with lives.open("a") as noted:
            noted.write("x")
        os._exit(EXIT_OK)

    lives = tmp_path / "lives"
    lives.touch()
    seat = Seat(Config(state_dir=str(tmp_path)), SharedBoard(["main"]), HANG_S, ends)
    watched_until(seat, lambda: lives.read_text() == "xx" or seat.code is not None)
    while seat.pid:
        seat.look(stopping=True)
    assert lives.read_text() == "xx"
    assert seat.code == EXIT_OK


@pytest.mark.parametrize("stopping", [False, True])
def test_an_end_that_no_other_process_follows_is_told_with_its_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, stopping: bool
) -> None:
    caplog.set_level("INFO")
    seat = Seat(Config(state_dir=str(tmp_path)), SharedBoard(["main"]), HANG_S, refused)
    seat.look(stopping=False)
    while seat.code is None:
        seat.look(stopping=stopping)
        time.sleep(POLL_S)
    (line,) = [one for one in caplog.records if "account_ended" in one.getMessage()]
    assert line.levelname == ("INFO" if stopping else "ERROR")
    assert "'account': 'main'" in line.getMessage()
