"""What became of something that was asked for.

Not here: what may be asked for (the routes), what it does (engine).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from holdfast.api.shapes.base import Out


class CommandState(StrEnum):
    """Where a command is."""

    WAITING = "waiting"  # kept; a node that leads the account takes it first
    TAKEN = "taken"  # it took effect
    REFUSED = "refused"  # the leader took it and said no; `reason` tells why


class Command(Out, frozen=True, kw_only=True):
    """Something that an account's leader was asked for.

    Attributes:
        bot: that it is for; empty where it is for no single one.
        seq: of the record in which it took effect, or was refused; null until then.
        by: who asked.
    """

    command_id: str
    account: str
    bot: str = ""
    name: str
    state: CommandState
    seq: int | None = None
    reason: str = ""
    by: str
    asked_at: datetime


class CommandsGiven(Out, frozen=True, kw_only=True):
    """The same thing, asked for in several accounts."""

    items: tuple[Command, ...]
