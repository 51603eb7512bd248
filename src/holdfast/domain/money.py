"""Exact arithmetic on money: text to Decimal, and rounding to an instrument's grid.

Not here: floats. A float never becomes money by arithmetic, only through its text.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)

# A product of price and quantity can have 16 + 16 digits, and Python's default of 28 would round it
# without a word. 50 digits leave room for sums of such products; DefaultContext is what threads
# that start later inherit.
PRECISION: Final = 50
decimal.DefaultContext.prec = PRECISION
decimal.getcontext().prec = PRECISION


def parse(text: str | int | Decimal) -> Decimal:
    """The exact value of `text`.

    Raises:
        ValueError: `text` is a float, is no number, or is not finite.
    """
    if isinstance(text, float):
        raise ValueError(  # noqa: TRY004 - callers handle one error for bad money
            f"money from a binary float is not exact: {text!r}; pass its text"
        )
    try:
        value = Decimal(text)
    except decimal.InvalidOperation as error:
        raise ValueError(f"not a number: {text!r}") from error
    if not value.is_finite():
        raise ValueError(f"not a finite number: {text!r}")
    return value


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` (> 0) that is not above `value`."""
    whole = value // step
    if value < 0 and value % step:
        whole -= 1
    return whole * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` (> 0) that is not below `value`."""
    return -floor_to(-value, step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step` (> 0)."""
    return value % step == 0


def plain(value: Decimal) -> str:
    """`value` as people and exchanges write it: no exponent, no trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text
