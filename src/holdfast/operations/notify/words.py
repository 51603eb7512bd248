"""Notices that wait, as one message: urgent ones first, and many of a kind as a count.

Pure. Not here: when it is sent (deliver).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from holdfast.operations.notify.rows import TEST, Message

LINES: Final = 6
"""Notices that a message tells word by word; the others are counted."""

_MOST_LINE: Final = 400


class _Name(NamedTuple):
    title: str
    one: str
    many: str


_NAMES: Final = {
    "fill": _Name("Fill", "fill", "fills"),
    "halt": _Name("Halted", "halt", "halts"),
    "resume": _Name("Resumed", "resumption", "resumptions"),
    "failover": _Name("Failover", "failover", "failovers"),
    "handover": _Name("Hand-over", "hand-over", "hand-overs"),
    "mismatch": _Name("Position mismatch", "mismatch", "mismatches"),
    "breaker": _Name("Trading halted", "change of a breaker", "changes of breakers"),
    "doubt": _Name("Order in doubt", "doubt", "doubts"),
    "ghost": _Name("Ghost order", "ghost", "ghosts"),
    "bot_failed": _Name("Bot failed", "failure of a bot", "failures of bots"),
    "bot": _Name("Bot", "change of a bot", "changes of bots"),
    "latency": _Name("Order Latency SLA Breach", "late answer", "late answers"),
    "emergency": _Name("Sold in an emergency", "emergency sale", "emergency sales"),
    "fault": _Name("Journal at fault", "fault of a journal", "faults of journals"),
    "summary": _Name("Daily summary", "summary", "summaries"),
    "test": _Name("Test", "test", "tests"),
}


class Text(msgspec.Struct, frozen=True):
    """A message as it is sent.

    Attributes:
        said: lost notices that it tells of.
    """

    title: str
    body: str
    is_urgent: bool
    said: int = 0


def compose(deployment: str, waiting: Sequence[Message], lost: int = 0) -> Text:
    """All that waits for one subscription (one at least) as one message.

    Args:
        lost: notices that could not be delivered, which nobody was told of yet.
    """
    ordered = sorted(waiting, key=lambda one: (not one.is_urgent, one.number))
    told, rest = ordered[:LINES], ordered[LINES:]
    lines = [one.told[:_MOST_LINE] for one in told]
    for kind, count in Counter(one.kind for one in rest).items():
        name = _NAMES[kind]
        lines.append(f"{count} more {name.many if count > 1 else name.one}.")
    if lost:
        lines.append(f"{lost} older ones could not be delivered, and are not told here.")
    if any(one.was_tried for one in waiting):
        lines.append("(Some of this may have come before: its sending was interrupted.)")
    first = _NAMES[ordered[0].kind].title
    others = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    urgent = ordered[0].is_urgent and ordered[0].kind != TEST
    return Text(f"{deployment}: {first}{others}", "\n".join(lines), urgent, lost)
