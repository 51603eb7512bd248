"""Room in the rate budget for what is armed together, so that none of it is armed and not sent.

Lives here: which orders of an arming there is room for, and whether what is taken back could be
replaced. Not here: who may arm at all (desk), the budget itself (venues.budget).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.domain.action import Approved, Arm
from holdfast.venues.port import Purpose, Venue

IN_STEAD_S: Final = 3.0  # after so long the engine asks for a cancel again
LOOK_S: Final = 0.25


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


async def room_in_stead(venue: Venue, count: Callable[[], int], idle: Callable[[], str]) -> str:
    """Why nothing can be placed in the stead of protective orders; empty when it can.

    A cancel has room where no order has any, and would leave the position bare for as long. Room is
    waited for a moment only: the engine asks again for as long as it wants them away.

    Args:
        count: how many are to be placed; of more than ever fit at once, as many as do.
        idle: why nothing at all may be armed; empty when orders may.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + IN_STEAD_S
    while not (why := idle()):
        fitting = _at_once(venue, Purpose.REDUCE, [1] * count())
        wait_s = venue.delay_s(Purpose.REDUCE, fitting)
        left_s = until_s - loop.time()
        if wait_s <= 0:
            break
        if left_s <= 0:
            return f"no order may be placed for {wait_s:.1f} s"
        await asyncio.sleep(min(wait_s, left_s, LOOK_S))
    return why


def _at_once(venue: Venue, purpose: Purpose, sizes: list[int]) -> int:
    """How many of the orders, from the first on, may ever go together."""
    count = len(sizes)
    while count > 1 and venue.delay_s(purpose, sum(sizes[:count])) == math.inf:
        count //= 2
    return count


def _fitting(
    venue: Venue, orders: tuple[Approved, ...], purpose: Purpose, beside: int
) -> tuple[tuple[Approved, ...], str]:
    """All orders when there is room for all, else none.

    When so many never fit at once they go in parts: the engine hands the rest out again.
    """
    sizes = [len(approved.order.specs) for approved in orders]
    count = _at_once(venue, purpose, sizes)
    wait_s = venue.delay_s(purpose, sum(sizes[:count]) + beside)
    if wait_s > 0:
        return (), f"the rate budget is used up for {wait_s:.1f} s"
    if count < len(orders):
        why = f"the rate budget never has room for {len(orders)} orders at once"
        return orders[:count], why
    return orders, ""
