"""What is counted of a chaos run."""

from __future__ import annotations

from holdfast.app.chaos.result import Checked, Round, Spread, by_strike, covered, phases, spread_of


def test_percentiles_are_values_that_were_measured() -> None:
    assert spread_of([]) == Spread()
    assert spread_of([7]) == Spread(7, 7, 7)
    assert spread_of(range(1, 301)) == Spread(150, 297, 300)


def test_rounds_are_told_by_what_was_done_and_those_without_a_gap_by_their_silence() -> None:
    rounds = [
        Round(strike="kill", gap_ms=300.0, silence_ms=300.0, taken_ms=100.0),
        Round(strike="store slow", gap_ms=None, silence_ms=900.0),
        Round(strike="kill", gap_ms=500.0, silence_ms=500.0, taken_ms=200.0),
    ]
    found = by_strike(rounds)
    assert found["kill"].rounds == 2
    assert found["kill"].gap_ms == Spread(300.0, 500.0, 500.0)
    assert found["store slow"].gap_ms == Spread()
    assert found["store slow"].silence_ms.max == 900.0
    assert phases(rounds)["taken"] == Spread(100.0, 200.0, 200.0)


def test_a_round_whose_check_was_put_off_has_that_of_a_later_round_or_of_the_end() -> None:
    def check(first: int, last: int) -> Checked:
        return Checked(
            first=first, last=last, duplicate_orders=0, lost_orders=0, unresolved_orders=0,
            findings=0,
        )  # fmt: skip

    rounds = [
        Round(strike="kill", gap_ms=None, silence_ms=None, number=number, checked=checked)
        for number, checked in ((1, check(1, 1)), (2, None), (3, check(2, 3)), (4, None))
    ]
    found = covered(rounds, check(4, 4))
    assert [one.checked for one in found] == [check(1, 1), check(2, 3), check(2, 3), check(4, 4)]
