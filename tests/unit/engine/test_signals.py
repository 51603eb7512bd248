"""External series in the engine: journaled first, seen from then on, the same for a new process."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.fact import SignalReceived
from holdfast.errors import ConfigError
from holdfast.ledger.fold import SIGNALS_REMEMBERED
from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish, play
from holdfast.strategy.signals import Known, Signal, hearing
from tests.support.engine_world import MINUTE_NS, World, bot

D = Decimal


class Mood(Strategy):
    """Holds as much as the last value says, while that is younger than two minutes."""

    def setup(self, on: Setup) -> None:
        self.mood = on.signal("mood")

    def decide(self, now: View) -> Wish:
        if not self.mood.ready:
            return KEEP
        if self.mood.age_s(now.time_ns) > 120:
            return FLAT
        return Target(quantity=D(self.mood.value["size"]))


def world() -> World:
    return World(bot(strategy=Mood()))


def said(made: World, size: int, at_ns: int) -> None:
    made.commit(
        SignalReceived(
            signal="mood", value=f'{{"size": {size}}}', known_at_ns=at_ns, received_ns=at_ns
        )
    )


def test_a_value_is_seen_at_the_close_after_it_was_received() -> None:
    made = world()
    made.bar()
    assert not made.arming, "nothing was said yet"
    said(made, 2, made.now_ns + 1)
    assert not made.arming, "a value alone asks nobody"
    made.bar()
    made.settle()
    assert made.held() == 2


def test_a_decision_that_is_late_sees_what_one_in_time_would_have_seen() -> None:
    made = world()
    closes_ns = made.now_ns + MINUTE_NS
    said(made, 1, closes_ns - 1)
    said(made, 2, closes_ns)
    for late in range(3):
        said(made, 9, closes_ns + 1 + late)
    made.bar()
    made.settle()
    assert made.held() == 2
    made.bar()
    made.settle()
    assert made.held() == 9


def test_what_is_old_is_known_to_be_old() -> None:
    made = world()
    said(made, 2, made.now_ns)
    for expected in (2, 2, 0):
        made.bar()
        made.settle()
        assert made.held() == expected


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_new_process_has_heard_the_same(from_snapshot: bool) -> None:
    made = world()
    said(made, 2, made.now_ns + 1)
    made.restart(from_snapshot=from_snapshot)
    made.bar()
    made.settle()
    assert made.held() == 2


def test_the_fold_keeps_the_last_ones() -> None:
    made = world()
    for at in range(SIGNALS_REMEMBERED + 5):
        said(made, at, made.now_ns + at)
    kept = made.account.signals["mood"]
    assert len(kept) == SIGNALS_REMEMBERED
    assert kept[-1].value == f'{{"size": {SIGNALS_REMEMBERED + 4}}}'


def test_a_value_is_a_new_object_each_time() -> None:
    signal = Signal("mood")
    assert (signal.ready, signal.value, signal.age_s(5)) == (False, None, float("inf"))
    signal.hear(Known(7, "[1]"))
    signal.value.append(2)
    assert (signal.ready, signal.value, signal.at_ns) == (True, [1], 7)


def test_play_says_from_which_close_on_a_value_is_known() -> None:
    played = play(Mood(), closes=[1, 2, 3, 4, 5], signals={"mood": {1: {"size": 2}}})
    assert list(played.wishes) == [KEEP, *[Target(quantity=D(2))] * 3, FLAT]


def test_a_series_that_is_missing_or_unknown_is_refused() -> None:
    given: list[dict[str, list[Known]]] = [{}, {"mood": [], "other": []}, {"other": []}]
    for series in given:
        with pytest.raises(ConfigError, match="expected: of mood, which the strategy declares"):
            hearing(lambda view: view, {"mood": Signal("mood")}, series)
