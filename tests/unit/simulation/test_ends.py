"""Which ends of an account's process the simulated world explains; any other is a defect."""

from __future__ import annotations

from holdfast.errors import RetryableError
from holdfast.simulation.clock import Crashed
from holdfast.simulation.node import is_of_the_world

FULL = RetryableError("the disk is full")


def test_no_memory_explains_an_end_and_so_it_does_on_a_full_disk() -> None:
    assert is_of_the_world(MemoryError())
    assert is_of_the_world(ExceptionGroup("parts", [MemoryError(), FULL]))


def test_a_crash_explains_whatever_was_under_way() -> None:
    assert is_of_the_world(BaseExceptionGroup("parts", [Crashed(), FULL]))


def test_an_error_that_nobody_planted_is_explained_by_nothing_beside_it() -> None:
    assert not is_of_the_world(ExceptionGroup("parts", [MemoryError(), FULL, KeyError("x")]))
    assert not is_of_the_world(ExceptionGroup("parts", [FULL]))
