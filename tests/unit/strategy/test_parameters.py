"""Parameters: one declaration that parses text, keeps bounds and refuses the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest

from holdfast.errors import ConfigError
from holdfast.strategy import FLAT, Range, Strategy, View, Wish
from holdfast.strategy.load import create
from holdfast.strategy.parameters import as_json, build


class Typed(Strategy):
    """One of each kind."""

    count: Annotated[int, Range(2, 5)] = 3
    share: Annotated[float, Range(0.1, 0.9)] = 0.5
    size: Decimal = Decimal("0.01")
    on: bool = False
    name: str = "x"

    def decide(self, now: View) -> Wish:
        return FLAT


class BoundedMoney(Strategy):
    """A range on money, which ranges are not for."""

    size: Annotated[Decimal, Range(1, 2)] = Decimal(1)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({}, (3, 0.5, Decimal("0.01"), False)),
        (
            {"count": "5", "share": "0.9", "size": "0.1", "on": "true"},
            (5, 0.9, Decimal("0.1"), True),
        ),
        ({"count": 2, "share": 0.1, "size": "1e-8", "on": False}, (2, 0.1, Decimal("1e-8"), False)),
    ],
)
def test_text_and_values_become_typed_parameters(
    given: dict[str, Any], values: tuple[Any, ...]
) -> None:
    made = build(Typed, given)
    assert (made.count, made.share, made.size, made.on) == values


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"coutn": 3}, "seen: parameter 'coutn'; expected: one of count, name, on, share, size"),
        ({"count": 6}, "seen: count=6 of Typed; expected: int <= 5"),
        ({"count": "1"}, "expected: int >= 2"),
        ({"count": "three"}, "seen: count=three of Typed; expected: int"),
        ({"count": 2.5}, "seen: count=2.5 of Typed; expected: int"),
        ({"size": "much"}, "seen: size=much of Typed, invalid decimal string"),
        ({"size": "NaN"}, "seen: size=NaN of Typed; expected: a finite number"),
        ({"size": "Infinity"}, "seen: size=Infinity of Typed; expected: a finite number"),
        ({"share": "nan"}, "seen: share=nan of Typed"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build(Typed, given)
    assert why in str(refused.value)


def test_a_relation_between_parameters_is_checked() -> None:
    with pytest.raises(ConfigError, match="fast=30, slow=10; expected: fast below slow"):
        create("sma_cross", {"fast": "30", "slow": "10"})
    with pytest.raises(ConfigError, match="expected: 0 < low < high"):
        create("grid", {"low": "5", "high": "4"})


def test_a_parameter_without_a_value_is_named() -> None:
    with pytest.raises(ConfigError, match="seen: no high for Grid; expected: a value"):
        create("grid", {"low": "5"})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sma_cross", {"quantity": "NaN"}),
        ("sma_cross", {"quantity": "Infinity"}),
        ("sma_cross", {"quantity": "-1"}),
        ("grid", {"low": "NaN", "high": "2"}),
        ("grid", {"low": "1"}),
        ("grid", {"low": "1", "high": "2", "unit": "0"}),
    ],
)
def test_shipped_strategies_refuse_numbers_that_are_none(name: str, given: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        create(name, given)


def test_a_range_on_money_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ConfigError, match="BoundedMoney"):
        build(BoundedMoney, {"size": "1"})


def test_parameters_are_shown_as_json_values() -> None:
    assert as_json(build(Typed, {})) == {
        "count": 3,
        "share": 0.5,
        "size": "0.01",
        "on": False,
        "name": "x",
    }
