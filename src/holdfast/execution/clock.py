"""The exchange's clock, as an interval that surely holds its present time.

Lives here: bounds from the last sample and the local monotonic clock, and the window that attempts
are signed with. The wall clock is never asked. Not here: taking samples (the account's upkeep).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from holdfast.errors import RetryableError
from holdfast.venues.port import TimeSample

MAX_AGE_S = 30.0
DRIFT = 0.0005  # two quartz clocks differ by less; 30 s of age then cost 15 ms
WORST_DRIFT = 0.01  # as of leases: a virtual machine's clock may be that wrong for a while
SHORTEST_WINDOW_MS = 500
LONGEST_WINDOW_MS = 2000
_NS_PER_MS = 1_000_000


class ExchangeClock:
    """Bounds of the exchange's time.

    Args:
        mono_ns: local monotonic clock, nanoseconds.
    """

    def __init__(self, mono_ns: Callable[[], int]) -> None:
        self._mono_ns = mono_ns
        self._sample: TimeSample | None = None
        self._round_trips_ms: deque[float] = deque(maxlen=1000)

    def take(self, sample: TimeSample) -> None:
        """Use `sample` from now on, unless the one in use still tells the time more closely.

        A reply that was slow would make orders look older than they are. A sample that contradicts
        the one in use replaces it: the exchange's clock was set.
        """
        self._round_trips_ms.append((sample.received_ns - sample.sent_ns) / _NS_PER_MS)
        if self._sample is None or self.age_s > MAX_AGE_S / 2:
            self._sample = sample
            return
        earliest, latest = self.earliest_ms(), self.latest_ms()
        known, self._sample = self._sample, sample
        agree = self.earliest_ms() <= latest and earliest <= self.latest_ms()
        if agree and latest - earliest < self.latest_ms() - self.earliest_ms():
            self._sample = known

    @property
    def sample_ms(self) -> int:
        """What the exchange said in the sample in use; 0 before the first."""
        return self._sample.server_ms if self._sample is not None else 0

    @property
    def age_s(self) -> float:
        """Seconds since the sample in use was received; infinite before the first."""
        if self._sample is None:
            return float("inf")
        return (self._mono_ns() - self._sample.received_ns) / 1e9

    @property
    def is_usable(self) -> bool:
        """Whether the sample is young enough to sign an order with."""
        return self.age_s <= MAX_AGE_S

    def earliest_ms(self) -> int:
        """The exchange's clock shows at least this now.

        Raises:
            RetryableError: no sample was taken yet.
        """
        return self._at_least_ms(DRIFT)

    def surely_ms(self) -> int:
        """The same, whatever the local clock is worth; for what is concluded from time alone.

        Not for signing: what it is behind by would be taken off an order's window.

        Raises:
            RetryableError: no sample was taken yet.
        """
        return self._at_least_ms(WORST_DRIFT)

    def latest_ms(self) -> int:
        """The exchange's clock shows at most this now.

        Raises:
            RetryableError: no sample was taken yet.
        """
        sample = self._known()
        since_ms = (self._mono_ns() - sample.sent_ns) / _NS_PER_MS
        return sample.server_ms + 1 + int(since_ms * (1 + DRIFT))

    def off_ms(self, at_ms: float) -> float:
        """How far a clock that shows `at_ms` now is surely off; ahead is positive.

        What the round trip leaves open is left out, so a slow answer makes no clock look wrong.

        Raises:
            RetryableError: no sample was taken yet.
        """
        return at_ms - min(max(at_ms, self.earliest_ms()), self.latest_ms())

    def window_ms(self) -> int:
        """How long an attempt's signature lives: four times the slowest round trip, bounded."""
        slowest = max(self._round_trips_ms, default=0.0)
        return int(min(max(4 * slowest, SHORTEST_WINDOW_MS), LONGEST_WINDOW_MS))

    def _at_least_ms(self, drift: float) -> int:
        sample = self._known()
        since_ms = (self._mono_ns() - sample.received_ns) / _NS_PER_MS
        return sample.server_ms + int(since_ms * (1 - drift))

    def _known(self) -> TimeSample:
        if self._sample is None:
            raise RetryableError("seen: no sample of the exchange's clock; expected: one; wait")
        return self._sample
