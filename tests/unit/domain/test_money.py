"""Money from text: what is exact is taken, what is not is refused."""

from __future__ import annotations

import threading
from decimal import Decimal, getcontext

import pytest

from holdfast.domain.money import PRECISION, floor_to, parse, plain


@pytest.mark.parametrize(
    ("given", "value"),
    [("0.1", "0.1"), ("1e-8", "0.00000001"), (7, "7"), ("-3.50", "-3.5"), (Decimal(2), "2")],
)
def test_text_and_whole_numbers_are_money(given: str | int | Decimal, value: str) -> None:
    assert parse(given) == Decimal(value)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (0.1, "money from a binary float is not exact: 0.1; pass its text"),
        ("ten", "not a number: 'ten'"),
        ("", "not a number: ''"),
        ("NaN", "not a finite number: 'NaN'"),
        ("-Infinity", "not a finite number: '-Infinity'"),
    ],
)
def test_what_is_not_exact_is_refused(given: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the sentence is compared below
        parse(given)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("-0.000", "0"),
        ("1E+3", "1000"),
        ("1E-8", "0.00000001"),
        ("0.10", "0.1"),
        ("-5.0", "-5"),
        ("100", "100"),
    ],
)
def test_amounts_are_shown_without_exponent_and_trailing_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_a_rounding_down_never_rounds_up_however_close() -> None:
    assert floor_to(Decimal("0.99999999999999999999"), Decimal("0.00000001")) == Decimal(
        "0.99999999"
    )


def test_threads_that_start_later_are_as_exact() -> None:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(getcontext().prec))
    thread.start()
    thread.join()
    assert seen == [PRECISION]
