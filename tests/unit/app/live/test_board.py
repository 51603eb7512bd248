"""The board's clock of leases: which of the machine's clocks it is, and what a suspension does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from holdfast.app.live.board import SharedBoard, lease_clock_ns
from holdfast.cluster.board import Wanted

NS_PER_S = 1_000_000_000

pytestmark = pytest.mark.skipif(
    not hasattr(time, "CLOCK_BOOTTIME"), reason="a system without a clock of suspended time"
)


class Machine:
    """Its clocks. While it is suspended only the one since boot goes on."""

    def __init__(self) -> None:
        self.now_ns = {time.CLOCK_BOOTTIME: 1_000 * NS_PER_S, time.CLOCK_MONOTONIC: 0}
        self.asked: list[int] = []

    def read(self, clock: int) -> int:
        self.asked.append(clock)
        return self.now_ns[clock]

    def suspend(self, for_s: int) -> None:
        self.now_ns[time.CLOCK_BOOTTIME] += for_s * NS_PER_S


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(time, "clock_gettime_ns", machine.read)
    return machine


@pytest.fixture
def board() -> Iterator[SharedBoard]:
    board = SharedBoard(["main"])
    yield board
    board.close()


def test_leases_run_by_the_clock_that_goes_on_while_the_machine_is_suspended(
    machine: Machine,
) -> None:
    assert lease_clock_ns() == machine.now_ns[time.CLOCK_BOOTTIME]
    assert machine.asked == [time.CLOCK_BOOTTIME]


def test_who_led_when_the_machine_was_suspended_leads_no_more_when_it_wakes(
    machine: Machine, board: SharedBoard
) -> None:
    board.want("main", Wanted.LEAD)
    board.lease(lease_clock_ns() + 10 * NS_PER_S)
    machine.suspend(9)
    assert board.may_lead("main")
    machine.suspend(1)
    assert not board.may_lead("main")
    assert board.lease_left_s == 0
