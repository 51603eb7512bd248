"""A request of orders on its way through the desk, for who watches: when it passed which point.

Lives here: the record and the watcher's side of it. Nothing waits for a watcher, and nothing is
decided by what is written here. Not here: who watches (app.live.observers).
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from holdfast.execution.attempts import Request
from holdfast.venues.port import Verdict


class Passage(msgspec.Struct, gc=False):
    """One request: an order, or the orders of a list.

    Times are of the local monotonic clock, in nanoseconds; 0 where it has not come there, or not
    yet.

    Attributes:
        taken_ns: the engine was handed the event that made it want this.
        handed_ns: it had decided, and the risk gate let it through.
        durable_ns: it was in the journal.
        left_ns: its first byte was handed to the network.
        answered_ns: the exchange had answered, or was heard no more.
        booked_ns: what the answer proves was in the journal.
        verdict: the answer.
    """

    request: Request
    taken_ns: int
    handed_ns: int
    durable_ns: int
    left_ns: int = 0
    answered_ns: int = 0
    booked_ns: int = 0
    verdict: Verdict | None = None


class Watcher(Protocol):
    """Who watches. Both are called in the event loop, must return at once and never raise."""

    def leaving(self, passage: Passage) -> None:
        """The request is durable, and about to be sent."""
        ...

    def passed(self, passage: Passage) -> None:
        """It was sent, answered and booked, as far as it came."""
        ...


class Nobody:
    """Does not watch."""

    def leaving(self, passage: Passage) -> None:
        """Let it go."""

    def passed(self, passage: Passage) -> None:
        """Let it go."""
