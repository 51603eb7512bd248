"""Strays: orders at the exchange that carry an id of ours and that no attempt stands for.

One request doubled on its way, or executed long after its end was declared. Lives here: which there
are and what is missing of each. Not here: alarming (books), ending them (desk, resolve).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from holdfast.domain.fact import Armed
from holdfast.domain.fill import Fill
from holdfast.domain.money import ZERO
from holdfast.venues.port import OrderReport


class Stray(msgspec.Struct):
    """One such order.

    Attributes:
        armed: the attempt whose client order id it carries.
        order_id: the exchange's own id, which nothing else has on this symbol.
        executed: base units that the exchange reports as filled; never falls.
        booked: base units of its fills that are in the journal.
        cancels: how many cancels of it this process armed.
    """

    armed: Armed
    order_id: str
    is_open: bool
    executed: Decimal = ZERO
    booked: Decimal = ZERO
    cancels: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether it has ended and all of it is booked."""
        return not self.is_open and self.executed <= self.booked


class Strays:
    """The strays of one account that this process has met."""

    def __init__(self) -> None:
        # Settled ones stay: a report that was overtaken must not open them again.
        self._met: dict[tuple[str, str], Stray] = {}
        self._wake: Callable[[], None] = lambda: None

    def watch(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there is something to do."""
        self._wake = wake

    def has_met(self, report: OrderReport) -> bool:
        """Whether the report is about one that is known."""
        return (report.symbol, report.order_id) in self._met

    def note(self, armed: Armed, report: OrderReport) -> None:
        """The exchange reports on a stray; its own fills are to be told afterwards, by `booked`."""
        key = (report.symbol, report.order_id)
        stray = self._met.get(key)
        if stray is None:
            stray = self._met[key] = Stray(armed, report.order_id, is_open=report.state.is_open)
        stray.is_open = stray.is_open and report.state.is_open
        stray.executed = max(stray.executed, report.executed)
        if not stray.is_settled:
            self._wake()

    def booked(self, fill: Fill) -> None:
        """An execution is in the journal; told once for each."""
        stray = self._met.get((fill.symbol, fill.venue_order_id))
        if stray is not None:
            stray.booked += fill.quantity

    def due(self) -> list[Stray]:
        """Those that are open or not wholly booked, in the order in which they were met."""
        return [stray for stray in self._met.values() if not stray.is_settled]
