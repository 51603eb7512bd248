"""What a member remembers of one account: how long it bears with what does not go well.

Not here: what the keeper makes of it (test_keeper).
"""

from __future__ import annotations

from holdfast.cluster.board import State
from holdfast.cluster.tenure import PATIENCE_S, Tenure
from holdfast.cluster.timing import Timing

TIMING = Timing(renew_s=0.15, ttl_s=0.8, poll_s=0.05, call_s=0.25)


def at(seconds: float) -> int:
    return round(seconds * 1e9)


def cut_off(tenure: Tenure, now_s: float, *, is_proven: bool = True) -> bool:
    return tenure.gives_up(at(now_s), answers=False, is_proven=lambda: is_proven)


def held(now_s: float = 0.0) -> Tenure:
    tenure = Tenure(TIMING)
    tenure.hold(at(now_s))
    return tenure


def test_what_does_not_answer_is_given_up_at_once_and_the_next_time_after_twice_as_long() -> None:
    tenure, waits_s, now_s = Tenure(TIMING), [], 0.0
    for _ in range(10):
        tenure.hold(at(now_s))
        began_s = now_s
        while not cut_off(tenure, now_s):
            now_s += 0.1
        waits_s.append(round(now_s - began_s, 1))
        tenure.release()
    assert waits_s == [0.0, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, PATIENCE_S, PATIENCE_S]


def test_patience_is_forgotten_when_it_has_gone_well_for_a_minute_of_one_stay() -> None:
    for well_s, is_given_up in ((PATIENCE_S - 1, False), (PATIENCE_S, True)):
        tenure = held()
        assert cut_off(tenure, 0)
        tenure.release()
        tenure.hold(0)
        assert not tenure.gives_up(at(well_s), answers=True, is_proven=lambda: True)
        assert cut_off(tenure, well_s) is is_given_up


def test_nothing_is_given_up_before_it_is_proven_that_it_would_help() -> None:
    tenure = held()
    assert not cut_off(tenure, 1, is_proven=False)
    assert not tenure.is_given_up
    assert cut_off(tenure, 2)
    assert tenure.gives_up(at(3), answers=True, is_proven=lambda: False)  # it stays given up
    tenure.keep()
    assert not tenure.gives_up(at(3), answers=True, is_proven=lambda: True)


def test_who_is_to_give_it_away_has_one_renewal_to_come_to_rest() -> None:
    tenure = held()
    assert not tenure.is_overdue(at(9))
    cut_off(tenure, 10)
    assert not tenure.is_overdue(at(10.15))
    assert tenure.is_overdue(at(10.151))


def test_what_does_not_begin_is_held_twice_as_long_each_time_until_it_leads() -> None:
    tenure, stays_s = Tenure(TIMING), []
    for _ in range(3):
        tenure.hold(0)
        stays_s.append(next(s / 10 for s in range(100) if tenure.fails(State.DOWN, at(s / 10))))
        tenure.given_to_nobody(0)
        tenure.release()
    assert stays_s == [0.8, 1.6, 3.2]
    tenure.hold(0)
    tenure.lead()
    tenure.release()
    tenure.hold(0)
    assert tenure.fails(State.DOWN, at(0.8))


def test_a_takeover_that_waits_for_the_exchange_is_left_alone_for_a_minute() -> None:
    tenure = held()
    assert not tenure.fails(State.FOLLOWING, at(PATIENCE_S - 0.1))
    assert tenure.fails(State.FOLLOWING, at(PATIENCE_S))


def test_whom_it_was_taken_from_last_lets_others_have_their_turn_for_half_a_lease() -> None:
    tenure = held()
    assert not tenure.was_just_given(0)
    tenure.given_to_nobody(at(5))
    tenure.release()
    assert tenure.was_just_given(at(5.39))
    assert not tenure.was_just_given(at(5.4))


def test_it_is_told_how_long_it_bears_with_what_does_not_answer_the_next_time() -> None:
    tenure = held()
    assert tenure.patience_s == 0.0
    assert cut_off(tenure, 0)
    assert tenure.patience_s == TIMING.ttl_s
