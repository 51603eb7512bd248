"""Facts of commands: what a person asked for takes effect where it stands in the stream.

Not here: the configuration itself (holdfast.config), which of its changes are allowed (app).
"""

from __future__ import annotations

from holdfast.domain.fact_base import Fact


class CommandTaken(Fact, frozen=True, tag="command"):
    """An operator's command took effect at this place of the stream.

    Attributes:
        refused: why it took none instead, empty when it did.
    """

    command_id: str
    name: str
    by: str
    arguments: str = ""
    refused: str = ""


class BotConfigured(Fact, frozen=True, tag="bot_configured"):
    """What a bot is told from here on. One that is new does nothing until it is started.

    Attributes:
        config_version: rises by one; decisions name it.
        config: canonical JSON, as in `BotStarted`.
        anew: more than limits changed: its indicators begin anew.
        from_file: the file of the nodes decides again, as if no command ever had.
    """

    bot: str
    config_version: int
    config: str
    by: str
    anew: bool = False
    from_file: bool = False


class BotRemoved(Fact, frozen=True, tag="bot_removed"):
    """A bot that a command had made is gone; what it did stays told."""

    bot: str
    by: str


class LimitsSet(Fact, frozen=True, tag="limits_set"):
    """The account's limits from here on.

    Attributes:
        limits: canonical JSON; empty when the file of the nodes decides again.
    """

    limits: str
    by: str
