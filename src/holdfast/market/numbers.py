"""A column of cells as float64, with what is no number and what float64 would change.

Not here: which numbers make sense in a candle (`intake`).
"""

from __future__ import annotations

import polars as pl

from holdfast.domain.money import parse
from holdfast.market.exact import survives

# Any 15 digits survive float64; what is longer is looked at one by one.
_SAFE_LENGTH = 15
_WHOLE_LIMIT = 2**53


def to_floats(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The numbers in `cells`.

    Args:
        cells: text, or any number type of a Parquet or Feather file.

    Returns:
        The values (float64, null where there is no number), and a mask of those whose text float64
        does not give back.
    """
    kind = cells.dtype
    nothing = pl.repeat(False, len(cells), dtype=pl.Boolean, eager=True)
    if kind == pl.Float64:
        return cells, nothing
    if kind.is_integer():
        return cells.cast(pl.Float64), (cells.cast(pl.Int128).abs() > _WHOLE_LIMIT).fill_null(False)
    if kind == pl.Float32 or kind.is_decimal():
        # By way of its text: the float64 nearest to a float32 has digits that nobody wrote.
        return _from_text(cells.cast(pl.String))
    if kind == pl.String:
        return _from_text(cells)
    return pl.repeat(None, len(cells), dtype=pl.Float64, eager=True), nothing


def _from_text(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    values = text.cast(pl.Float64, strict=False)
    if _unread(text, values).any():
        values = text.str.strip_chars().cast(pl.Float64, strict=False)
    unread = _unread(text, values)
    if unread.any():
        rare = text.filter(unread).unique().to_list()
        read = [_number(cell) for cell in rare]
        values = values.fill_null(text.replace_strict(rare, read, default=None))
    return values, _changed(text, values)


def _unread(text: pl.Series, values: pl.Series) -> pl.Series:
    return values.is_null() & text.is_not_null()


def _number(text: str) -> float | None:
    try:
        return float(parse(text.strip()))
    except ValueError:
        return None


def _changed(text: pl.Series, values: pl.Series) -> pl.Series:
    """Which texts float64 does not give back. Few are long enough to ask, so those alone are."""
    changed = pl.repeat(False, len(text), dtype=pl.Boolean, eager=True)
    suspects = (text.str.len_bytes() > _SAFE_LENGTH) & values.is_finite()
    spots = suspects.fill_null(False).arg_true()
    # Most programs write a float64 in full as the shortest text that means it.
    spots = spots.filter(text.gather(spots) != values.gather(spots).cast(pl.String))
    if not len(spots):
        return changed
    # Exchanges write 61828.00000000: zeros behind the point are no digits.
    long = text.gather(spots)
    bare = long.str.replace(r"(\.\d*?)0+$", "$1")
    few_digits = (bare.str.len_bytes() <= _SAFE_LENGTH + 1) & long.str.contains(".", literal=True)
    spots, long = spots.filter(~few_digits), long.filter(~few_digits)
    lost = [cell for cell in long.unique().to_list() if not survives(cell.strip())]
    return changed.scatter(spots.filter(long.is_in(lost)), True)
