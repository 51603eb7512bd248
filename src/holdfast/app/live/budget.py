"""How long a strategy may keep the event loop that all bots of its account share.

Lives here: measuring, saying so, and the end of who does it again and again. Not here: a strategy
that does not return at all (node, watch).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from holdfast.strategy.api import Strategy, View
from holdfast.strategy.wish import Returned
from holdfast.telemetry.log import get_logger

log = get_logger("app.budget")

MOST_IN_A_ROW: Final = 10
"""Once may be the machine; so often, with nothing quicker in between, is the strategy."""
_TOLD_EVERY_S: Final = 10.0


class OverBudgetError(Exception):
    """A strategy took too long, again and again; it stops its bot."""


class Budget:
    """The budget of one bot.

    Args:
        most_s: for one `decide`, wall time: while it waits for anything, everybody does.

    Attributes:
        overruns: how often it took longer.
    """

    def __init__(
        self, bot: str, most_s: float, mono_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.overruns = 0
        self._bot = bot
        self._most_s = most_s
        self._mono_s = mono_s
        self._in_a_row = 0
        self._told_s = -_TOLD_EVERY_S

    def ask(self, strategy: Strategy, view: View) -> Returned:
        """What `decide` returns.

        Raises:
            OverBudgetError: it took longer than its budget `MOST_IN_A_ROW` times, each time.
        """
        began_s = self._mono_s()
        returned = strategy.decide(view)
        now_s = self._mono_s()
        if now_s - began_s <= self._most_s:
            self._in_a_row = 0
        else:
            self._overran(now_s - began_s, now_s)
        return returned

    def _overran(self, took_s: float, now_s: float) -> None:
        self.overruns += 1
        self._in_a_row += 1
        took, most = f"{took_s * 1000:.0f} ms", f"{self._most_s * 1000:g} ms"
        if self._in_a_row >= MOST_IN_A_ROW:
            self._in_a_row = 0
            raise OverBudgetError(
                f"seen: decide took {took}, and more than {most} {MOST_IN_A_ROW} times in a row; "
                "expected: less, because all bots of the account wait meanwhile; do: compute less, "
                "or raise decide_budget_ms"
            )
        if now_s - self._told_s >= _TOLD_EVERY_S:
            self._told_s = now_s
            log.warning(
                "a strategy takes long", action="decide_slow", bot=self._bot, took=took,
                budget=most, overruns=self.overruns,
            )  # fmt: skip
