"""What a node makes of the errors that end its account: one decides, however they are nested."""

from __future__ import annotations

from holdfast.app.live.process import platform_cause
from holdfast.errors import CorruptionError, FencedError, RetryableError

AGAIN, FENCED = RetryableError("no answer"), FencedError("taken over")


def test_a_lone_error_is_its_own_cause() -> None:
    assert platform_cause(AGAIN) is AGAIN


def test_an_end_goes_before_another_try() -> None:
    group = ExceptionGroup("parts", [AGAIN, ExceptionGroup("inner", [FENCED])])

    assert platform_cause(group) is FENCED


def test_the_first_of_several_ends_counts() -> None:
    damaged = CorruptionError("a hole")

    assert platform_cause(ExceptionGroup("parts", [damaged, FENCED])) is damaged


def test_a_defect_is_not_explained_away_by_an_error_of_ours_beside_it() -> None:
    assert platform_cause(ExceptionGroup("parts", [FENCED, KeyError("x")])) is None
