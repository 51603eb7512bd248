"""How often somebody may ask: the generic cell rate algorithm, in memory.

One number per caller: when he will have paid for all that he asked for. Not here: the same for
several processes (app.web.redis_rates), who is counted as whom (api.gate).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from holdfast.api.ports import Rate

_SWEEP_EVERY: Final = 4096


class MemoryRates:
    """Of one process; forgotten when it ends.

    Args:
        clock_s: monotonic.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._paid_until_s: dict[str, float] = {}
        self._until_sweep = _SWEEP_EVERY

    async def spend(self, key: str, rate: Rate) -> float:
        """Take one; 0 when there was one, else after how many seconds there is."""
        now_s = self._clock_s()
        paid_s = max(self._paid_until_s.get(key, 0.0), now_s) + rate.period_s / rate.amount
        wait_s = paid_s - now_s - rate.period_s
        if wait_s > 1e-9:
            return wait_s
        self._paid_until_s[key] = paid_s
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            self._sweep(now_s)
        return 0.0

    def _sweep(self, now_s: float) -> None:
        """Forget who owes nothing, now and then, so that strangers do not fill the memory."""
        self._paid_until_s = {k: at_s for k, at_s in self._paid_until_s.items() if at_s > now_s}
        self._until_sweep = max(_SWEEP_EVERY, len(self._paid_until_s))
