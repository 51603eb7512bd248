"""How facts of guards change the state of an account: halts, drains, breakers, quarantine.

Not here: which fact is folded how (fold), what a guard does (engine, execution).
"""

from __future__ import annotations

from holdfast.domain import fact as facts
from holdfast.ledger.state import AccountState


def halted(state: AccountState, _at: int, fact: facts.Halted) -> None:
    of = state.entered(fact.bot) if fact.bot else state
    if not of.halted or fact.level.includes(of.halt_level):
        of.halt_level = fact.level
    of.halted = fact.reason
    of.lost_too_much = of.lost_too_much or fact.by == facts.BY_RISK


def resumed(state: AccountState, _at: int, fact: facts.Resumed) -> None:
    """Who resumes after too large a loss has seen it: the drawdown counts from here."""
    of = state.entered(fact.bot) if fact.bot else state
    if of.lost_too_much and fact.bot:
        state.units.forgive_bot(fact.bot)
    elif of.lost_too_much:
        state.units.forgive()
    of.halted = ""
    of.lost_too_much = False


def draining(state: AccountState, _at: int, fact: facts.Draining) -> None:
    state.entered(fact.bot).draining = fact.on


def breaker(state: AccountState, _at: int, fact: facts.BreakerMoved) -> None:
    if fact.state is facts.BreakerState.CLOSED:
        state.breakers.pop(fact.endpoint, None)
    else:
        state.breakers[fact.endpoint] = fact.state


def maintenance(state: AccountState, _at: int, fact: facts.Maintenance) -> None:
    state.in_maintenance = fact.on


def quarantined(state: AccountState, _at: int, fact: facts.Quarantined) -> None:
    state.quarantine[fact.what] = fact.evidence


def released(state: AccountState, _at: int, fact: facts.Released) -> None:
    state.quarantine.pop(fact.what, None)
