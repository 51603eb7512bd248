"""The rate budget: how much of an exchange's limits may still be used, and by whom.

Lives here: fixed windows of weight, orders and requests, with a reserve for what ends exposure. A
pure value: both clocks are passed in. Not here: sleeping, or what a request weighs (the venue).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.venues.port import Purpose


class LimitKind(StrEnum):
    """What a limit counts."""

    WEIGHT = "weight"
    ORDERS = "orders"
    REQUESTS = "requests"


class RateLimit(msgspec.Struct, frozen=True):
    """At most `limit` of `kind` per window; windows are aligned to the exchange's clock."""

    kind: LimitKind
    interval_ms: int
    limit: int


class Cost(msgspec.Struct, frozen=True):
    """What a request uses up, or several together."""

    weight: int = 1
    orders: int = 0
    requests: int = 1

    def of(self, kind: LimitKind) -> int:
        """The part that counts against limits of this kind."""
        if kind is LimitKind.WEIGHT:
            return self.weight
        return self.orders if kind is LimitKind.ORDERS else self.requests

    def times(self, count: int) -> Cost:
        """What so many of these requests use up."""
        return Cost(self.weight * count, self.orders * count, self.requests * count)


# Up to which part of a limit each purpose may go. What is above a purpose's line stays for those
# further down: adding exposure stops first, cancels stop last. Questions stop before exits: they
# weigh more and are asked again and again, and what a cancel took back must be replaced. The one
# for the exchange's time goes with the cancels: without its answer exits would stop as well.
CEILING: Final[dict[Purpose, float]] = {
    Purpose.READ: 0.60,
    Purpose.ENTER: 0.75,
    Purpose.RESOLVE: 0.85,
    Purpose.REDUCE: 0.95,
    Purpose.CANCEL: 1.00,
}

# How far our idea of the exchange's clock may be off. A request this close to the border of two
# windows counts in both.
_BORDER_MS: Final = 250


# No order arrives later than this after it was sent: the longest deadline that exchanges accept,
# and how long the slowest of them works on it.
_LOST_MS: Final = 75_000


class Flight(msgspec.Struct, frozen=True, gc=False):
    """A request that has left, with an order, several or none.

    Attributes:
        number: of the last of its orders, among all orders that ever left.
        beside: how many others were under way when it left.
        sent_ms: the exchange's clock then.
        count: how many orders it has.
    """

    number: int
    beside: int
    sent_ms: int
    count: int = 1


class _Traffic:
    """Orders under way: a count in a reply need not include those that flew beside it."""

    def __init__(self) -> None:
        self._sent = 0
        self._open: dict[int, int] = {}  # number: when it left

    def leave(self, server_ms: int, count: int) -> Flight:
        while self._open:
            oldest = next(iter(self._open))
            if server_ms - self._open[oldest] <= _LOST_MS:
                break
            del self._open[oldest]
        flight = Flight(self._sent + count, len(self._open), server_ms, count)
        for _ in range(count):
            self._sent += 1
            self._open[self._sent] = server_ms
        return flight

    def land(self, flight: Flight) -> int:
        """How many orders its reply may not have counted."""
        for back in range(flight.count):
            self._open.pop(flight.number - back, None)
        return flight.beside + self._sent - flight.number


class _Window:
    """One limit with its uses, by the number of the window since the exchange's epoch."""

    def __init__(self, limit: RateLimit, share: float) -> None:
        self.limit = limit
        self._of_others = int(limit.limit * (1 - share))
        self._ceilings = {
            purpose: int(limit.limit * share * part) for purpose, part in CEILING.items()
        }
        self._used: dict[int, int] = {}

    def numbers(self, server_ms: int) -> tuple[int, ...]:
        """The windows that a request sent now may fall into."""
        first = (server_ms - _BORDER_MS) // self.limit.interval_ms
        last = (server_ms + _BORDER_MS) // self.limit.interval_ms
        return (first,) if first == last else (first, last)

    def wait_ms(self, purpose: Purpose, amount: int, server_ms: int) -> float:
        """How long until `amount` more fits, 0 when it does now, infinite when it never will."""
        ceiling = self._ceilings[purpose]
        if amount > ceiling:
            return math.inf
        for number in reversed(self.numbers(server_ms)):
            if self._used.get(number, 0) + amount > ceiling:
                return (number + 1) * self.limit.interval_ms + _BORDER_MS - server_ms
        return 0

    def left(self, server_ms: int) -> float:
        """What of this node's part is left now, from 0 to 1."""
        ours = self._ceilings[Purpose.CANCEL]
        used = max(self._used.get(number, 0) for number in self.numbers(server_ms))
        return max(0.0, 1 - used / ours) if ours else 0.0

    def use(self, amount: int, server_ms: int) -> None:
        """Count `amount`, and forget windows that are over."""
        numbers = self.numbers(server_ms)
        for number in numbers:
            self._used[number] = self._used.get(number, 0) + amount
        if len(self._used) > len(numbers):
            self._used = {number: self._used[number] for number in numbers}

    def lower_to(self, used: int, sent_ms: int, server_ms: int) -> None:
        """The exchange counts at most `used` in the window that lasted from then to now, if any."""
        numbers = {*self.numbers(sent_ms), *self.numbers(server_ms)}
        if len(numbers) == 1:
            number = numbers.pop()
            self._used[number] = min(self._used.get(number, 0), used)

    def raise_to(self, used: int, sent_ms: int) -> None:
        """The exchange counts `used`: never believe less than we know of.

        Where that may be of two windows it is of the first: of the next one it says nothing, which
        has only begun, and whose own count comes with the next reply.

        Args:
            sent_ms: when the request left that this answers.
        """
        # Others behind the same address may hold the other shares; only what exceeds them is ours.
        ours = used - self._of_others
        number = self.numbers(sent_ms)[0]
        self._used[number] = max(self._used.get(number, 0), ours)


