"""The one sentence about trading: what matters most just now.

Not here: showing it, what it is made of (journals, prices, cluster).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.domain.guard import HaltLevel

STALE_PRICES_S: Final = 3.0

_HALTED: Final = {
    HaltLevel.ENTRIES: "Entries halted ({why}). Exits go on.",
    HaltLevel.CANCEL: "Halted ({why}). Only orders that protect a position rest.",
    HaltLevel.FLATTEN: "Halted ({why}). What bots hold is sold.",
}


class Tone(StrEnum):
    """How the sentence is meant."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What it is made of.

    Attributes:
        faults: what is wrong with a journal.
        unled: accounts that no live node leads.
        leaders: names of those that do.
        doubts, doubt_s: orders of which nobody knows, and since when the oldest was armed.
        halt, why: the strongest halt of an account.
        is_failing: the exchange is under maintenance, or requests to it fail again and again.
        failed: bots that broke.
        bots, running: how many there are, and how many of them run.
        price_age_s: of the oldest price that is looked at; None while one is missing.
        is_granted: something of some account is his who is told.
    """

    faults: Sequence[str] = ()
    unled: Sequence[str] = ()
    leaders: Sequence[str] = ()
    doubts: int = 0
    doubt_s: float = 0.0
    halt: HaltLevel | None = None
    why: str = ""
    is_failing: bool = False
    failed: Sequence[str] = ()
    bots: int = 0
    running: int = 1
    price_age_s: float | None = None
    is_granted: bool = True


def say(at: Situation) -> tuple[str, Tone]:
    """The sentence, and how it is meant."""
    if not at.is_granted:
        return "No account and no bot is yours to see. An admin can grant you some.", Tone.ATTENTION
    if at.faults:
        return f"Something is wrong: {at.faults[0]}.", Tone.BAD
    if at.unled:
        return f"Nobody leads {', '.join(at.unled)}. Nothing is traded there.", Tone.BAD
    if at.doubts:
        waited = f"{count(at.doubts, 'order')} in doubt for {at.doubt_s:.1f} s"
        return f"{waited}. Asking the exchange, never sending again.", Tone.ATTENTION
    if at.halt is not None:
        return _HALTED[at.halt].format(why=at.why or "no reason given"), Tone.ATTENTION
    if at.is_failing:
        return "The exchange fails. Nothing is opened; exits and stops go on.", Tone.ATTENTION
    if not at.bots:
        return "Starting: the node reads its journal and asks the exchange.", Tone.ATTENTION
    if at.failed:
        return f"{', '.join(at.failed)} failed. The others trade on.", Tone.BAD
    if not at.running:
        return "No bot runs. What they hold stays as it is.", Tone.ATTENTION
    if at.price_age_s is None or at.price_age_s > STALE_PRICES_S:
        age = "None seen yet" if at.price_age_s is None else f"{at.price_age_s:.1f} s old"
        return f"Waiting for prices. {age}.", Tone.ATTENTION
    leads = f" {at.leaders[0]} leads." if len(set(at.leaders)) == 1 else ""
    prices = f"Prices {at.price_age_s:.1f} s old."
    return f"Trading normally.{leads} {prices} Nothing in doubt.", Tone.GOOD


def count(number: int, noun: str) -> str:
    """`1 order`, `2 orders`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
