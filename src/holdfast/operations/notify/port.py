"""What others may ask about notifications: the port, and the values it speaks in.

Not here: how any of it is kept (rows) or sent (apprise, telegram).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from holdfast.domain.money import ZERO
from holdfast.errors import RejectedError
from holdfast.platform.identity.values import Principal

MOST_SUBSCRIPTIONS: Final = 20
"""Of one user."""


class Kind(StrEnum):
    """What can be heard of."""

    FILL = "fill"  # an order executed
    HALT = "halt"  # a bot or an account was halted, by whomever
    RESUME = "resume"  # and a halt was lifted
    FAILOVER = "failover"  # another process leads, because the one before went away
    HANDOVER = "handover"  # another process leads, by plan
    MISMATCH = "mismatch"  # orders, fills or balances differ from the exchange
    BREAKER = "breaker"  # the exchange fails or is closed: nothing is opened
    DOUBT = "doubt"  # nobody knows for long what became of an order
    GHOST = "ghost"  # an order executed that was proved absent
    BOT_FAILED = "bot_failed"  # a strategy broke
    BOT = "bot"  # a bot was started, stopped or drains
    LATENCY = "latency"  # the exchange answered an order late
    EMERGENCY = "emergency"  # something was sold without the journal
    FAULT = "fault"  # a journal contradicts itself
    SUMMARY = "summary"  # of the day before


USUAL: Final = frozenset(Kind) - {Kind.BOT, Kind.LATENCY, Kind.HANDOVER}
"""What is heard of unless told otherwise."""

URGENT: Final = frozenset({
    Kind.HALT, Kind.FAILOVER, Kind.MISMATCH, Kind.BREAKER, Kind.DOUBT, Kind.GHOST, Kind.BOT_FAILED,
    Kind.EMERGENCY, Kind.FAULT,
})  # fmt: skip
"""What does not wait behind fills."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, for whoever may hear of it.

    Attributes:
        bot: empty of an account as a whole.
        at_ns: UTC.
        told: one sentence.
        value: of a fill, in its quote asset; None of everything else.
    """

    kind: Kind
    account: str
    bot: str = ""
    at_ns: int
    told: str
    value: Decimal | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it is asked for.

    Attributes:
        channel: a name of the configuration, or `telegram`.
        kinds: empty: the usual ones.
        accounts: empty: all that are his.
        least: fills of a smaller value, in their quote asset, are not told.
    """

    name: str
    channel: str
    kinds: frozenset[Kind] = frozenset()
    accounts: frozenset[str] = frozenset()
    least: Decimal = ZERO


class Subscription(Wanted, frozen=True, kw_only=True):
    """That a user hears of some things by a channel, and how that goes.

    Attributes:
        waiting: notices that are still to be delivered.
        sent, lost: notices that were delivered, and those that never could be.
        tries: that failed in a row; 0 while the channel works.
        next_ns: before that nothing is tried. `failing_ns`: since when it fails. UTC; 0 never.
        why: it failed the last time; never an address.
    """

    subscription_id: str
    user_id: str
    created_ns: int
    waiting: int = 0
    sent: int = 0
    lost: int = 0
    unsaid: int = 0
    tries: int = 0
    next_ns: int = 0
    failing_ns: int = 0
    why: str = ""

    def wants(self, notice: Notice, who: Principal) -> bool:
        """Whether he is to hear of it: it is his, and he asked for it."""
        if notice.kind not in (self.kinds or USUAL) or not who.owns(notice.account, notice.bot):
            return False
        if self.accounts and notice.account not in self.accounts:
            return False
        return notice.value is None or notice.value >= self.least


class Link(msgspec.Struct, frozen=True):
    """What a user sends to Telegram's bot, once, so that a chat is his.

    Attributes:
        code: shown now and never again.
        expires_ns: UTC.
    """

    code: str
    expires_ns: int


class DeliveryError(RejectedError):
    """A channel did not take a message; it may be tried again.

    Attributes:
        retry_after_s: before that no try is worth it; None when nobody said.
    """

    def __init__(self, code: str, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(code, reason)
        self.retry_after_s = retry_after_s


class Notifications(Protocol):
    """A user's own subscriptions. No method blocks the loop; any may raise RetryableError."""

    def channels(self, who: Principal) -> tuple[str, ...]:
        """Names of the channels that he may use."""
        ...

    async def subscriptions(self, who: Principal) -> Sequence[Subscription]:
        """His, by name."""
        ...

    async def add(self, who: Principal, wanted: Wanted) -> Subscription:
        """Let him hear of something; it begins now.

        Raises:
            AbsentError: no such channel that he may use.
            TakenError: he has one of this name.
            UnsuitableError: an account that is not his, or too many subscriptions.
        """
        ...

    async def remove(self, who: Principal, subscription_id: str) -> None:
        """End one of his, or as an admin anybody's; what waits to be delivered is dropped.

        Raises:
            AbsentError.
        """
        ...

    async def test(self, who: Principal, subscription_id: str) -> None:
        """Let a message be delivered like any other, by the process that delivers.

        Raises:
            AbsentError.
        """
        ...

    async def link(self, who: Principal) -> Link:
        """A one-time code with which a chat of Telegram's becomes his.

        Raises:
            AbsentError: no bot of Telegram's is configured.
        """
        ...

    async def chats(self, who: Principal) -> Sequence[int]:
        """Those that are his."""
        ...

    async def unlink(self, who: Principal) -> int:
        """Let none of them be his any more; how many there were."""
        ...
