"""Exits: where a position is left by itself, and when a wish is spent; a fold of facts.

Not here: the orders that follow from it (engine.derive).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from holdfast.domain.fact import Armed, Leg
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.ledger.state import FLATTENED, BotState, Exits, LastExit, LiveOrder

_HUNDRED = Decimal(100)


def decided(
    bot: BotState,
    legs: tuple[Leg, ...],
    instruments: dict[str, Instrument],
    holdings: dict[str, Decimal],
) -> None:
    """A new decision: what it does not repeat is no longer spent, and its exits take effect.

    Args:
        holdings: of the account, by asset.
    """
    for leg in legs:
        symbol = leg.symbol
        if leg.target is None or not leg.target or bot.spent.get(symbol) != leg.episode:
            bot.spent.pop(symbol, None)
        if leg.target is None or not leg.has_exits:
            bot.exits.pop(symbol, None)
        elif symbol not in bot.exits:
            held, instrument = bot.position(symbol), instruments[symbol]
            price = held.average_price
            # Dust is no position: what is bought next begins at its own first fill.
            if price and held.quantity >= instrument.smallest_order(price):
                bot.exits[symbol] = frozen(leg, price, instrument)


def armed(bot: BotState, fact: Armed) -> None:
    """A stop that trails: where it was armed is where it stays at least."""
    exits = bot.exits.get(fact.spec.symbol)
    raised = fact.spec.stop_price
    if exits is not None and raised is not None and exits.stop is not None:
        exits.stop = max(exits.stop, raised)


def filled(
    bot: BotState,
    fill: Fill,
    order: LiveOrder | None,
    instrument: Instrument | None,
    holdings: dict[str, Decimal],
) -> None:
    """An execution, already in the position: it may begin exits, fire one, or end the position."""
    symbol = fill.symbol
    leg = bot.target(symbol)
    why = ""
    if order is not None:
        why = FLATTENED if order.is_forced else order.exit
    if why and leg is not None:
        bot.spent[symbol] = leg.episode
    if fill.side is Side.BUY and (leg is None or not leg.has_exits):
        return
    # Too little for any order is dust: nothing has begun with it, and with it a position is over.
    smallest = instrument.smallest_order(fill.price) if instrument is not None else ZERO
    held = bot.positions[symbol].quantity
    there = held if instrument is None else _there(held, instrument, holdings)
    is_dust = held <= ZERO or held < smallest
    if fill.side is Side.BUY:
        if symbol in bot.exits and there - fill.quantity >= smallest:
            return  # it has begun already
        if leg is not None and instrument is not None and not is_dust:
            bot.exits[symbol] = frozen(leg, fill.price, instrument)
    elif is_dust or there < smallest:
        if is_dust:
            bot.exits.pop(symbol, None)
        bot.last_exits[symbol] = LastExit(why or "wish", fill.at_ns, fill.price)


def _there(held: Decimal, instrument: Instrument, holdings: dict[str, Decimal]) -> Decimal:
    """What the account has of a position: others' fees may have been taken from it."""
    return min(held, holdings.get(instrument.base, ZERO))


def regrid(bot: BotState, instrument: Instrument) -> None:
    """Filters changed: what stands is put on the new grid, never to the worse side of its meaning.

    An order off the grid would be refused again and again, a stop's as well.
    """
    symbol = instrument.symbol
    if any(leg.symbol == symbol and leg.target is None for leg in bot.legs):
        bot.legs = tuple(
            _on_grid(leg, instrument) if leg.symbol == symbol else leg for leg in bot.legs
        )
    exits = bot.exits.get(symbol)
    if exits is None:
        return
    if exits.stop is not None:
        exits.stop = instrument.ceil_price(exits.stop)
    if exits.take_profit is not None:
        exits.take_profit = instrument.floor_price(exits.take_profit)


def _on_grid(leg: Leg, instrument: Instrument) -> Leg:
    """A level; what a target wants is put on the grid when its order is made."""
    if leg.target is not None or leg.price is None or leg.quantity is None:
        return leg
    on_tick = instrument.floor_price if leg.side is Side.BUY else instrument.ceil_price
    price, quantity = on_tick(leg.price), instrument.floor_quantity(leg.quantity)
    if (price, quantity) == (leg.price, leg.quantity):
        return leg
    return msgspec.structs.replace(leg, price=price, quantity=quantity)


def frozen(leg: Leg, entry: Decimal, instrument: Instrument) -> Exits:
    """The exits of a position that began at `entry`, on the tick, never further than was meant."""
    stop, target = leg.stop, leg.take_profit
    if leg.stop_pct is not None:
        stop = entry * (1 - leg.stop_pct / _HUNDRED)
    if leg.take_profit_pct is not None:
        target = entry * (1 + leg.take_profit_pct / _HUNDRED)
    return Exits(
        stop=instrument.ceil_price(stop) if stop is not None else None,
        take_profit=instrument.floor_price(target) if target is not None else None,
    )
