"""Planted bugs of what is derived from a wish; see `bugs`.

Not here: bugs of limits and halts (bugs).
"""

from __future__ import annotations

from typing import Any

from holdfast.domain.order import Side
from holdfast.engine import derive
from holdfast.engine.derive import Derivation
from holdfast.engine.step import Engine
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


PLANTS: dict[str, Plant] = {
    each.__name__: each for each in (no_stops, one_bot_sleeps, each_purchase_twice)
}
