"""A leader's watch over its owner lock, by which others see that the account is led.

Not here: the lock (journal), and what keeps a second writer from harm, which is the epoch.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final

from holdfast.errors import FencedError, PlatformError
from holdfast.journal.database import Owner
from holdfast.telemetry.log import get_logger

log = get_logger("app.trader")

LOOK_S: Final = 1.0
LOOKS: Final = 3  # at another's lock before it counts: who only asks has it for a moment
TOLD_EVERY_S: Final = 10.0


async def hold(owner: Owner, look_s: float = LOOK_S) -> None:
    """Keep the lock until cancelled: a server that restarts ends the session that it hangs on.

    Raises:
        FencedError: another process has it, and keeps it.
    """
    refused, told_s = 0, -math.inf
    while True:
        await asyncio.sleep(look_s)
        try:
            await asyncio.to_thread(owner.hold)
        except FencedError:
            refused += 1
            if refused >= LOOKS:
                raise
        except PlatformError as error:  # whoever has it cannot be told
            if time.monotonic() - told_s > TOLD_EVERY_S:
                told_s = time.monotonic()
                log.warning("lock not held", action="owner_wait", why=str(error))
        else:
            refused = 0
