"""Take-profits that are watched: whether the market has come to one, and its position is left.

A profit is what somebody pays: the best bid has to reach it, and no price between bid and ask.
Not here: those that rest at the venue in a list (engine.protect), what is sold (engine.derive).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from holdfast.engine.bot import BotRuntime
from holdfast.engine.situation import resting_profits
from holdfast.ledger.state import AccountState


def reached(
    account: AccountState, bots: Iterable[BotRuntime], symbol: str, bid: Decimal | None
) -> Iterator[BotRuntime]:
    """The bots whose take-profit the best bid has come to, and which are not leaving yet."""
    if bid is None:
        return
    for bot in bots:
        if symbol not in bot.symbols or symbol in bot.taking:
            continue
        exits = account.bot(bot.name).exits.get(symbol)
        if exits is not None and exits.take_profit is not None and bid >= exits.take_profit:
            yield bot


def is_taking(account: AccountState, bot: BotRuntime, symbol: str, bid: Decimal) -> bool:
    """Whether the take-profit was reached since the position began, even if for a moment.

    One that rests at the venue, or may, is reached when it executes; the price is not asked.
    """
    exits = account.bots[bot.name].exits.get(symbol)
    if exits is None or exits.take_profit is None:
        bot.taking.discard(symbol)
        return False
    resting = resting_profits(account, bot.name, symbol)
    is_reached = not resting and bid >= exits.take_profit
    if is_reached or any(order.executed for order in resting):
        bot.taking.add(symbol)
    return symbol in bot.taking
