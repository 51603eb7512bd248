"""Many notices become one message: what is urgent first, and the rest as counts."""

from __future__ import annotations

from holdfast.operations.notify.deliver import LONGEST_RETRY_S, Pace, retry_s
from holdfast.operations.notify.port import Kind
from holdfast.operations.notify.rows import TEST, Message
from holdfast.operations.notify.words import LINES, compose


def message(
    number: int, kind: str = "fill", *, urgent: bool = False, tried: bool = False
) -> Message:
    return Message(number, kind, urgent, number, f"main: {kind} {number}.", tried)


def test_one_notice_is_told_as_it_is() -> None:
    text = compose("prod", [message(1)])
    assert (text.title, text.body, text.is_urgent) == ("prod: Fill", "main: fill 1.", False)


def test_what_is_urgent_comes_first_and_many_are_counted_by_kind() -> None:
    waiting = [message(n) for n in range(1, 17)]
    waiting += [message(17, "latency"), message(18, "halt", urgent=True)]
    text = compose("prod", waiting)
    lines = text.body.split("\n")
    assert text.title == "prod: Halted and 17 more"
    assert text.is_urgent
    assert lines[0] == "main: halt 18."
    assert lines[1] == "main: fill 1."
    assert lines[LINES:] == ["11 more fills.", "1 more late answer."]


def test_it_says_what_was_lost_and_what_may_have_come_before() -> None:
    text = compose("prod", [message(1, tried=True)], lost=3)
    assert text.said == 3
    assert "3 older ones could not be delivered" in text.body
    assert text.body.endswith("(Some of this may have come before: its sending was interrupted.)")


def test_a_minute_s_messages_leave_room_for_what_is_urgent() -> None:
    now_s = 0.0
    pace = Pace(10, lambda: now_s)
    assert [pace.take(urgent=False) for _ in range(8)] == [True] * 6 + [False] * 2
    assert [pace.take(urgent=True) for _ in range(5)] == [True] * 4 + [False]
    now_s = 6.0  # one more of ten in a minute
    assert not pace.take(urgent=False)
    assert pace.take(urgent=True)
    now_s = 600.0
    assert [pace.take(urgent=True) for _ in range(11)] == [True] * 10 + [False]


def test_a_target_that_is_down_is_tried_less_and_less_often() -> None:
    assert [retry_s(tries) for tries in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert retry_s(10_000) == LONGEST_RETRY_S


def test_every_kind_has_a_name() -> None:
    for kind in (*Kind, TEST):
        assert compose("prod", [message(n, kind) for n in range(LINES + 2)]).title
