"""The times of a lease, and the inequalities without which they would not be safe.

Not here: what is done by them (election, keeper).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

DRIFT: Final = 0.01
"""How much faster than the holder's a watcher's clock may run; both are monotonic."""


SHORTEST_TTL_S: Final = 0.8
"""Half of it is how long a journal's server lets a frozen session hold a lock."""

LONGEST_TTL_S: Final = 3600.0
"""Nobody trades for so long after a leader died; more would be a slip of the pen."""


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times of one profile, in seconds.

    Attributes:
        renew_s: between two renewals of a member.
        ttl_s: a member that has not renewed for so long has lost what it leads.
        poll_s: between two looks at the others.
        call_s: how long one call of the store may take before it has failed.
    """

    renew_s: float
    ttl_s: float
    poll_s: float = 0.05
    call_s: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            # Every comparison with nan is false: the inequalities below would let it through.
            if not math.isfinite(value):
                raise ValueError(f"`{name}` is {value:g}, expected a number of seconds")
        if min(self.renew_s, self.ttl_s, self.poll_s, self.call_s) <= 0:
            raise ValueError("a time is not positive; expected seconds above zero")
        if self.ttl_s < SHORTEST_TTL_S:
            raise ValueError(
                f"`ttl_s` is {self.ttl_s:g}, expected at least {SHORTEST_TTL_S:g}: who freezes may "
                "hold a lock of the journal's server for half of it"
            )
        if self.ttl_s > LONGEST_TTL_S:
            raise ValueError(
                f"`ttl_s` is {self.ttl_s:g}, expected at most {LONGEST_TTL_S:g}: nobody trades for "
                "so long after a leader died"
            )
        # A renewal that fails once must be repeated in time, or every hiccup is a failover.
        if self.renew_s + 2 * self.call_s > self.lease_s:
            raise ValueError(
                f"`renew_s` {self.renew_s:g} and two calls of {self.call_s:g} s do not fit into a "
                f"lease of {self.lease_s:g} s (`ttl_s` less {DRIFT:.0%}), expected that they do: "
                "one renewal may fail"
            )
        if self.poll_s > self.renew_s:
            raise ValueError(
                f"`poll_s` {self.poll_s:g} is more than `renew_s` {self.renew_s:g}, expected at "
                "most that: a watcher must see the renewals"
            )

    @property
    def lease_s(self) -> float:
        """How long a leader goes on after it *sent* its last good renewal: less than `ttl_s`."""
        return self.ttl_s * (1 - DRIFT)

    @property
    def hint_s(self) -> float:
        """How long renewals must stand still before a lost session counts as an end."""
        return 2 * self.renew_s


PROFILES: Final = {
    "standard": Timing(renew_s=1.0, ttl_s=4.0, call_s=1.0),
    "fast": Timing(renew_s=0.15, ttl_s=0.8, call_s=0.3),
}
