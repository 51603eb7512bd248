"""A leader's watch over its journal: nothing can be armed while a commit does not come back.

Lives here: when a commit counts as stuck. Not here: who leads the account then (cluster.keeper).
"""

from __future__ import annotations

import asyncio
import time

from holdfast.app.live.follower import Follower
from holdfast.journal.writer import JournalWriter
from holdfast.telemetry.log import get_logger

log = get_logger("app.trader")

LOOKS = 4  # at a commit under way, before it counts as stuck: a quarter later at most


class JournalWatch:
    """Tells the follower, and so the keeper, of a journal that does not answer.

    A commit counts as stuck after half a lease, but only time counts in which this process looked:
    what a process that stood still did not see proves nothing, of its exchange neither.
    """

    def __init__(self, follower: Follower, writer: JournalWriter) -> None:
        self._follower = follower
        self._writer = writer
        self._patience_s = follower.config.cluster.timing.ttl_s / 2

    async def run(self) -> None:
        """Look until cancelled; the lease may be renewed all the while."""
        pause_s = self._patience_s / LOOKS
        looked_s, stood_s = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(pause_s)
            looked_s, passed_s = time.monotonic(), time.monotonic() - looked_s
            late_s = max(0.0, passed_s - 2 * pause_s)
            self._follower.answered_s = min(looked_s, self._follower.answered_s + late_s)
            waits_s = self._writer.waits_s
            stood_s = late_s + (stood_s if waits_s > passed_s else 0.0)
            self._tell(is_stuck=waits_s - stood_s > self._patience_s)

    def answers(self) -> None:
        """A commit came back: others learn it at once, before they take the account."""
        self._tell(is_stuck=False)

    def _tell(self, *, is_stuck: bool) -> None:
        if is_stuck is self._follower.is_stuck:
            return
        log.warning("journal", action="journal_stuck" if is_stuck else "journal_answers")
        self._follower.is_stuck = is_stuck
        self._follower.tell_reach()
