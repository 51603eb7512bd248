"""Planted bugs of what is derived from a wish, and of what it counts with; see `bugs`.

Not here: bugs of single limits and of halts (bugs).
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.engine import derive
from holdfast.engine.situation import Derivation
from holdfast.engine.step import Engine
from holdfast.ledger.state import LiveOrder
from holdfast.simulation.bugs import Plant, put, replace


def no_stops() -> None:
    put(derive, "protect", lambda *_args: None)


def one_bot_sleeps() -> None:
    """As a lock would that nobody gives back: of two bots the other trades on."""

    def waiting(self: Any, bot: Any, *args: Any, **options: Any) -> Derivation:
        if self.account.counters.takeovers > 1 and bot.name == max(self.bots):
            return Derivation([], [])
        found: Derivation = once(self, bot, *args, **options)
        return found

    once = Engine._derive
    put(Engine, "_derive", waiting)


def each_purchase_twice() -> None:
    """Under an intent of its own, so that no rule about attempts at one intent sees it."""

    def twice(make: Any) -> Any:
        def doubled(at: Any, progress: Any, side: Side, quantity: Any, smallest: Any) -> Any:
            found = make(at, progress, side, quantity, smallest)
            if side is Side.BUY and found:
                seq, _, part = found[-1]
                found.append((seq + 1, 1, part))
            return found

        return doubled

    replace(derive, "intents", twice)


def outstanding_is_nothing() -> None:
    """In the fold itself, so that whatever asks it what may yet be bought is wrong the same way."""
    put(LiveOrder, "outstanding", property(lambda _self: ZERO))


def purchases_reduce() -> None:
    """Limits on exposure bind nothing that is said to take exposure off."""

    def reducing(make: Any) -> Any:
        def proposed(*args: Any, **options: Any) -> Any:
            return msgspec.structs.replace(make(*args, **options), reduces=True)

        return proposed

    replace(derive, "propose", reducing)


PLANTS: dict[str, Plant] = {
    each.__name__: each
    for each in (
        no_stops, one_bot_sleeps, each_purchase_twice, outstanding_is_nothing, purchases_reduce,
    )
}
