"""Giving a command to an account's leader: the row that it is taken from, and who asked for it.

Not here: waiting until it took effect (app.live.operator), what it does (engine).
"""

from __future__ import annotations

from holdfast.domain.platform import CommandGiven
from holdfast.journal.commands import SUBMIT
from holdfast.platform.port import Change


def give(change: Change, given: CommandGiven, by: str, at_ns: int) -> bool:
    """Ask for it, and note in the platform's stream who did; False when it was asked for before.

    Args:
        by: as the account's stream is to name who asked.
        at_ns: when, for people.
    """
    is_new = change.run(
        SUBMIT, given.command_id, given.account, given.name, given.arguments, by, at_ns
    )
    if is_new:
        change.note(given)
    return bool(is_new)
