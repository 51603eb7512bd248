"""Room in the rate budget for what is armed together, so that none of it is armed and not sent.

Lives here: which orders of an arming there is room for. Not here: who may arm at all (desk), the
budget itself (venues.budget).
"""

from __future__ import annotations

import math

import msgspec

from holdfast.domain.action import Approved, Arm
from holdfast.venues.port import Purpose, Venue


def exits_first(action: Arm) -> Arm:
    """The same arming, with what reduces before all that adds: it goes when the rest may not."""
    orders = tuple(sorted(action.orders, key=lambda approved: not approved.order.reduces))
    return action if orders == action.orders else msgspec.structs.replace(action, orders=orders)


def affordable(
    venue: Venue, orders: tuple[Approved, ...], beside: int
) -> tuple[tuple[Approved, ...], str]:
    """The orders that there is room for, from the first on, and why there is none for the others.

    What reduces has room that what adds may not use: of an arming that does not fit as a whole it
    goes alone.

    Args:
        orders: what reduces comes before what adds.
        beside: orders that were given room and have not used it yet.
    """
    exits = tuple(approved for approved in orders if approved.order.reduces)
    if len(exits) == len(orders):
        return _fitting(venue, orders, Purpose.REDUCE, beside)
    fitting, why = _fitting(venue, orders, Purpose.ENTER, beside)
    if exits and not fitting:
        fitting, _ = _fitting(venue, exits, Purpose.REDUCE, beside)
    return fitting, why


def _fitting(
    venue: Venue, orders: tuple[Approved, ...], purpose: Purpose, beside: int
) -> tuple[tuple[Approved, ...], str]:
    """All orders when there is room for all, else none.

    When so many never fit at once they go in parts: the engine hands the rest out again.
    """
    sizes = [len(approved.order.specs) for approved in orders]
    count = len(sizes)
    while count > 1 and venue.delay_s(purpose, sum(sizes[:count])) == math.inf:
        count //= 2
    wait_s = venue.delay_s(purpose, sum(sizes[:count]) + beside)
    if wait_s > 0:
        return (), f"the rate budget is used up for {wait_s:.1f} s"
    if count < len(orders):
        why = f"the rate budget never has room for {len(orders)} orders at once"
        return orders[:count], why
    return orders, ""
