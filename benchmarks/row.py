"""One measured number and what it must reach.

Not here: how it is measured (one module per subject, listed in `__main__`).
"""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the benchmark's table.

    Attributes:
        what: the subject, in a reader's words.
        unit: of both numbers.
        measured: this run's number.
        at_most, at_least: the target; both None for a number that is only reported.
    """

    what: str
    unit: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def target(self) -> str:
        """The target as text."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else "-"

    @property
    def reached(self) -> bool:
        """Whether the target is met; true where there is none."""
        return (self.at_most is None or self.measured <= self.at_most) and (
            self.at_least is None or self.measured >= self.at_least
        )
