"""Nodes, who leads what, and how leadership moved.

Not here: moving it (routes of accounts and bots).
"""

from __future__ import annotations

from datetime import datetime

from holdfast.api.shapes.base import Out


class Node(Out, frozen=True, kw_only=True):
    """A node as the others see it.

    Attributes:
        boot_id: of its present start.
        is_live: whether it renews its lease.
        leads: accounts.
    """

    name: str
    boot_id: str
    pid: int
    version: str
    is_live: bool
    leads: tuple[str, ...]


class Leadership(Out, frozen=True, kw_only=True):
    """Who may write an account's stream.

    Attributes:
        since: when the leader took over; null when nobody ever did.
    """

    account: str
    epoch: int
    leader: str | None = None
    since: datetime | None = None


class Failover(Out, frozen=True, kw_only=True):
    """An account went from one leader to another.

    Attributes:
        gap_ms: from the old leader's last record until the new one could arm; null while it cannot.
        planned: it was a handover.
        why: as the new leader wrote it.
    """

    account: str
    seq: int
    epoch: int
    at: datetime
    leader: str
    before: str | None = None
    gap_ms: float | None = None
    planned: bool
    why: str


class Cluster(Out, frozen=True, kw_only=True):
    """All of it, the newest failovers first and at most a hundred of them."""

    profile: str
    nodes: tuple[Node, ...]
    leadership: tuple[Leadership, ...]
    failovers: tuple[Failover, ...]


class Failovers(Out, frozen=True, kw_only=True):
    """A page of them, newest first."""

    items: tuple[Failover, ...]
    next_cursor: str | None = None


class Demo(Out, frozen=True, kw_only=True):
    """Whether this is the demo, in which the node that leads may be struck."""

    is_demo: bool


class Struck(Out, frozen=True, kw_only=True):
    """Who was struck, in a sentence."""

    told: str
