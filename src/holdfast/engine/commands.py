"""What an operator's command does to an account, as facts.

Not here: where commands come from and who may give them (app), or the start of a process.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.domain.action import Note
from holdfast.domain.event import OperatorAsked
from holdfast.domain.fact import (
    AnyFact,
    BotStarted,
    BotStopped,
    CommandTaken,
    Draining,
    Halted,
    HaltLevel,
    Resumed,
)
from holdfast.engine.bot import BotRuntime
from holdfast.ledger.state import AccountState, BotState


def take_command(
    event: OperatorAsked, account: AccountState, bots: Mapping[str, BotRuntime]
) -> Note:
    """A command takes effect where the leader writes it into the stream, with what it does."""
    bot = event.arguments.get("bot", "")
    reason = event.arguments.get("reason", "") or f"{event.name} by {event.by}"
    effects: dict[str, tuple[AnyFact, ...]] = {
        "halt": (Halted(level=_level(event), reason=reason, by=event.by, bot=bot),),
        "resume": (Resumed(by=event.by, bot=bot),),
        "drain": (Draining(bot=bot, by=event.by, reason=reason),),
        "stop": (BotStopped(bot=bot, reason=reason),),
        "start": _started(bot, event, account, bots),
    }
    taken = CommandTaken(
        command_id=event.command_id,
        name=event.name,
        by=event.by,
        arguments=str(sorted(event.arguments.items())),
    )
    known = bot in account.bots
    if not known and (bot or event.name in {"stop", "start", "drain"}):
        return Note((msgspec.structs.replace(taken, refused=_no_such(bot, account)),))
    return Note((taken, *effects.get(event.name, ())))


def _no_such(bot: str, account: AccountState) -> str:
    names = ", ".join(sorted(account.bots)) or "none is known yet"
    return f"seen: no bot {bot!r}; expected: one of {names}; do: correct the name"


def _level(event: OperatorAsked) -> HaltLevel:
    """How much to stop; what a newer program asks for and this one does not know stops entries."""
    asked = event.arguments.get("level", "")
    return HaltLevel(asked) if asked in set(HaltLevel) else HaltLevel.ENTRIES


def _started(
    bot: str, event: OperatorAsked, account: AccountState, bots: Mapping[str, BotRuntime]
) -> tuple[AnyFact, ...]:
    """A bot goes on under the configuration that it had, and drains no more."""
    state = account.bots.get(bot, BotState())
    if state.removed:
        return ()
    first = bots[bot].first_bar if bot in bots else None
    started = BotStarted(
        bot=bot,
        config_version=state.config_version,
        config=state.config,
        anchor_ns=state.anchor_ns or (first.open_ns if first is not None else 0),
    )
    return (started, Draining(bot=bot, by=event.by, on=False)) if state.draining else (started,)
