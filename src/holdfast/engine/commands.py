"""What an operator's command does to an account, as facts.

Not here: where commands come from and who may give them (app), or the start of a process.
"""

from __future__ import annotations

from holdfast.domain.action import Note
from holdfast.domain.event import OperatorAsked
from holdfast.domain.fact import (
    AnyFact,
    BotStarted,
    BotStopped,
    CommandTaken,
    Halted,
    HaltLevel,
    Resumed,
)
from holdfast.ledger.state import AccountState, BotState


def take_command(event: OperatorAsked, account: AccountState) -> Note:
    """A command takes effect where the leader writes it into the stream, with what it does."""
    bot = event.arguments.get("bot", "")
    reason = event.arguments.get("reason", "") or f"{event.name} by {event.by}"
    effects: dict[str, AnyFact] = {
        "halt": Halted(level=_level(event), reason=reason, by=event.by, bot=bot),
        "resume": Resumed(by=event.by, bot=bot),
        "stop": BotStopped(bot=bot, reason=reason),
        "start": _restarted(bot, account),
    }
    taken = CommandTaken(
        command_id=event.command_id,
        name=event.name,
        by=event.by,
        arguments=str(sorted(event.arguments.items())),
    )
    effect = effects.get(event.name)
    known = bot in account.bots
    if not known and (bot or event.name in {"stop", "start"}):
        effect = None
    return Note((taken,) if effect is None else (taken, effect))


def _level(event: OperatorAsked) -> HaltLevel:
    """How much to stop; what a newer program asks for and this one does not know stops entries."""
    asked = event.arguments.get("level", "")
    return HaltLevel(asked) if asked in set(HaltLevel) else HaltLevel.ENTRIES


def _restarted(bot: str, account: AccountState) -> BotStarted:
    state = account.bots.get(bot, BotState())
    return BotStarted(
        bot=bot,
        config_version=state.config_version,
        config=state.config,
        anchor_ns=state.anchor_ns,
    )
