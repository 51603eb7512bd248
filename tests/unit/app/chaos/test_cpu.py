"""How busy a machine is, and the neighbour that makes up for what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.app.chaos.burner import BUSY, next_duty
from holdfast.app.chaos.cpu import Load, Meter

CORES = 2


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


@pytest.mark.parametrize("others", [0.0, 0.15, 0.6])
def test_neighbours_make_the_machine_busy_for_four_fifths(others: float) -> None:
    duty = BUSY
    for _ in range(30):
        duty = next_duty(duty, others + duty)
    assert others + duty == pytest.approx(BUSY, abs=0.01)


def test_a_neighbour_of_others_that_are_busy_enough_rests() -> None:
    duty = BUSY
    for _ in range(30):
        duty = next_duty(duty, min(1.0, 0.95 + duty))
    assert duty == 0


def test_a_neighbour_that_cannot_see_the_others_burns_its_four_fifths() -> None:
    assert next_duty(0.0, None) == BUSY
