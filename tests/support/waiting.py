"""Waiting for what must happen: a condition and a long patience, never a guess at its duration.

A good run waits as long as the thing takes; only a failure costs the whole patience. So it is far
beyond what a busy machine needs. Not here: proving that something does *not* happen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# Every wait of every test may use it: a machine that is this slow is broken, not busy.
PATIENCE_S = 150.0


async def until(
    holds: Callable[[], bool],
    what: str | Callable[[], str],
    *,
    within_s: float = PATIENCE_S,
    every_s: float = 0.0,
) -> None:
    """Return when `holds`; AssertionError with `what` when it does not in time.

    Args:
        what: names the thing waited for; a callable is asked at the time of the failure.
        every_s: between two looks; 0 looks in every turn of the loop, and so before any timer that
            is started after the condition came true.
    """
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"not within {within_s} s: {told}")
        await asyncio.sleep(every_s)
