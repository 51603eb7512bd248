"""How telling people goes, in numbers that a process of the API has.

From the database, so that they are there also when nobody tells. Not here: which numbers there are
(telemetry.catalogue).
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from holdfast.errors import PlatformError
from holdfast.operations.notify import rows
from holdfast.operations.notify.rows import Totals
from holdfast.platform.port import PlatformStore
from holdfast.telemetry.catalogue import services as metrics
from holdfast.telemetry.meter import Meter

LOOK_S: Final = 10.0


class NotifyNumbers:
    """Looked up now and then, away from the event loop that has the meter."""

    def __init__(self, store: PlatformStore, meter: Meter) -> None:
        self._store = store
        self._meter = meter
        self._found: Totals | None = None
        meter.on_collect(self._tell)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look once; while the database does not answer there are no numbers."""
        try:
            self._found = await asyncio.to_thread(
                self._store.look, lambda look: rows.totals(look, time.time_ns())
            )
        except PlatformError:
            self._found = None

    def _tell(self) -> None:
        found = self._found
        if found is None or not found.subscriptions:
            return
        meter = self._meter
        waited_s = (time.time_ns() - found.oldest_ns) / 1e9 if found.oldest_ns else 0.0
        meter.gauge(metrics.NOTIFY_SERVING).set(found.is_served)
        meter.gauge(metrics.NOTIFY_WAITING).set(found.waiting)
        meter.gauge(metrics.NOTIFY_OLDEST).set(max(0.0, waited_s))
        meter.counter(metrics.NOTIFY_SENT).rise_to(found.sent)
        meter.counter(metrics.NOTIFY_LOST).rise_to(found.lost)
