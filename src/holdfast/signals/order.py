"""Whether an entry follows the ones before: pure rules, the same for every source.

Not here: the shape of an entry (port), journaling (app).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from holdfast.domain.fact import SignalReceived
from holdfast.signals.port import Entry, SignalRefused

AHEAD_S: Final = 5.0
"""How far a source's clock may be ahead of the exchange's."""
MINUTE_S: Final = 60.0
_NS: Final = 1_000_000_000


def taken(
    signal: str, entry: Entry, heard: Sequence[SignalReceived], now_ns: int
) -> SignalReceived | None:
    """The fact that an entry becomes; None when it is known already, by its id or as a whole.

    Args:
        heard: what was received before, oldest first.
        now_ns: the exchange's time.

    Raises:
        SignalRefused: it is older than the last one, or from the future.
    """
    for one in heard:
        if entry.entry_id and one.signal_id == entry.entry_id:
            return None
    known_at_ns = now_ns if entry.known_at_ns is None else entry.known_at_ns
    if known_at_ns > now_ns + int(AHEAD_S * _NS):
        raise SignalRefused(
            422,
            f"seen: known_at {(known_at_ns - now_ns) / _NS:.1f} s from now; expected: the past, or "
            f"at most {AHEAD_S:.0f} s ahead; do: look at the source's clock",
        )
    last = heard[-1] if heard else None
    if last is not None and entry.known_at_ns is not None:
        same = (s for s in heard if s.known_at_ns == known_at_ns and s.value == entry.value)
        if any(not (s.signal_id and entry.entry_id) for s in same):
            return None
        if known_at_ns < last.known_at_ns:
            raise SignalRefused(
                409,
                f"seen: known_at {(last.known_at_ns - known_at_ns) / _NS:.3f} s before that of the "
                "last one; expected: the order in which they were known",
            )
    return SignalReceived(
        signal=signal,
        value=entry.value,
        known_at_ns=known_at_ns,
        received_ns=max(now_ns, last.received_ns) if last is not None else now_ns,
        signal_id=entry.entry_id,
    )


class Rate:
    """At most so many in any minute.

    Args:
        most_per_minute: > 0.
    """

    def __init__(self, most_per_minute: int) -> None:
        self._times_s: deque[float] = deque(maxlen=most_per_minute)

    def wait_s(self, now_s: float) -> float:
        """Seconds until there is room for one more; 0 when there is."""
        full = len(self._times_s) == self._times_s.maxlen
        return max(0.0, self._times_s[0] + MINUTE_S - now_s) if full else 0.0

    def add(self, now_s: float) -> None:
        """One was taken."""
        self._times_s.append(now_s)
