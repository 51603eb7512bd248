"""What a user hears of.

Not here: addresses of channels, which are references in the configuration and never leave it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from holdfast.api.shapes.base import Amount, In, Name, Out
from holdfast.operations.notify.port import Kind

_Least = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?$",
        max_length=37,
        description="An exact number, zero or above, as text without exponent.",
        examples=["250"],
    ),
]


class NewSubscription(In, frozen=True, kw_only=True):
    """Something to hear of.

    Attributes:
        channel: one of those that may be used.
        kinds: left out or empty: what usually matters.
        accounts: left out or empty: all that are the caller's.
        least: fills of a smaller value, in their quote asset, are not told.
    """

    name: Name
    channel: Name
    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(max_length=20)] = ()
    accounts: Annotated[tuple[Name, ...], msgspec.Meta(max_length=200)] = ()
    least: _Least = "0"


class Subscription(Out, frozen=True, kw_only=True):
    """That a user hears of something, and how that goes.

    Attributes:
        sent, lost, waiting: notices that were delivered, that never could be, and that still wait.
        tries: that failed in a row; 0 while the channel works.
        failing_since: null while it does. `why`: it failed the last time.
    """

    subscription_id: str
    name: str
    channel: str
    kinds: tuple[Kind, ...]
    accounts: tuple[str, ...]
    least: Amount
    created_at: datetime
    sent: int
    lost: int
    waiting: int
    tries: int
    failing_since: datetime | None = None
    why: str


class Subscriptions(Out, frozen=True, kw_only=True):
    """All of a user, by name.

    Attributes:
        channels: those that he may use.
        chats: how many chats of Telegram's are his.
    """

    items: tuple[Subscription, ...]
    channels: tuple[str, ...]
    chats: int


class TelegramLink(Out, frozen=True, kw_only=True):
    """How a chat becomes a user's.

    Attributes:
        send: what he sends to the bot, once; null in the answer to a repeated request.
    """

    send: str | None
    expires_at: datetime
