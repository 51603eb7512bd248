"""The chain: whatever is written comes back, and no single change of it goes unseen."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    CashFlow,
    Decided,
    Leg,
    OrderMoved,
    Reconciled,
    Refusal,
    TookOver,
)
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)
from holdfast.errors import CorruptionError
from holdfast.journal.chain import Line, extend, prove
from holdfast.journal.port import Group, Head
from holdfast.journal.record import GENESIS, decode, encode

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
amount = st.decimals(allow_nan=False, allow_infinity=False, places=9) | st.builds(
    Decimal, st.sampled_from(["0.010", "1E+3", "-0", "0.00000001", "123456789012345678.123456789"])
)
counter = st.integers(0, 2**63 - 1)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


spec = st.builds(
    OrderSpec,
    symbol=text,
    side=st.sampled_from(Side),
    type=st.sampled_from(OrderType),
    quantity=amount,
    price=maybe(amount),
    stop_price=maybe(amount),
    time_in_force=maybe(st.sampled_from(TimeInForce)),
)
leg = st.builds(
    Leg, leg=text, symbol=text, target=maybe(amount), side=maybe(st.sampled_from(Side)),
    quantity=maybe(amount), price=maybe(amount), post_only=st.booleans(),
)  # fmt: skip
fact: st.SearchStrategy[AnyFact] = st.one_of(
    st.builds(TookOver, node=text, boot_id=text, version=text, uid=text),
    st.builds(
        Decided, bot=text, number=counter, key=text, config_version=counter, wish=text,
        legs=st.lists(leg, max_size=3).map(tuple), seen_ns=counter, memory=maybe(text),
    ),
    st.builds(
        Armed, cid=text, intent_id=text, n=counter, bot=text, leg=text, seq=counter,
        decision=counter, spec=spec, boot_id=text, timestamp_ms=counter, window_ms=counter,
        reserve_asset=text, reserve=amount, reduces=st.booleans(),
    ),
    st.builds(
        AttemptMoved, cid=text, state=st.sampled_from(AttemptState), order_id=text,
        order_state=maybe(st.sampled_from(OrderState)), executed=maybe(amount),
    ),
    st.builds(OrderMoved, cid=text, state=st.sampled_from(OrderState), executed=amount),
    st.builds(
        CashFlow, asset=text, amount=amount, reason=text, evidence=text, at_ns=counter,
        rate=maybe(amount),
    ),
    st.builds(Refusal, bot=text, leg=text, rule=text, seen=text, limit=text, spec=maybe(spec)),
    st.builds(Reconciled, agreed=st.booleans(), findings=st.lists(text, max_size=3).map(tuple)),
)  # fmt: skip
groups = st.lists(st.lists(fact, max_size=4).map(lambda facts: Group(tuple(facts))), max_size=5)
START = Head("main", 3, 1, 0, GENESIS)


def chained(written: list[Group]) -> tuple[Head, list[Line]]:
    batch = extend(START, written, 5)
    numbered = enumerate(zip(batch.bodies, batch.hashes, strict=True), 1)
    return batch.head, [Line(seq, body, digest) for seq, (body, digest) in numbered]


@given(groups)
def test_every_fact_comes_back_as_it_was_written(written: list[Group]) -> None:
    head, lines = chained(written)
    records = list(prove(head, lines))
    assert [record.fact for record in records] == [f for group in written for f in group.facts]
    assert [encode(record) for record in records] == [line.body for line in lines]
    assert [decode(line.body) for line in lines] == records


@given(groups, st.data())
def test_it_can_be_proved_from_any_record_on(written: list[Group], data: st.DataObject) -> None:
    head, lines = chained(written)
    after = data.draw(st.integers(0, len(lines)))
    after_hash = lines[after - 1].hash if after else GENESIS
    assert list(prove(head, lines[after:], after, after_hash)) == list(prove(head, lines))[after:]


def damaged(lines: list[Line], data: st.DataObject) -> Iterator[list[Line]]:
    """Each way in which stored lines can go wrong, at a place that hypothesis picks."""
    at = data.draw(st.integers(0, len(lines) - 1))
    seq, body, digest = lines[at]
    flip = data.draw(st.integers(0, 8 * len(body) - 1))
    flipped = bytearray(body)
    flipped[flip // 8] ^= 1 << flip % 8
    wrong = bytearray(digest)
    wrong[flip % 32] ^= 1
    yield [*lines[:at], Line(seq, bytes(flipped), digest), *lines[at + 1 :]]
    yield [*lines[:at], Line(seq, body, bytes(wrong)), *lines[at + 1 :]]
    yield [*lines[:at], Line(seq + 1, body, digest), *lines[at + 1 :]]
    yield [*lines[:at], *lines[at + 1 :]]
    yield [*lines[: at + 1], *lines[at:]]
    yield lines[:at]


@given(groups.filter(lambda written: any(group.facts for group in written)), st.data())
def test_no_change_of_what_is_stored_goes_unseen(written: list[Group], data: st.DataObject) -> None:
    head, lines = chained(written)
    for version in damaged(lines, data):
        with pytest.raises(CorruptionError, match="seen: journal of main, record"):
            list(prove(head, version))


@given(groups, groups)
def test_a_chain_rewritten_from_the_start_does_not_fit_the_head(
    written: list[Group], other: list[Group]
) -> None:
    head, _ = chained(written)
    other_head, lines = chained(other)
    if other_head != head:
        with pytest.raises(CorruptionError):
            list(prove(head, lines))
