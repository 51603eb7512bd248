"""What each exchange promises about an order sent twice or late, as data.

Lives here: the table that decides how a doubt may be settled and whether takeover is offered. Not
here: the protocol that uses it (execution), or adapters.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Dedup(StrEnum):
    """What happens to a second order with the same client order id."""

    RETURNS_ORIGINAL = "returns_original"  # idempotent: the first one is answered again
    REJECTS_FOREVER = "rejects_forever"
    OPEN_ONLY = "open_only"  # refused only while the first one is open
    NONE = "none"


class Deadline(StrEnum):
    """Who drops an order that comes after the time it carries."""

    ENGINE = "engine"
    GATEWAY = "gateway"  # in front of the engine; a delay inside the engine is not covered
    NONE = "none"


class Token(StrEnum):
    """What lets the exchange itself refuse a writer that was replaced."""

    NONCE = "nonce"  # rises; what is below the last one is refused
    NONE = "none"


class Capability(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange's promises.

    Attributes:
        venue: its name, as configurations write it.
        barrier_verified: a cancel was shown to queue behind earlier orders in the engine, so that
            absence is proven sooner; False until somebody has shown it.
        cancels_by_order_id: a cancel may name the exchange's own id, and so one order of several
            with the same client order id; without it the copy of a request is only alarmed.
        order_lists: it takes a pair of orders of which one ends the other (OCO), on the symbols
            that say so.
        dead_man_switch: what it calls that it cancels all orders by itself unless told again in
            time; empty where it has none, and then what rests stays when no node runs.
        is_native: Holdfast has an adapter of its own.
        unverified: what of this row rests on documentation alone.
    """

    venue: str
    dedup: Dedup
    deadline: Deadline
    token: Token = Token.NONE
    barrier_verified: bool = False
    cancels_by_order_id: bool = False
    order_lists: bool = False
    dead_man_switch: str = ""
    is_native: bool = False
    unverified: str = ""

    @property
    def allows_takeover(self) -> bool:
        """Whether a second node may take over without a long pause.

        It needs an end of doubt: orders that die by themselves, or a repetition that does no harm.
        """
        return self.deadline is not Deadline.NONE or self.dedup in {
            Dedup.RETURNS_ORIGINAL,
            Dedup.REJECTS_FOREVER,
        }


_ROWS: Final = (
    Capability(
        venue="binance",
        dedup=Dedup.OPEN_ONLY,
        deadline=Deadline.GATEWAY,
        cancels_by_order_id=True,
        order_lists=True,
        is_native=True,
        unverified="whether a cancel queues behind earlier orders; what a reused id finds",
    ),
    Capability(
        venue="coinbase",
        dedup=Dedup.RETURNS_ORIGINAL,
        deadline=Deadline.NONE,
        unverified="for how long ids are remembered",
    ),
    Capability(
        venue="bybit",
        dedup=Dedup.REJECTS_FOREVER,
        deadline=Deadline.GATEWAY,
        dead_man_switch="DCP, on the private stream's connection",
        unverified="for how long ids are remembered; an answer is not yet an acceptance",
    ),
    Capability(
        venue="kraken",
        dedup=Dedup.OPEN_ONLY,
        deadline=Deadline.ENGINE,
        token=Token.NONCE,
        dead_man_switch="CancelAllOrdersAfter",
        unverified="the allowed range of the deadline; the words of a duplicate's refusal",
    ),
    Capability(
        venue="okx",
        dedup=Dedup.OPEN_ONLY,
        deadline=Deadline.GATEWAY,
        unverified="where in front of the engine expTime is checked",
    ),
    Capability(venue="kucoin", dedup=Dedup.OPEN_ONLY, deadline=Deadline.NONE),
    Capability(venue="whitebit", dedup=Dedup.OPEN_ONLY, deadline=Deadline.NONE),
)

CAPABILITIES: Final[dict[str, Capability]] = {row.venue: row for row in _ROWS}


def capability_of(venue: str) -> Capability:
    """What is known of `venue`; an exchange that nobody has studied promises nothing."""
    known = CAPABILITIES.get(venue)
    if known is not None:
        return known
    return Capability(
        venue=venue,
        dedup=Dedup.NONE,
        deadline=Deadline.NONE,
        unverified="everything: nobody has studied this exchange yet",
    )
