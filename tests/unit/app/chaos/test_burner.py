"""The neighbour that makes up for what is missing to a busy machine."""

from __future__ import annotations

import pytest

from holdfast.app.chaos.burner import BUSY, next_duty


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
