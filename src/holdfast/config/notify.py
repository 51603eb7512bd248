"""Whom the platform tells what happened: channels, and how much is told at once.

Not here: who hears of what, which users say themselves (operations.notify).
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from holdfast.secrets import PATTERN

_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]
_Reference = Annotated[str, msgspec.Meta(pattern=PATTERN)]
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

TELEGRAM: Final = "telegram"
"""The channel that a user has once a chat is linked to him."""


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to people: an address of Apprise, which is a secret because it holds tokens.

    Attributes:
        to: a reference to the address, such as `env:OPS_SLACK`; never the address.
        users: names of those who may use it; empty: every user.
    """

    name: _Name
    to: _Reference
    users: tuple[str, ...] = ()

    def is_for(self, user: str) -> bool:
        """Whether the user of this name may use it."""
        return not self.users or user in self.users


class Telegram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bot of Telegram's that tells and listens.

    Attributes:
        token: a reference to what BotFather gave.
        url: of its HTTP API; another one than Telegram's is a server of your own.
        listens: whether chats may give commands; without, it only tells.
    """

    token: _Reference
    url: str = "https://api.telegram.org"
    listens: bool = True

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        is_here = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or parts.username or not (parts.scheme == "https" or is_here):
            raise ValueError("`notify.telegram.url` is no address, expected https://host")


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[notify]`.

    Attributes:
        per_minute: messages to one subscription; what comes beyond is told together in the next.
        keep_hours: for so long a notice is tried again; then it counts as lost.
        doubt_s: an order that is in doubt for longer is told of.
        slow_order_ms: one that the exchange answered later is told of.
        summary_at: hour and minute, UTC, when the day before is told.
    """

    channels: tuple[Channel, ...] = ()
    telegram: Telegram | None = None
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10
    keep_hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 24
    doubt_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    slow_order_ms: Annotated[int, msgspec.Meta(ge=1, le=600_000)] = 500
    summary_at: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")] = "00:05"

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if TELEGRAM in names or len(set(names)) < len(names):
            raise ValueError(
                "`notify.channels` has a name twice, or `telegram`, expected other names"
            )

    def channel(self, name: str) -> Channel | None:
        """The channel of this name."""
        return next((one for one in self.channels if one.name == name), None)

    @property
    def summary_s(self) -> int:
        """`summary_at`, seconds of the day."""
        hours, minutes = self.summary_at.split(":")
        return int(hours) * 3600 + int(minutes) * 60
