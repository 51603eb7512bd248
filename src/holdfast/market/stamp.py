"""Times as recorders write them, to UTC nanoseconds: Unix s, ms, µs, ns, and ISO or compact dates.

Not here: which column holds the time (`columns`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.errors import ConfigError

# A Unix time tells its unit by its size: each range holds the years 1973 to 5138 in one unit, and
# nothing of the others.
UNITS = {
    "s": (10**8, 10**11, 10**9),
    "ms": (10**11, 10**14, 10**6),
    "us": (10**14, 10**17, 10**3),
    "ns": (10**17, 10**20, 1),
}
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_ns(cell: str | int, zone: tzinfo = UTC) -> int:
    """The time in `cell` as UTC nanoseconds.

    Args:
        zone: of dates and times that name none.

    Raises:
        ValueError: it is no time, a number too small to tell its unit, or a time that the zone's
            clocks skip or show twice.
    """
    text = str(cell).strip()
    compact = _COMPACT.fullmatch(text)
    if compact is not None and _is_date(compact):
        year, month, day, hour, minute, second = (int(part or 0) for part in compact.groups())
        return _placed(datetime(year, month, day, hour, minute, second), zone)  # noqa: DTZ001
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _from_text(text, zone)
    if number.is_finite():
        for least, limit, scale in UNITS.values():
            if least <= number < limit:
                return int(number * scale)
    raise ValueError(
        f"seen: time {text!r}; expected: a Unix time in s, ms, µs or ns since 1973, or an ISO date"
    )


def instant_ns(moment: str | int | date) -> int:
    """A moment that a person named, as UTC nanoseconds; a day is its midnight.

    Args:
        moment: what `to_ns` reads, or a date or time of Python's; without a zone it is UTC.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(moment, datetime):
        return _from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if isinstance(moment, date):
        return _from_datetime(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))
    try:
        return to_ns(moment)
    except ValueError as error:
        raise ConfigError(f"{error}; do: write it as 2024-08-08 or 2024-08-08T23:55") from error


def iso(at_ns: int) -> str:
    """`2024-08-08T23:55:00Z`, with a fraction where there is one; below a microsecond is cut."""
    return (_EPOCH + at_ns // 1000 * _MICROSECOND).isoformat().replace("+00:00", "Z")


def _is_date(compact: re.Match[str]) -> bool:
    """Whether eight digits are a date: as a Unix time in seconds they would lie in 1970."""
    year, month, day = int(compact[1]), int(compact[2]), int(compact[3])
    return year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31


def zone_called(name: str) -> tzinfo:
    """The time zone of that name, `Europe/Berlin`.

    Raises:
        ConfigError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"seen: time zone {name!r}; expected: a name such as UTC or Europe/Berlin; "
            "do: correct it, or install the zones (pip install tzdata)"
        ) from error


def _from_text(text: str, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"seen: time {text!r}; expected: a Unix time or an ISO date, 2024-08-08T23:55:00Z"
        ) from error
    return _from_datetime(moment) if moment.tzinfo else _placed(moment, zone)


def _placed(moment: datetime, zone: tzinfo) -> int:
    """A time of day in a zone; what its clocks skip or show twice is refused, not guessed."""
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise ValueError(
            f"seen: time {moment.isoformat(' ')}, which {zone} shows twice or never; "
            "expected: a time with its offset, or UTC"
        )
    return _from_datetime(early)


def _from_datetime(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000
