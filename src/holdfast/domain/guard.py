"""Guards: what holds trading back, as facts of the account.

Part of the union in `domain.fact`, which is where others take them from. Not here: the fold
(ledger.fold), or what each of them stops (engine.risk).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

from holdfast.domain.fact_base import Fact

BY_RISK: Final = "risk"


class HaltLevel(StrEnum):
    """How much stops; each stops what the ones before it stop."""

    ENTRIES = "entries"  # nothing that adds exposure
    CANCEL = "cancel"  # and nothing rests but what protects a position
    FLATTEN = "flatten"  # and what bots hold is sold

    def includes(self, other: HaltLevel) -> bool:
        """Whether it stops at least as much as `other`."""
        levels = tuple(HaltLevel)
        return levels.index(self) >= levels.index(other)


class Halted(Fact, frozen=True, tag="halted"):
    """Trading of a bot, or of the account (`bot` empty), stops at `level` until resumed.

    A halt on top of another never lowers its level.

    Attributes:
        by: who, or what part; `BY_RISK` when a drawdown reached its limit.
    """

    level: HaltLevel
    reason: str
    by: str
    bot: str = ""


class Resumed(Fact, frozen=True, tag="resumed"):
    """The halt of a bot, or of the account (`bot` empty), is lifted."""

    by: str
    bot: str = ""


class Draining(Fact, frozen=True, tag="draining"):
    """A bot goes on without new exposure and leaves its positions as it wishes, until started.

    Attributes:
        on: False when that ends.
        by, reason: who asked, and why.
    """

    bot: str
    by: str
    reason: str = ""
    on: bool = True


class BreakerState(StrEnum):
    """What is known of a class of an exchange's endpoints."""

    CLOSED = "closed"  # they answer
    OPEN = "open"  # they failed again and again: nothing adds exposure for a while
    HALF_OPEN = "half_open"  # that while is over: one probe at a time


class BreakerMoved(Fact, frozen=True, tag="breaker"):
    """A circuit breaker changed its state.

    Attributes:
        endpoint: class of the venue's endpoints: `order`, `cancel` or `query`.
        evidence: the answer, or the time, that moved it.
    """

    venue: str
    endpoint: str
    state: BreakerState
    evidence: str = ""


class Maintenance(Fact, frozen=True, tag="maintenance"):
    """The exchange says that it is closed for a while, or answers again (`on` False)."""

    venue: str
    on: bool
    evidence: str = ""


class Quarantined(Fact, frozen=True, tag="quarantined"):
    """Nothing adds exposure to what differs from the exchange, until that is explained.

    Attributes:
        what: an asset, and with it every symbol that has it; or one symbol, `BASE/QUOTE`.
    """

    what: str
    by: str
    evidence: str


class Released(Fact, frozen=True, tag="released"):
    """A quarantine ends: what differed agrees again, was adjusted, or a person looked at it."""

    what: str
    by: str
    evidence: str


class Liquidated(Fact, frozen=True, tag="liquidated"):
    """A bot's position was sold by an order that no bot is known to have made.

    In an emergency, without a journal; or by one whose records a restored backup lacks.

    Attributes:
        quantity, price: base units, and quote units for each.
        evidence: the trade; the fill itself is booked beside this, as nobody's.
    """

    bot: str
    symbol: str
    quantity: Decimal
    price: Decimal
    evidence: str


class EmergencyMerged(Fact, frozen=True, tag="emergency_merged"):
    """What was done without the journal is in it from here on.

    Attributes:
        by: who did it.
        cids: of the orders that this host's file names, in their order.
    """

    by: str
    cids: tuple[str, ...]
