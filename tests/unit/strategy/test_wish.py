"""Wishes that cannot be meant are refused in one sentence, where they are made."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from holdfast.strategy import Level, Quotes, Target

ONE = Decimal(1)


def anything(value: object) -> Any:
    """What no type checker would let pass."""
    return value


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            lambda: Target(quantity=anything(0.1)),
            "seen: Target(quantity=0.1); expected: a finite Decimal; write Decimal('0.01')",
        ),
        (
            lambda: Target(quantity=anything(1)),
            "seen: Target(quantity=1); expected: a finite Decimal; write Decimal('0.01')",
        ),
        (
            lambda: Target(quantity=Decimal("NaN")),
            "seen: Target(quantity=Decimal('NaN')); expected: a finite Decimal; "
            "write Decimal('0.01')",
        ),
        (
            lambda: Target(quantity=Decimal(-1)),
            "seen: Target(quantity=-1); expected: zero or more, because version 1 trades spot, "
            "long only; return FLAT to leave the market",
        ),
        (
            lambda: Target(quantity=ONE, key=anything(7)),
            "seen: Target(key=7); expected: text, such as the schedule slot it is for",
        ),
        (
            lambda: Level(Decimal(0), ONE),
            "seen: Level(price=Decimal('0')); expected: a finite Decimal above zero",
        ),
        (
            lambda: Level(ONE, anything(1.5)),
            "seen: Level(quantity=1.5); expected: a finite Decimal above zero",
        ),
        (
            lambda: Level(Decimal("Infinity"), ONE),
            "seen: Level(price=Decimal('Infinity')); expected: a finite Decimal above zero",
        ),
        (
            lambda: Quotes(bids=[Level(ONE, ONE), Level(Decimal("1.0"), ONE)]),
            "seen: the same price twice in bids; expected: one level per price; "
            "add the quantities up",
        ),
        (
            lambda: Quotes(bids=anything(Level(ONE, ONE) for _ in range(1))),
            "seen: bids is a generator; expected: a list or tuple of Level(price, quantity)",
        ),
        (
            lambda: Quotes(asks=anything([(ONE, ONE)])),
            "seen: asks has a tuple; expected: a list or tuple of Level(price, quantity)",
        ),
        (
            lambda: Quotes(asks=anything(None)),
            "seen: asks is a NoneType; expected: a list or tuple of Level(price, quantity)",
        ),
    ],
)
def test_nonsense_says_what_was_seen_and_what_to_write(make: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match="seen") as refused:
        make()
    assert str(refused.value) == why


def test_what_can_be_meant_is_taken() -> None:
    assert Target(quantity=Decimal(0)).quantity == 0
    assert Quotes().bids == ()
    assert len(Quotes(bids=[Level(ONE, ONE)], asks=(Level(ONE, ONE),)).asks) == 1
