"""Proof that a store writes, without which no account is given away for what does not answer.

Where a disk takes nothing for a while, commits wait for it, whoever leads. What waits with what is
asked here is answered with it, and has a moment to say so. Not here: who is cut off, and what
becomes of it (keeper).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet

from holdfast.cluster.timing import Timing


class Proof:
    """For how long the store has been known to write, of each account that is cut off.

    One question at a time, in a task of its own. It takes as long as the disk does, and nothing
    waits for it: a disk that is slow has written all the same, and one that hangs is asked once.

    Args:
        sync: `LeaseStore.sync`.
        now_ns: the keeper's clock.
        on_end: told when a question has been answered.
    """

    def __init__(
        self,
        sync: Callable[[], Awaitable[None]],
        timing: Timing,
        now_ns: Callable[[], int],
        on_end: Callable[[], None],
    ) -> None:
        self._sync = sync
        self._now_ns = now_ns
        self._on_end = on_end
        self._again_ns = round(timing.ttl_s * 1e9) // 2
        # A commit that comes back is told at once. One that fails is told by the next look of who
        # watches the journal, an eighth of a lease later at most, and then the keeper has to look.
        self._moment_ns = round((timing.ttl_s / 8 + timing.poll_s) * 1e9)
        self._since_ns: dict[str, int] = {}
        self._asked_for: AbstractSet[str] = frozenset()  # cut off since before it was asked
        self._asking: asyncio.Task[None] | None = None
        self._ask_at_ns = 0  # not sooner: who writes nothing is not asked at each look
        self._looked_ns = 0

    def look(self, cut_off: AbstractSet[str], *, asks: bool) -> None:
        """Take note of who is cut off now and what was answered; ask when there is reason to.

        Args:
            asks: whether there is anybody to give an account to.

        Raises:
            PlatformError: what the question that has ended came to; it is asked again.
        """
        now_ns = self._now_ns()
        # Who stood still has not looked, and who was to say so may have stood still as well.
        late_ns = max(0, now_ns - self._looked_ns - self._moment_ns // 2)
        self._looked_ns = now_ns
        self._since_ns = {
            account: since_ns + late_ns
            for account, since_ns in self._since_ns.items()
            if account in cut_off
        }
        self._asked_for &= cut_off
        if self._asking is not None and self._asking.done():
            asking, self._asking = self._asking, None
            asking.result()
            for account in self._asked_for:
                self._since_ns.setdefault(account, now_ns)
        is_time = self._asking is None and now_ns >= self._ask_at_ns
        if asks and is_time and not cut_off <= self._since_ns.keys():
            self._ask_at_ns = now_ns + self._again_ns
            self._asked_for = frozenset(cut_off)
            self._asking = asyncio.create_task(self._ask())

    def holds(self, account: str) -> bool:
        """Whether what waited for the disk has had its moment, and the account is still cut off."""
        since_ns = self._since_ns.get(account)
        return since_ns is not None and self._now_ns() - since_ns >= self._moment_ns

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _ask(self) -> None:
        try:
            await self._sync()
        finally:
            self._on_end()
