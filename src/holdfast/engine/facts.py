"""What a strategy is told of its bot and account.

Not here: the folds that it is read from (ledger).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.market import NS_PER_S
from holdfast.engine.bot import BotRuntime
from holdfast.engine.marks import Marks
from holdfast.ledger.state import AccountState
from holdfast.strategy.api import Exit


class BotFacts:
    """One bot's facts, read when they are asked for: most strategies ask for none."""

    __slots__ = ("_account", "_bot", "_marks")

    def __init__(self, account: AccountState, marks: Marks, bot: BotRuntime) -> None:
        self._account = account
        self._marks = marks
        self._bot = bot

    def equity(self) -> Decimal | None:
        """Of the account, in its reporting currency; None until every holding has a price."""
        return self._marks.equity()

    def last_exit(self, now_ns: int) -> Exit | None:
        """How the bot came to be flat last; None before that happened."""
        last = self._account.bot(self._bot.name).last_exits.get(self._bot.symbol)
        if last is None:
            return None
        bar_ns = self._bot.timeframe_s * NS_PER_S
        return Exit(last.reason, last.price, max(0, now_ns - last.at_ns - 1) // bar_ns)
