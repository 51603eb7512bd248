"""What a run came to, as it is handed from process to process.

Not here: how it came to it (run), or what many of them add up to (campaign).
"""

from __future__ import annotations

import msgspec

UNTIMED = "gap untimed"
"""Counted where a doubt of every symbol, or a breaker, was a part of the time to the next order."""


class Violation(msgspec.Struct, frozen=True):
    """An invariant that did not hold.

    Attributes:
        invariant: `I1` … `I15`, or `defect`.
        at_s: seconds of the run.
        cid: the order that it is about, if it is about one.
    """

    invariant: str
    detail: str
    at_s: float
    cid: str = ""


class Event(msgspec.Struct, frozen=True):
    """One line of the timeline.

    Attributes:
        cids: orders that it is about; none when it is about all.
    """

    at_s: float
    text: str
    cids: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    Attributes:
        wall_s, cpu_s: real time that it took, and how much of it this process computed.
        counts: orders, fills, doubts, faults by kind and so on.
        profile: of the leases.
        gaps_s: from a fault that struck alone to the next order, each.
        breaks: the assumption that it broke on purpose; empty in most runs.
        timeline: the last events about the order of the first violation; empty without one.
    """

    seed: int
    virtual_s: float
    wall_s: float
    cpu_s: float
    counts: dict[str, int]
    violations: tuple[Violation, ...]
    trace_hash: str
    profile: str = ""
    gaps_s: tuple[float, ...] = ()
    breaks: str = ""
    timeline: tuple[Event, ...] = ()
