"""Times as recorders write them, to UTC nanoseconds: Unix s, ms, µs, ns, and ISO or compact dates.

Not here: which column holds the time (`columns`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

# A Unix time tells its unit by its size: each range holds the years 1973 to 5138 in one unit, and
# nothing of the others.
_UNITS = (
    (10**8, 10**11, 10**9),  # seconds
    (10**11, 10**14, 10**6),  # milliseconds
    (10**14, 10**17, 10**3),  # microseconds
    (10**17, 10**20, 1),  # nanoseconds
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_ns(cell: str | int) -> int:
    """The time in `cell` as UTC nanoseconds; text without a zone is UTC.

    Raises:
        ValueError: it is no time, or a number too small to tell its unit.
    """
    text = str(cell).strip()
    compact = _COMPACT.fullmatch(text)
    if compact is not None and _is_date(compact):
        year, month, day, hour, minute, second = (int(part or 0) for part in compact.groups())
        return _from_datetime(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _from_text(text)
    if number.is_finite():
        for least, limit, scale in _UNITS:
            if least <= number < limit:
                return int(number * scale)
    raise ValueError(
        f"seen: time {text!r}; expected: a Unix time in s, ms, µs or ns since 1973, or an ISO date"
    )


def _is_date(compact: re.Match[str]) -> bool:
    """Whether eight digits are a date: as a Unix time in seconds they would lie in 1970."""
    year, month, day = int(compact[1]), int(compact[2]), int(compact[3])
    return year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31


def _from_text(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"seen: time {text!r}; expected: a Unix time or an ISO date, 2024-08-08T23:55:00Z"
        ) from error
    return _from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _from_datetime(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000
