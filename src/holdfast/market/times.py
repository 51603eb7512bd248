"""A column of times as UTC nanoseconds: the same readings as `stamp`, a million cells at a time.

One file counts in one unit: a mixture is refused, because a guess per row would hide it. Not here:
which column holds the time (`columns`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
import polars as pl

from holdfast.errors import ConfigError
from holdfast.market.stamp import UNITS, to_ns

_MS_NS = 1_000_000
_LARGEST_NS = 2**63 - 1
_TEXT = "text"
_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
)  # fmt: skip


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """How a file counts time, as far as it is known beforehand.

    Attributes:
        unit: `s`, `ms`, `us` or `ns`; None tells it by the size of the numbers.
        zone: of times as text, or of a type, that name none.
        day_ns: midnight, when numbers are milliseconds since then.
    """

    zone: tzinfo
    unit: str | None = None
    day_ns: int | None = None


def to_times(cells: pl.Series, rows: pl.Series, clock: Clock, path: Path) -> pl.Series:
    """The times in `cells` as int64 UTC nanoseconds, null where there is none.

    Args:
        rows: the number of each row, for messages.

    Raises:
        ConfigError: the rows count in different units.
    """
    kind = cells.dtype
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return _of_type(cells, clock)
    if not (kind == pl.String or kind.is_numeric()):
        return _nothing(len(cells))
    numbers = _whole(cells)
    if clock.day_ns is not None:
        return numbers * _MS_NS + clock.day_ns
    if clock.unit is not None:
        return _counted(cells, numbers, UNITS[clock.unit][2])
    times, units = _by_size(numbers)
    left = (times.is_null() & cells.is_not_null()).fill_null(False)
    if left.any():
        others, kinds = _others(cells.filter(left), clock)
        spots = left.arg_true()
        times = times.scatter(spots, others)
        units = units.scatter(spots, kinds)
    _refuse_mixture(path, cells, rows, units)
    return times


def _of_type(cells: pl.Series, clock: Clock) -> pl.Series:
    if isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None:
        return cells.dt.epoch("ns")
    naive = cells.cast(pl.Datetime("ns"))
    return _in_zone(naive, clock.zone)


def _in_zone(naive: pl.Series, zone: tzinfo) -> pl.Series:
    """What the zone's clocks skip or show twice becomes null: it is refused, not guessed."""
    name = str(zone)
    if name != "UTC":
        naive = naive.dt.replace_time_zone(name, ambiguous="null", non_existent="null")
    return naive.dt.epoch("ns")


def _whole(cells: pl.Series) -> pl.Series:
    """Whole numbers as int64, null elsewhere."""
    if cells.dtype == pl.String:
        return cells.cast(pl.Int64, strict=False)
    if cells.dtype.is_float():
        whole = cells.cast(pl.Int64, strict=False)
        return _without(whole, (cells.round() != cells).fill_null(True))
    return cells.cast(pl.Int64, strict=False)


def _counted(cells: pl.Series, numbers: pl.Series, scale: int) -> pl.Series:
    limit = _LARGEST_NS // scale
    times = _without(numbers, (numbers.abs() > limit).fill_null(False)) * scale
    left = (times.is_null() & cells.is_not_null()).fill_null(False)
    if not left.any():
        return times

    def scaled(cell: object) -> int | None:
        try:
            found = int(Decimal(str(cell).strip()) * scale)
        except (InvalidOperation, ValueError, OverflowError):
            return None
        return found if abs(found) <= _LARGEST_NS else None

    return times.scatter(left.arg_true(), _each(cells.filter(left), scaled))


def _by_size(numbers: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Times where the size of a number tells its unit, and that unit."""
    frame = pl.DataFrame({"n": numbers})
    times, units = pl.lit(None, pl.Int64), pl.lit(None, pl.String)
    for name, (least, limit, scale) in UNITS.items():
        upper = min(limit, _LARGEST_NS // scale)
        inside = (pl.col("n") >= least) & (pl.col("n") < upper)
        times = pl.when(inside).then(pl.col("n") * scale).otherwise(times)
        units = pl.when(inside).then(pl.lit(name)).otherwise(units)
    found = frame.select(times.alias("t"), units.alias("u"))
    return found["t"], found["u"]


def _others(cells: pl.Series, clock: Clock) -> tuple[pl.Series, pl.Series]:
    """Cells that are no whole Unix times: dates as text, fractions of a second, nonsense."""
    text = cells if cells.dtype == pl.String else cells.cast(pl.String)
    times = _dates(text, clock)
    kinds = pl.select(pl.when(times.is_not_null()).then(pl.lit(_TEXT))).to_series()
    left = times.is_null()
    if left.any():
        rest = text.filter(left)
        times = times.scatter(left.arg_true(), _each(rest, lambda cell: _one(cell, clock.zone)))
        told = pl.Series([_kind(cell) for cell in rest], dtype=pl.String)
        kinds = _without(kinds.scatter(left.arg_true(), told), times.is_null())
    return times, kinds


def _dates(text: pl.Series, clock: Clock) -> pl.Series:
    """ISO dates and times in the form of the first one; null for all others."""
    for form in _FORMATS:
        if text.head(1).str.to_datetime(form, time_unit="ns", strict=False).is_not_null().all():
            moments = text.str.to_datetime(form, time_unit="ns", strict=False)
            zoned = isinstance(moments.dtype, pl.Datetime) and moments.dtype.time_zone is not None
            return moments.dt.epoch("ns") if zoned else _in_zone(moments, clock.zone)
    return _nothing(len(text))


def _one(cell: object, zone: tzinfo) -> int | None:
    try:
        found = to_ns(str(cell), zone)
    except ValueError:
        return None
    return found if abs(found) <= _LARGEST_NS else None


def _kind(cell: str) -> str:
    """The unit of a number with a fraction, else text."""
    try:
        number = Decimal(cell.strip())
    except InvalidOperation:
        return _TEXT
    fits = (name for name, (least, limit, _) in UNITS.items() if least <= number < limit)
    return next(fits, _TEXT) if number.is_finite() else _TEXT


def _refuse_mixture(path: Path, cells: pl.Series, rows: pl.Series, units: pl.Series) -> None:
    counts = units.drop_nulls().value_counts(sort=True)
    if counts.height < 2:
        return
    usual, other = counts[units.name][0], counts[units.name][1]
    place = int((units == other).arg_max() or 0)
    told = {name: "dates" if name == _TEXT else f"Unix time in {name}" for name in (usual, other)}
    raise ConfigError(
        f"seen: {path}, row {rows[place]}: time {cells[place]!s} ({told[other]}), where most rows "
        f"are {told[usual]}; expected: one unit; do: repair the rows, or say it with "
        "`holdfast data import FILE --unit UNIT`"
    )


def _each(cells: pl.Series, read: Callable[[object], int | None]) -> pl.Series:
    return pl.Series([read(cell) for cell in cells], dtype=pl.Int64)


def _without(values: pl.Series, mask: pl.Series) -> pl.Series:
    """`values` with null where `mask` is."""
    return pl.select(pl.when(~mask).then(values)).to_series()


def _nothing(length: int) -> pl.Series:
    return pl.repeat(None, length, dtype=pl.Int64, eager=True)
