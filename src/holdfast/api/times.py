"""Moments of the journal as moments of the wire.

Not here: parsing what callers send (routes.params).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of(at_ns: int) -> datetime:
    """A moment from UTC nanoseconds, to the microsecond."""
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def moment_or_none(at_ns: int | None) -> datetime | None:
    """The same, of what may not have been; 0 is never."""
    return moment_of(at_ns) if at_ns else None
