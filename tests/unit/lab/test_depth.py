"""An order walks a book level by level."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.market import Level
from holdfast.domain.order import Side
from holdfast.lab.depth import walk

D = Decimal
ASKS = [(D(101), D(1)), (D(102), D(2)), (D(104), D("0.5"))]
BIDS = [(D(99), D(1)), (D(98), D(2)), (D(96), D("0.5"))]


@pytest.mark.parametrize(
    ("side", "quantity", "limit", "parts", "unfilled"),
    [
        (Side.BUY, "0.4", None, [("101", "0.4")], "0"),
        (Side.BUY, "1", None, [("101", "1")], "0"),
        (Side.BUY, "2.5", None, [("101", "1"), ("102", "1.5")], "0"),
        (Side.BUY, "4", None, [("101", "1"), ("102", "2"), ("104", "0.5")], "0.5"),
        (Side.BUY, "4", "102", [("101", "1"), ("102", "2")], "1"),
        (Side.BUY, "4", "100", [], "4"),
        (Side.SELL, "1.5", None, [("99", "1"), ("98", "0.5")], "0"),
        (Side.SELL, "4", "98", [("99", "1"), ("98", "2")], "1"),
        (Side.SELL, "1", "100", [], "1"),
    ],
)
def test_levels_are_taken_best_first_to_the_limit(
    side: Side, quantity: str, limit: str | None, parts: list[tuple[str, str]], unfilled: str
) -> None:
    levels = ASKS if side is Side.BUY else BIDS
    found = walk(levels, side, D(quantity), None if limit is None else D(limit))
    assert [(str(price), str(part)) for price, part in found.parts] == parts
    assert found.unfilled == D(unfilled)
    assert found.quantity + found.unfilled == D(quantity)
    assert found.value == sum(D(price) * D(part) for price, part in parts)


amounts = st.integers(1, 10_000).map(lambda cents: D(cents) / 100)
offers = st.dictionaries(amounts, amounts, min_size=1, max_size=20)


@given(offers, st.sampled_from(list(Side)), st.lists(amounts, min_size=2, max_size=6))
def test_more_never_comes_cheaper_and_never_better_than_the_top(
    offered: dict[Decimal, Decimal], side: Side, quantities: list[Decimal]
) -> None:
    is_buy = side is Side.BUY
    levels: list[Level] = sorted(offered.items(), reverse=not is_buy)
    best, before = levels[0][0], None
    for quantity in sorted(quantities):
        found = walk(levels, side, quantity)
        average = found.value / found.quantity
        worse = average >= best if is_buy else average <= best
        assert worse
        if before is not None:
            assert found.value >= before[1]
            assert average >= before[0] if is_buy else average <= before[0]
        before = average, found.value
        assert found.unfilled == max(D(0), quantity - sum(offered.values()))
