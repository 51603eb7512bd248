"""What moves the local market: house orders as a stream of small frozen events.

Lives here: the events that a market (synthetic, or a recording) yields and the exchange applies.
Not here: how they are made (`synthetic`, `replay`) or matched (`matching`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import Side


class Place(msgspec.Struct, frozen=True):
    """A house order.

    Attributes:
        at_ns: market time, UTC nanoseconds; never before the previous event's.
        symbol: unified, `BASE/QUOTE`.
        side: the order's side.
        price: the limit; None takes at market.
        quantity: base units, on the instrument's step.
        key: unique handle to remove it by; 0 for an order that must not rest (IOC).
    """

    at_ns: int
    symbol: str
    side: Side
    price: Decimal | None
    quantity: Decimal
    key: int = 0


class Remove(msgspec.Struct, frozen=True):
    """Take the house order `key` from the book; nothing happens when it has gone."""

    at_ns: int
    symbol: str
    key: int


FlowEvent = Place | Remove


class Flow(Protocol):
    """A market to trade in."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets offered, in the order shown to clients."""
        ...

    def events(self) -> Iterator[FlowEvent]:
        """All events in time order; endless when synthetic, finite for a recording."""
        ...
