"""Months in UTC: what the tables of reports are partitioned by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at_ns: int) -> datetime:
    """UTC nanoseconds as databases keep them: microseconds, the rest is cut off."""
    return EPOCH + timedelta(microseconds=at_ns // 1000)


def nanoseconds(at: datetime) -> int:
    """The other way round, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1) * 1000


class Month(NamedTuple):
    """A calendar month; they sort by time."""

    year: int
    number: int

    @classmethod
    def of(cls, at_ns: int) -> Month:
        """The month of a moment, UTC nanoseconds."""
        at = moment(at_ns)
        return cls(at.year, at.month)

    def plus(self, months: int) -> Month:
        """So many months later; earlier when negative."""
        years, number = divmod(self.number - 1 + months, 12)
        return Month(self.year + years, number + 1)

    @property
    def begin(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"
