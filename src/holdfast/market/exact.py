"""Decimal numbers in columns of float64: what is lost, and sums that lose nothing.

A decimal of up to 15 significant digits survives float64 and comes back as its shortest text. Not
here: money, which is `Decimal` (domain.money); reading cells (`numbers`).
"""

from __future__ import annotations

import math
from decimal import Decimal

import polars as pl

# Below it a number times a power of ten is rounded to the right integer, and is exact as a float.
_LIMIT = 2**51
_MOST_PLACES = 12
# Four steps of float64, in numbers of at most 13 digits, which lie a hundred times that apart.
_DUST = 2.0**-50
_DUST_LIMIT = 10.0**13
_SAFE_DIGITS = 15
_SAMPLE = 1000


def survives(text: str) -> bool:
    """Whether the decimal `text` (a finite number) is itself again after float64.

    Some recorders print what a float64 really is, 22264158.1 as 22264158.1000000015: what they had
    seen is then the shortest text that means it, and that survives.
    """
    written, value = Decimal(text), float(text)
    shortest = Decimal(repr(value))
    if shortest == written:
        return True
    is_dust = len(shortest.normalize().as_tuple().digits) <= _SAFE_DIGITS
    return is_dust and f"{value:.{_places(written)}f}" == f"{written:f}"


def decimal_places(values: pl.Series) -> int | None:
    """How many decimals write every one of `values` (float64, finite).

    A recorder's own additions leave dust in the last bits, 601.3725000000001: it does not count
    where the numbers are short enough to tell it from digits.

    Returns:
        0 to 12, or None where the numbers have more than about 15 digits in all.
    """
    head = values.head(_SAMPLE)
    for places in range(_MOST_PLACES + 1):
        if _fits(head, places) and _fits(values, places):
            return places
    return None


def sums(frame: pl.DataFrame, by: str, column: str) -> pl.Series:
    """The sums of `column` (float64) over each run of equal `by`, as decimals add up.

    Adding floats would carry dust along: 0.1 + 0.2. Sums of more than about 15 digits are rounded
    to the nearest float64.

    Args:
        by: a column in which equal values stand together.
    """
    values = frame[column]
    places = decimal_places(values)
    if places is None:
        parts = frame.group_by(by, maintain_order=True).agg(pl.col(column))[column]
        return pl.Series(column, [math.fsum(part) for part in parts], dtype=pl.Float64)
    units = (values * 10.0**places).round().cast(pl.Int64)
    whole = frame.select(by, units.alias(column)).group_by(by, maintain_order=True)
    return _divided(whole.agg(pl.col(column).sum())[column].cast(pl.Float64), 10.0**places)


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _fits(values: pl.Series, places: int) -> bool:
    scale = 10.0**places
    units = (values * scale).round()
    largest = units.abs().max()
    if isinstance(largest, float) and largest >= _LIMIT:
        return False
    apart = (_divided(units, scale) - values).abs()
    short = units.abs() < _DUST_LIMIT
    dust = values.abs() * _DUST
    return bool(((apart == 0) | (short & (apart <= dust))).all())


def _divided(values: pl.Series, divisor: float) -> pl.Series:
    """The nearest float64 to each quotient.

    For a lone divisor polars multiplies by its inverse, which is off by a bit now and then; so it
    gets a column of them, and a column of one counts as alone.
    """
    count = len(values) + 1
    divisors = pl.repeat(divisor, count, dtype=pl.Float64, eager=True)
    return (values.extend_constant(0.0, 1) / divisors).head(count - 1)
