"""Whether nothing can be missing in a symbol: the quick look that goes before derivation.

Most news changes nothing that orders are derived from, and this costs a fraction of finding that
out. It says yes only where derivation would find nothing, which a property test holds it to; of
what is more than one resting order, or one list, it does not judge. Not here: what is missing
(engine.derive).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from holdfast.domain.fact import HaltLevel, Leg
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, Side
from holdfast.engine.bot import BotRuntime
from holdfast.ledger.state import STOP, AccountState, BotState, LiveOrder

# Members of an enum are slow to look up on Python 3.11.
_BUY: Final = Side.BUY
_ACKED: Final = AttemptState.ACKED
_FLATTEN: Final = HaltLevel.FLATTEN


def has_all(account: AccountState, bot: BotRuntime, symbol: str, price: Decimal | None) -> bool:
    """Whether a bot can have nothing missing or superfluous in a symbol.

    Args:
        price: the market's last one, None before any.
    """
    state = account.bots[bot.name]
    found: list[LiveOrder] = []
    for order in account.live.values():
        armed = order.armed
        if armed.spec.symbol == symbol and armed.bot == bot.name:
            if found and (not armed.list_cid or armed.list_cid != found[0].armed.list_cid):
                return False
            found.append(order)
    if found:
        return price is not None and _rests_well(account, bot, state, found, price)
    if symbol in state.exits or account.halt(bot.name) is _FLATTEN:
        return False
    for leg in state.legs:
        if leg.symbol != symbol:
            continue
        if leg.target is None:
            return False
        missing = abs(leg.target - state.held(symbol))
        if missing and not _is_dust(account, symbol, missing, price):
            return False
    return True


def _is_dust(account: AccountState, symbol: str, quantity: Decimal, price: Decimal | None) -> bool:
    """Whether no order can be as small as `quantity`.

    What is missing so may be what a fee that was taken in base has left.
    """
    instrument = account.instruments.get(symbol)
    if instrument is None or price is None:
        return False
    return quantity < instrument.smallest_order(price)


def _rests_well(
    account: AccountState, bot: BotRuntime, state: BotState, orders: list[LiveOrder], price: Decimal
) -> bool:
    """Whether the one order of a bot in a symbol, or its one list, is all that its one target there
    needs.
    """
    symbol, name = orders[0].armed.spec.symbol, bot.name
    for order in orders:
        if not (order.state is _ACKED and order.is_working and order.executed == order.booked):
            return False
    if bot.pending or symbol in bot.taking or symbol in bot.making_way or symbol in state.spent:
        return False
    if not state.running or account.halt(name) is not None:
        return False
    if orders[0].armed.spec.side is _BUY and (bot.has_lost or account.quarantined(symbol)):
        return False
    legs = [leg for leg in state.legs if leg.symbol == symbol]
    if len(legs) != 1 or legs[0].target is None:
        return False
    if symbol in state.exits:
        return _protects(account, state, orders, legs[0], price)
    return len(orders) == 1 and not orders[0].exit and _leads_to(state, orders[0], legs[0])


def _leads_to(state: BotState, order: LiveOrder, leg: Leg) -> bool:
    """Whether it is the leg's, and with it the target is met: by what it will have, or may."""
    armed = order.armed
    if armed.leg != leg.leg or armed.decision < (leg.since or state.number):
        return False
    missing = leg.target - state.held(leg.symbol) if leg.target is not None else ZERO
    if armed.spec.side is _BUY:
        return ZERO <= missing <= order.outstanding
    return ZERO <= -missing <= order.outstanding


def _protects(
    account: AccountState, state: BotState, orders: list[LiveOrder], leg: Leg, price: Decimal
) -> bool:
    """Whether a stop rests where it belongs, for all of a position, alone or last of its list."""
    stop, symbol = orders[-1], leg.symbol
    spec, exits, held = stop.armed.spec, state.exits[symbol], state.held(symbol)
    if leg.trail or stop.exit != STOP or stop.executed or orders[0].executed:
        return False
    if exits.stop is None or spec.stop_price is None or spec.stop_price < exits.stop:
        return False
    if len(orders) == 1 and (
        stop.armed.list_cid or (exits.take_profit is not None and price >= exits.take_profit)
    ):
        return False
    if leg.target != held or spec.quantity != held:
        return False
    instrument = account.instruments.get(symbol)
    if instrument is None or instrument.floor_quantity(held) != held:
        return False  # the step is another now
    # Nothing else has set aside what it sells.
    asset, others = stop.armed.reserve_asset, -len(orders)
    for one in account.live.values():
        others += one.armed.reserve_asset == asset
    if others:
        return False
    return account.holdings.get(asset, ZERO) >= held
