"""What a strategy is told of its bot and account.

Not here: the folds that it is read from (ledger).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from holdfast.domain.market import NS_PER_S
from holdfast.engine.bot import BotRuntime
from holdfast.engine.marks import Marks
from holdfast.ledger.state import AccountState, BotState
from holdfast.strategy.api import Exit, HeldPosition, OpenOrder


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

    def positions(self) -> Mapping[str, HeldPosition]:
        """Of the bot, in each of its symbols."""
        state = self._account.bot(self._bot.name)
        return {symbol: held_position(state, symbol) for symbol in self._bot.symbols}

    def last_exits(self, now_ns: int) -> Mapping[str, Exit]:
        """How it came to be flat last, in the symbols where that happened."""
        bar_ns = self._bot.timeframe_s * NS_PER_S
        return {
            symbol: Exit(last.reason, last.price, max(0, now_ns - last.at_ns - 1) // bar_ns)
            for symbol, last in self._account.bot(self._bot.name).last_exits.items()
        }

    def orders(self) -> Sequence[OpenOrder]:
        """Its orders that may still execute, those in doubt among them, oldest first."""
        return [
            OpenOrder(
                symbol=order.armed.spec.symbol,
                side=order.armed.spec.side,
                price=order.armed.spec.price,
                stop_price=order.armed.spec.stop_price,
                quantity=order.armed.spec.quantity,
                executed=order.executed,
            )
            for order in self._account.live.values()
            if order.armed.bot == self._bot.name and order.outstanding
        ]


def held_position(state: BotState, symbol: str) -> HeldPosition:
    """A bot's position as a strategy is told of it."""
    position = state.position(symbol)
    return HeldPosition(position.quantity, position.average_price)