class RateBudget:
    """Keeps one address (or one node's share of it) within an exchange's limits.

    `server_ms` is the exchange's clock, `mono_ns` the local monotonic one; bans are kept by the
    latter, because a ban does not end early when an estimate of the former jumps.
    """

    def __init__(self, limits: Iterable[RateLimit], *, share: float = 1.0) -> None:
        """Args: share: this node's static part of what counts by address, over 0 and up to 1.

        Orders count by account, which only its leader trades: they are not shared.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share {share} is not over 0 and up to 1")
        self._share = share
        self._windows: list[_Window] = []
        self._traffic = _Traffic()
        self._blocked_until_ns: dict[LimitKind, int] = {}
        self.learn(limits)

    def learn(self, limits: Iterable[RateLimit]) -> None:
        """Take over the limits that the exchange publishes; equal ones keep what is used."""
        known = {window.limit: window for window in self._windows}
        self._windows = [
            known.get(limit) or _Window(limit, self._share_of(limit.kind))
            for limit in dict.fromkeys(limits)
        ]

    def _share_of(self, kind: LimitKind) -> float:
        return 1.0 if kind is LimitKind.ORDERS else self._share

    def delay_s(self, purpose: Purpose, cost: Cost, server_ms: int, mono_ns: int) -> float:
        """How long `cost` must wait; 0 when it may go now, infinite when it never fits at once."""
        wait_ms = 0.0
        for window in self._windows:
            amount = cost.of(window.limit.kind)
            if amount:
                wait_ms = max(wait_ms, window.wait_ms(purpose, amount, server_ms))
        blocked_ns = self._blocked_until_ns.get(LimitKind.WEIGHT, 0) - mono_ns
        if cost.orders:
            blocked_ns = max(blocked_ns, self._blocked_until_ns.get(LimitKind.ORDERS, 0) - mono_ns)
        return max(wait_ms / 1_000, blocked_ns / 1_000_000_000, 0.0)

    def is_blocked(self, mono_ns: int) -> bool:
        """Whether the exchange told us to stay away altogether, and not so long ago."""
        return self._blocked_until_ns.get(LimitKind.WEIGHT, 0) > mono_ns

    def left(self, server_ms: int) -> dict[LimitKind, float]:
        """What is left of the tightest window of each kind, from 0 to 1."""
        found: dict[LimitKind, float] = {}
        for window in self._windows:
            kind = window.limit.kind
            found[kind] = min(found.get(kind, 1.0), window.left(server_ms))
        return found

    def spend(self, cost: Cost, server_ms: int) -> Flight:
        """A request is about to leave; its flight is to be told with its reply."""
        for window in self._windows:
            amount = cost.of(window.limit.kind)
            if amount:
                window.use(amount, server_ms)
        return self._traffic.leave(server_ms, cost.orders)

    def observe(
        self, kind: LimitKind, interval_ms: int, used: int, server_ms: int, flight: Flight
    ) -> None:
        """A reply says how much of a window the exchange counts as used.

        Args:
            flight: of the request that is answered. Orders are given back when they fill, so their
                count is followed downwards as well, but for those that it may not include yet.
        """
        unseen = self._traffic.land(flight)
        for window in self._windows:
            if window.limit.kind is kind and window.limit.interval_ms == interval_ms:
                if flight.count and kind is LimitKind.ORDERS:
                    window.lower_to(used + unseen, flight.sent_ms, server_ms)
                window.raise_to(used, flight.sent_ms)

    def block(self, kind: LimitKind, for_s: float, mono_ns: int) -> None:
        """The exchange told us to stay away: from orders, or (any other kind) altogether."""
        scope = kind if kind is LimitKind.ORDERS else LimitKind.WEIGHT
        until_ns = mono_ns + int(for_s * 1_000_000_000)
        self._blocked_until_ns[scope] = max(self._blocked_until_ns.get(scope, 0), until_ns)
