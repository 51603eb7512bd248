"""What a source may hand over, and what follows what was there before."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.domain.fact import SignalReceived
from holdfast.signals.order import Rate, taken
from holdfast.signals.port import MOST_BYTES, Entry, SignalRefused, read_entry

NOW_NS = 1_700_000_000_000_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("body", "entry"),
    [
        ('{"value": 0.10}', Entry("0.10")),
        ('{"value": null, "id": "a"}', Entry("null", None, "a")),
        (
            '{"value": {"BTC": [1, "x"]}, "known_at": "2023-11-14T22:13:20.000001Z"}',
            Entry('{"BTC": [1, "x"]}', NOW_NS + 1000),
        ),
        ('{"value": 1, "known_at": "2023-11-14T23:13:20+01:00"}', Entry("1", NOW_NS)),
    ],
)
def test_an_entry_is_its_value_as_it_was_written(body: str, entry: Entry) -> None:
    assert read_entry(body) == entry


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ("", 400, "expected: a JSON object"),
        ("[1]", 400, "expected: a JSON object"),
        ('{"known_at": "2023-11-14T22:13:20Z"}', 400, "missing required field `value`"),
        ('{"value": 1, "knownat": "2023-11-14T22:13:20Z"}', 400, "unknown field `knownat`"),
        ('{"value": 1, "known_at": "2023-11-14T22:13:20"}', 400, "with zone"),
        ('{"value": 1, "known_at": "yesterday"}', 400, "seen: known_at 'yesterday'"),
        ('{"value": "' + "x" * MOST_BYTES + '"}', 413, "at most 4,096"),
        ('{"value": 1, "id": "' + "x" * 201 + '"}', 413, "an id of 201 characters"),
        (b'{"value": "\xff"}', 400, "expected: a JSON object"),
        ('{"value": ' + "[" * 4000 + "]" * 4000 + "}", 400, "expected: a JSON object"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_entry_is_refused_with_what_is_expected(
    body: bytes | str, status: int, told: str
) -> None:
    with pytest.raises(SignalRefused) as refused:
        read_entry(body)
    assert refused.value.status == status
    assert told in str(refused.value)


def heard(*entries: Entry, now_ns: int = NOW_NS) -> list[SignalReceived]:
    """All entries, taken one after the other."""
    found: list[SignalReceived] = []
    for entry in entries:
        fact = taken("news", entry, found, now_ns)
        assert fact is not None
        found.append(fact)
    return found


def test_a_time_that_is_not_told_is_now() -> None:
    (fact,) = heard(Entry("1"))
    assert (fact.known_at_ns, fact.received_ns, fact.value) == (NOW_NS, NOW_NS, "1")


def test_the_same_is_taken_once() -> None:
    first = Entry("1", NOW_NS - S, "a")
    second = Entry("2", NOW_NS, "b")
    known = heard(first, second)
    assert taken("news", first, known, NOW_NS) is None
    assert taken("news", second, known, NOW_NS) is None
    assert taken("news", Entry("9", None, "b"), known, NOW_NS) is None, "an id says it all"
    assert taken("news", Entry("2", NOW_NS), known, NOW_NS) is None, "the same, without its id"
    without_time = heard(Entry("1"), Entry("1"))
    assert len(without_time) == 2, "nothing says that it is the same"


def test_two_of_one_moment_are_both_taken() -> None:
    assert len(heard(Entry("1", NOW_NS, "a"), Entry("1", NOW_NS, "b"), Entry("2", NOW_NS))) == 3


def test_what_is_out_of_order_is_refused() -> None:
    known = heard(Entry("1", NOW_NS))
    with pytest.raises(SignalRefused, match=r"1.000 s before that of the last one") as refused:
        taken("news", Entry("2", NOW_NS - S), known, NOW_NS)
    assert refused.value.status == 409


def test_the_future_is_refused_but_for_clocks_that_differ() -> None:
    heard(Entry("1", NOW_NS + 5 * S))
    with pytest.raises(SignalRefused, match=r"known_at 5.1 s from now") as refused:
        heard(Entry("1", NOW_NS + 5 * S + S // 10))
    assert refused.value.status == 422


def test_what_is_received_never_goes_back_in_time() -> None:
    known = heard(Entry("1"))
    later = taken("news", Entry("2"), known, NOW_NS - S)
    assert later is not None
    assert later.received_ns == NOW_NS


def test_a_rate_is_of_any_minute() -> None:
    rate = Rate(2)
    for now_s in (0.0, 50.0):
        assert rate.wait_s(now_s) == 0
        rate.add(now_s)
    assert rate.wait_s(55.0) == 5
    assert rate.wait_s(60.0) == 0
    rate.add(60.0)
    assert rate.wait_s(61.0) == 49


def test_a_fact_keeps_the_exact_text() -> None:
    (fact,) = heard(Entry("0.10"))
    assert msgspec.json.decode(msgspec.json.encode(fact), type=SignalReceived) == fact
