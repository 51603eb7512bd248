"""A bot at work: its strategy and its indicators, fed and asked.

Lives here: what is not in the journal because it can be had again from bars. Not here: what the
journal knows of a bot (ledger.state), what a wish comes to (engine.resolve).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from typing import Final

from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.errors import ConfigError
from holdfast.strategy.api import Facts, HeldPosition, Setup, Strategy, View
from holdfast.strategy.wish import OneWish, Quotes, Standing, Target, Wish

_WISHES: Final = (Target, Quotes, Standing)
MOST_SAID: Final = 500  # characters kept of what a strategy says when it fails


class StrategyFault(Exception):  # noqa: N818 - it is the strategy's fault, and caught at once
    """A strategy raised, or returned something that is no wish."""


class BotRuntime:
    """One bot's strategy and indicators.

    Attributes:
        name: unique within the account.
        symbol, timeframe_s: what it trades and the bars it decides on.
        first_bar, last_bar: the oldest and newest its indicators have seen, None before any.
        pending: orders handed out for arming and not yet in the journal.
        deciding: a decision was handed out and is not yet in the journal.
        due: a bar closed that could not be decided on yet; decide as soon as that is possible.
        missed: news came while something was being journaled; look again when it is in.
        failures: armings in a row that failed.
        not_before_ns: no order is handed out before this time, because arming failed.
        ask: calls the strategy; a live process wraps it, to say which bot is deciding.
        refusals: rule that refused each leg last, so that the same refusal is noted once.
        taking: the price has reached the take-profit, and the position is being left.
    """

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        *,
        symbol: str,
        timeframe_s: int,
        limits: Limits,
        ask: Callable[[Strategy, View], Wish] | None = None,
    ) -> None:
        self.name = name
        self.strategy = strategy
        self.symbol = symbol
        self.timeframe_s = timeframe_s
        self.limits = limits
        self.ask = ask or _ask
        setup = Setup()
        try:
            strategy.setup(setup)
            strategy.seal()
            self.indicators = tuple(setup.indicators)
            self.warmup_bars = max((one.warmup for one in self.indicators), default=1)
        except Exception as error:
            raise ConfigError(
                f"seen: setup of bot {name}'s strategy raised {_said(error)}; expected: indicators "
                "declared; do: correct the strategy or its parameters"
            ) from error
        self.first_bar: Bar | None = None
        self.last_bar: Bar | None = None
        self.pending = 0
        self.deciding = False
        self.due = False
        self.missed = False
        self.failures = 0
        self.not_before_ns = 0
        self.refusals: dict[str, str] = {}
        self.taking = False
        self._broken = ""

    @property
    def is_busy(self) -> bool:
        """Whether anything handed out is not in the journal yet."""
        return self.pending > 0 or self.deciding

    def feed(self, bar: Bar) -> bool:
        """Take a bar in, unless it is not newer than the last; whether to decide on it.

        An indicator that raises breaks its bot for good: `decide` tells.
        """
        if self.last_bar is not None and bar.open_ns <= self.last_bar.open_ns:
            return False
        self.first_bar = self.first_bar or bar
        self.last_bar = bar
        if self._broken:
            return True
        ready = True
        try:
            for indicator in self.indicators:
                indicator.update(bar)
                ready = ready and indicator.ready
        except BaseException as error:  # noqa: BLE001 - a strategy's own class may raise anything
            self._broken = f"indicator {type(indicator).__name__} raised {_said(error)}"
            return True
        return ready

    def decide(self, held: HeldPosition, facts: Facts) -> OneWish:
        """Ask the strategy.

        Raises:
            StrategyFault: it raised, or what it returned is no wish.
        """
        bar = self.last_bar
        assert bar is not None, "decide is asked for after the first bar"  # noqa: S101
        if self._broken:
            raise StrategyFault(self._broken)
        try:
            # A strategy that sets a precision of its own sets nobody else's.
            with decimal.localcontext():
                wish = self.ask(self.strategy, View(bar, held, facts))
        except BaseException as error:  # a strategy may raise anything; it stops its bot
            raise StrategyFault(_said(error)) from error
        if not isinstance(wish, _WISHES):
            raise StrategyFault(
                f"seen: decide returned {_shown(wish)}; expected: Target, Quotes, FLAT or KEEP"
            )
        return wish


def _said(error: BaseException) -> str:
    """An exception in one short line, even if it cannot say what it is."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's class; its name has to do
        text = "(its text cannot be had)"
    return f"{type(error).__name__}: {text}"[:MOST_SAID]


def _shown(value: object) -> str:
    """A value for people, even if it cannot show itself."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a user's class; its name has to do
        text = f"a {type(value).__name__}"
    return text[:MOST_SAID]


def _ask(strategy: Strategy, view: View) -> Wish:
    return strategy.decide(view)
