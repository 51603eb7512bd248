"""Waiting for an exchange's limits where a person waits too: short waits are told, long ones not
begun.

Not here: waits of a node, which has time (desk), and what is kept of bans (app).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from holdfast.venues.port import ThrottledError

LONGEST_S: Final = 65.0  # limits are counted by the minute; what takes longer is a ban, or a day's
_TOLD_S: Final = 1.0


async def stand_by(left_s: Callable[[], float], tell: Callable[[str], None]) -> None:
    """Return when a request may go.

    Args:
        left_s: for how many seconds none may; 0 when it may.
        tell: told of each wait that a person would notice.

    Raises:
        ThrottledError: that takes too long to wait here.
    """
    while (wait_s := left_s()) > 0:
        if wait_s > LONGEST_S:
            raise away(wait_s)
        if wait_s >= _TOLD_S:
            tell(f"waits {math.ceil(wait_s)} s: the exchange takes nothing from this address yet")
        await asyncio.sleep(wait_s)


def away(wait_s: float, more: str = "") -> ThrottledError:
    """What a person can do while nothing may be asked.

    Args:
        more: that can be done besides.
    """
    return ThrottledError(
        f"seen: the exchange takes nothing from this address for another {_span(wait_s)} (a ban, "
        "or a limit that is used up); expected: requests taken; do: if it cannot wait, cancel and "
        "sell at the exchange's own page or app, or, unless sales have left here, from a host with "
        "another address; otherwise give this again here when it is over, not before: each request "
        f"makes a ban longer{more}"
    )


def _span(wait_s: float) -> str:
    if math.isinf(wait_s):
        return "time without an end"
    if wait_s < 120:
        return f"{math.ceil(wait_s)} s"
    hours, minutes = divmod(math.ceil(wait_s / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
