"""The day's losses: whether one has reached `max_daily_loss`, so that no bid of a bot may rest.

The gate refuses what would add then; this sees to what rests already, between bars as well, and to
the next day. Not here: what was lost (engine.marks), the gate (engine.risk), taking back (derive).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from holdfast.domain.limits import Limits
from holdfast.engine.bot import BotRuntime
from holdfast.engine.marks import NS_PER_DAY, Marks
from holdfast.ledger.state import AccountState

Concerned = tuple[BotRuntime, Collection[str]]
"""A bot that may have to act, and in which symbols."""


class Losses:
    """Whose day is lost: `BotRuntime.has_lost`, of bots that a limit on it binds."""

    def __init__(
        self, account: AccountState, bots: Mapping[str, BotRuntime], marks: Marks, limits: Limits
    ) -> None:
        self._account = account
        self._bots = bots
        self._marks = marks
        self._bound: list[BotRuntime] = []
        self.watch(limits)

    def watch(self, limits: Limits) -> None:
        """These are the account's limits, and the bots' may be others now."""
        self._most = limits.max_daily_loss
        self._bound = []
        for bot in self._bots.values():
            if self._most is not None or bot.limits.max_daily_loss is not None:
                self._bound.append(bot)
            else:
                bot.has_lost = False

    def turned(self, now_ns: int) -> list[BotRuntime]:
        """The bots whose day is lost since the last call, or is so no more.

        Where a loss cannot be told, all stays as it is. The gate refuses until it can, but what
        rests was within the limits when it was last known: a start before the first price, or a day
        before its first mark, is no reason to give its place in the book up.
        """
        if not self._bound:
            return []
        units, equity = self._account.units, self._marks.equity()
        if equity is None or now_ns // NS_PER_DAY != units.marked_ns // NS_PER_DAY:
            return []
        all_lost = self._most is not None and units.day_loss(equity) >= self._most
        turned = []
        for bot in self._bound:
            lost = all_lost or self._has_lost(bot, bot.limits.max_daily_loss)
            if lost is not bot.has_lost:
                bot.has_lost = lost
                turned.append(bot)
        return turned

    def and_news(self, news: Iterable[Concerned], now_ns: int) -> Iterable[Concerned]:
        """News, and the bots that have `turned`, in all their symbols."""
        turned = self.turned(now_ns)
        if not turned:
            return news
        others = [(bot, where) for bot, where in news if bot not in turned]
        return [*((bot, bot.symbols) for bot in turned), *others]

    def _has_lost(self, bot: BotRuntime, most: Decimal | None) -> bool:
        """By a limit of its own; as before where that cannot be told."""
        if most is None:
            return False
        loss = self._marks.day_loss(bot) if self._marks.is_priced(bot) else None
        return bot.has_lost if loss is None else loss >= most
