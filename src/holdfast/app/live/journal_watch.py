"""A leader's watch over its journal: nothing can be armed while no commit comes about.

Lives here: when a journal counts as stuck. Not here: who leads the account then (cluster.keeper).
"""

from __future__ import annotations

import asyncio
import time

from holdfast.app.live.follower import Follower
from holdfast.journal.writer import JournalWriter
from holdfast.telemetry.log import get_logger

log = get_logger("app.trader")

LOOKS = 4  # at what does not come about, before it counts as stuck: a quarter later at most


class JournalWatch:
    """Tells the follower, and so the keeper, of a journal that does not answer, or refuses all.

    It counts as stuck when for half a lease no commit came about, but only time counts in which
    this process looked: what a process that stood still did not see proves nothing, of its exchange
    neither.
    """

    def __init__(self, follower: Follower, writer: JournalWriter) -> None:
        self._follower = follower
        self._writer = writer
        self._patience_s = follower.config.cluster.timing.ttl_s / 2

    async def run(self) -> None:
        """Look until cancelled; the lease may be renewed all the while."""
        pause_s = self._patience_s / LOOKS
        looked_s, stood_s, fails_s = time.monotonic(), 0.0, 0.0
        while True:
            await asyncio.sleep(pause_s)
            looked_s, passed_s = time.monotonic(), time.monotonic() - looked_s
            late_s = max(0.0, passed_s - 2 * pause_s)
            self._follower.answered_s = min(looked_s, self._follower.answered_s + late_s)
            failed_s, fails_s = fails_s, self._writer.fails_s
            is_the_same = fails_s > passed_s or fails_s >= failed_s > 0.0
            stood_s = late_s + (stood_s if is_the_same else 0.0)
            self._tell(is_stuck=fails_s - stood_s > self._patience_s)

    def answers(self) -> None:
        """A commit came about: others learn it at once, before they take the account."""
        self._tell(is_stuck=False)

    def _tell(self, *, is_stuck: bool) -> None:
        if is_stuck is self._follower.is_stuck:
            return
        log.warning("journal", action="journal_stuck" if is_stuck else "journal_answers")
        self._follower.is_stuck = is_stuck
        self._follower.tell_reach()
