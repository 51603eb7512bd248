"""Orders that hang together: one cancels the other (OCO), one triggers the other (OTO), or both.

Lives here: the request and what the exchange knows of a list. Not here: what one order does to the
others (`contingency`), or how a list looks on the wire (`payloads`).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from holdfast.exchange.orders import Ticket


class Contingency(StrEnum):
    """How the orders of a list depend on each other; a pair behind a working order is OTO too."""

    OCO = "OCO"
    OTO = "OTO"


class ListStatus(StrEnum):
    """Whether a list is at work: the exchange's `listOrderStatus`."""

    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"


class ListTicket(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a list, parsed and nothing more.

    Attributes:
        symbol: unified, `BASE/QUOTE`.
        client_list_id: the caller's name for the list, never empty.
        working: the order that goes to market first; None when the pair does.
        others: the pair, stop loss first, or what `working` brings to market: an order or a pair.
    """

    symbol: str
    client_list_id: str
    working: Ticket | None
    others: tuple[Ticket, ...]

    @property
    def contingency(self) -> Contingency:
        """What the exchange calls it."""
        return Contingency.OCO if self.working is None else Contingency.OTO

    @property
    def orders(self) -> tuple[Ticket, ...]:
        """All of them in the order of their ids."""
        return self.others if self.working is None else (self.working, *self.others)


class Leg(msgspec.Struct, frozen=True):
    """One order of a list, by its names."""

    order_id: int
    client_order_id: str


class OrderList(msgspec.Struct, kw_only=True):
    """A list that the exchange has accepted; only the matching engine changes it.

    Attributes:
        list_id: counts over all symbols from 0.
        legs: working order first, then the stop loss of a pair, then its other order.
        status: ALL_DONE as soon as no order in it waits for another any more, even while the
            last one is open: that one is an order like any other then.
        updated_ns: of the last change of the list itself.
    """

    list_id: int
    symbol: str
    contingency: Contingency
    client_list_id: str
    legs: tuple[Leg, ...]
    created_ns: int
    updated_ns: int
    status: ListStatus = ListStatus.EXECUTING

    @property
    def is_executing(self) -> bool:
        """Whether its orders still depend on each other."""
        return self.status is ListStatus.EXECUTING

    @property
    def working_id(self) -> int | None:
        """The order that the others wait for, or waited for; None in an OCO."""
        return self.legs[0].order_id if self.contingency is Contingency.OTO else None

    @property
    def pair_ids(self) -> tuple[int, ...]:
        """The two orders that share one quantity; empty without such."""
        legs = self.legs if self.contingency is Contingency.OCO else self.legs[1:]
        return tuple(leg.order_id for leg in legs) if len(legs) == 2 else ()
