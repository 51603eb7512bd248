"""An account's process tells its numbers: once a second, to memory that outlives it.

Not here: the numbers (counting, gauges), who serves them (teller).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from holdfast.app.live.counting import Counts
from holdfast.app.live.gauges import tell_follower, tell_leader
from holdfast.app.live.slate import Slate
from holdfast.config import Config
from holdfast.telemetry.catalogue import METRICS, node
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.runtime import Runtime

if TYPE_CHECKING:
    from holdfast.app.live.follower import Follower
    from holdfast.app.live.trader import Trader

log = get_logger("app.telling")

EVERY_S: Final = 1.0
TOLD_EVERY_S: Final = 60.0


class Telling:
    """The numbers of one account's process, for as long as it lives.

    Counters go on from where the process before it stood, so that they never fall.

    Attributes:
        counts: to be told of what happens.
        follower, trader: what gauges are set from; None while there is none.
    """

    def __init__(self, config: Config, slate: Slate) -> None:
        symbols = dict.fromkeys(symbol for bot in config.bots for symbol in bot.symbols)
        self.counts = Counts(config.account.venue.kind, symbols)
        self.follower: Follower | None = None
        self.trader: Trader | None = None
        self._slate = slate
        self._runtime = Runtime(self.counts.meter, "account", account=None)
        self._told_s = -TOLD_EVERY_S
        before = slate.read()
        restarts = self.counts.meter.counter(node.RESTARTS)
        if before is not None:
            self.counts.meter.go_on_with(before.numbers, METRICS)
        restarts.add((), 0 if before is None else 1)
        self.counts.meter.on_collect(self._look)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell meanwhile, and how it was at the end."""
        task = asyncio.create_task(self._run(), name="telling")
        try:
            yield
        finally:
            task.cancel()
            self.tell()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runtime.watch_loop())
            group.create_task(self._tell_often())

    async def _tell_often(self) -> None:
        while True:
            self.tell()
            await asyncio.sleep(EVERY_S)

    def tell(self) -> None:
        """Leave the numbers as they are now; a defect in them is told and costs nobody an order."""
        try:
            self._slate.write(self.counts.meter.collected())
        except Exception:
            if time.monotonic() - self._told_s > TOLD_EVERY_S:
                self._told_s = time.monotonic()
                log.exception("numbers not told", action="telling_failed")

    def _look(self) -> None:
        if self.follower is not None:
            tell_follower(self.counts, self.follower)
        if self.trader is not None:
            tell_leader(self.counts, self.trader)
