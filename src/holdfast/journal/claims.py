"""Claims: what a fact may say only once in the life of a stream, longer than any fold remembers.

Not here: how a store enforces them (a set in memory, unique indexes in SQL).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from holdfast.domain.fact import (
    AnyFact,
    Armed,
    CancelArmed,
    CashFlow,
    CommandTaken,
    Decided,
    Filled,
)

Claim = tuple[str | int, ...]
"""Its kind, then its key; unique within an account."""


def intent_key(fact: Armed) -> str:
    """Within what an attempt's number is unique: its intent, or a list's further part of it.

    A list's first order claims the intent itself, as an order does that stands alone: an attempt is
    the one or the other.
    """
    return fact.intent_id if fact.part <= 1 else f"{fact.intent_id}/{fact.part}"


def _armed(fact: Armed) -> tuple[Claim, ...]:
    return (("attempt", fact.cid), ("intent", intent_key(fact), fact.n))


def _cancel_armed(fact: CancelArmed) -> tuple[Claim, ...]:
    return (("attempt", fact.cid),)


def _decided(fact: Decided) -> tuple[Claim, ...]:
    return (("decision", fact.bot, fact.key),)


def _filled(fact: Filled) -> tuple[Claim, ...]:
    return (("fill", fact.fill.symbol, fact.fill.trade_id),)


def _cash_flow(fact: CashFlow) -> tuple[Claim, ...]:
    return (("flow", fact.flow_id),) if fact.flow_id else ()


def _command_taken(fact: CommandTaken) -> tuple[Claim, ...]:
    return (("command", fact.command_id),)


_CLAIMS: Final[dict[type, Callable[[Any], tuple[Claim, ...]]]] = {
    Armed: _armed,
    CancelArmed: _cancel_armed,
    Decided: _decided,
    Filled: _filled,
    CashFlow: _cash_flow,
    CommandTaken: _command_taken,
}


def claims(fact: AnyFact) -> tuple[Claim, ...]:
    """What `fact` claims; most facts claim nothing."""
    of_kind = _CLAIMS.get(type(fact))
    return of_kind(fact) if of_kind is not None else ()


def claim_text(claim: Claim) -> str:
    """The claim as `Refused` names it."""
    return " ".join(map(str, claim))
