"""How often something happened lately.

Not here: what may happen how often (domain.limits).
"""

from __future__ import annotations

from collections import deque
from typing import Final

NS_PER_MINUTE: Final = 60_000_000_000


class RateMeter:
    """Counts events of the last `window_ns`; each is kept until it is older, so both are O(1)."""

    __slots__ = ("_times", "window_ns")

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self._times: deque[int] = deque()

    def add(self, at_ns: int) -> None:
        """One more, not before the last one."""
        times = self._times
        times.append(at_ns)
        if times[0] <= at_ns - self.window_ns:
            self.count(at_ns)

    def count(self, now_ns: int) -> int:
        """How many happened in the window that ends now."""
        times = self._times
        oldest = now_ns - self.window_ns
        while times and times[0] <= oldest:
            times.popleft()
        return len(times)

    def clear(self) -> None:
        """None has happened."""
        self._times.clear()
