"""The exchange's clock, as last read and carried on by the local monotonic one.

Not here: asking for it (client), or fixing deadlines by it (execution).
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.venues.port import TimeSample

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


class ServerClock:
    """An estimate of the exchange's time; before the first sample it is only good for windows."""

    def __init__(self, mono_ns: Callable[[], int], wall_ns: Callable[[], int]) -> None:
        self.mono_ns = mono_ns
        self._offset_ns = wall_ns() - mono_ns()
        self._sampled_ns: int | None = None

    def note(self, sample: TimeSample) -> None:
        """Take over a sample; the question is taken to be answered half-way."""
        middle_ns = (sample.sent_ns + sample.received_ns) // 2
        self._offset_ns = sample.server_ms * _NS_PER_MS - middle_ns
        self._sampled_ns = sample.received_ns

    def now_ms(self) -> int:
        """The exchange's time, estimated."""
        return (self.mono_ns() + self._offset_ns) // _NS_PER_MS

    def is_fresh(self, max_age_s: float) -> bool:
        """Whether there is a sample that is not older than this."""
        if self._sampled_ns is None:
            return False
        return self.mono_ns() - self._sampled_ns <= max_age_s * _NS_PER_S

    def forget(self) -> None:
        """The exchange disagreed with our idea of its time: ask again before the next use."""
        self._sampled_ns = None
