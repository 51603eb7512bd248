"""The configuration that a process of the API runs with.

Not here: changing a bot's (shapes.bots).
"""

from __future__ import annotations

from holdfast.api.shapes.base import Out


class Setting(Out, frozen=True, kw_only=True):
    """One setting in effect.

    Attributes:
        key: dotted, as in the file: `bots[0].limits.max_position_notional`.
        value: JSON as text, without secrets.
        origin: `default`, `FILE:LINE`, or `env NAME`.
    """

    key: str
    value: str
    origin: str


class PendingSetting(Out, frozen=True, kw_only=True):
    """A setting that its file or environment says otherwise by now.

    Attributes:
        running, written: both as JSON; `null` where there is none.
        takes_effect: how.
    """

    key: str
    running: str
    written: str
    takes_effect: str


class Configuration(Out, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        pending: what has not taken effect; empty as well while the file cannot be read.
        refused: why what is written now would not start; empty when it would.
    """

    settings: tuple[Setting, ...]
    pending: tuple[PendingSetting, ...]
    refused: str = ""
