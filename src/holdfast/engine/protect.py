"""The protective stop: it rests at the venue, follows what is held, and is placed last.

What is sold on purpose comes first, because the stop locks what it would sell; a stop in doubt
counts as present. Not here: where it stands (ledger.exits), other orders (engine.derive).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.fact import Leg
from holdfast.domain.money import ZERO
from holdfast.domain.order import OrderSpec, OrderType, Side
from holdfast.engine.situation import (
    Derivation,
    Situation,
    cancel,
    intents,
    must_wait,
    propose,
)
from holdfast.ledger.state import STOP, LiveOrder

_SELL = Side.SELL
TRAIL_STEP = Decimal("0.1")
"""A trailing stop moves when it can rise by this part of its distance: a move is two requests."""


def protect(
    at: Situation, others: list[LiveOrder], exits: list[LiveOrder], found: Derivation
) -> None:
    """Place, move or take back the stop of a position.

    Args:
        others, exits: the bot's orders in this symbol; those that protect apart.
    """
    symbol, bot = at.instrument.symbol, at.state
    if at.taking or symbol in bot.spent or _is_selling(at, exits, found):
        return
    state = bot.exits.get(symbol)
    if state is None or state.stop is None:
        for order in exits:
            if order.is_working:
                cancel(at, order, found)
        return
    leg = next((leg for leg in at.standing.legs if leg.symbol == symbol), None)
    price = _trailed(at, leg, state.stop)
    quantity = at.instrument.floor_quantity(_held(at, others, exits))
    if any(not order.is_working or order.executed for order in exits):
        return  # in doubt it counts as present; executed, its fills are on their way
    if not exits:
        _place(at, f"{symbol}|{STOP}", price, quantity, found)
    elif not _are_as_wanted(exits, quantity, price):
        for order in exits:  # new ones when these are proven gone
            cancel(at, order, found)


def _place(at: Situation, leg: str, price: Decimal, quantity: Decimal, found: Derivation) -> None:
    """Where the market is through the stop already, it would be refused: sell at once."""
    smallest = at.instrument.smallest_order(price)
    progress = at.progress.get(leg)
    if quantity < smallest or must_wait(
        at, progress if progress is not None and progress.empty else None, found
    ):
        return
    is_through = at.price <= price
    stops = []
    for seq, n, part in intents(at, progress, _SELL, quantity, smallest):
        spec = OrderSpec(
            symbol=at.instrument.symbol,
            side=_SELL,
            type=OrderType.MARKET if is_through else OrderType.STOP_LOSS,
            quantity=part,
            stop_price=None if is_through else price,
        )
        stops.append(propose(at, leg, seq, n, spec))
    found.orders[:0] = stops  # before anything else


def _is_selling(at: Situation, exits: list[LiveOrder], found: Derivation) -> bool:
    """Whether something is sold on purpose, or about to be."""
    symbol = at.instrument.symbol
    if any(order.spec.side is _SELL for order in found.orders):
        return True
    if any(p.order.spec.side is _SELL and p.order.spec.symbol == symbol for p in at.pending):
        return True
    return any(order.armed.cid in found.cancels for order in exits)


def _held(at: Situation, others: list[LiveOrder], exits: list[LiveOrder]) -> Decimal:
    """What there is to protect: the position less what other orders may sell."""
    held = at.state.held(at.instrument.symbol)
    free = at.account.free(at.instrument.base)
    for order in exits:
        free += order.reserve
    for order in others:
        if order.armed.spec.side is _SELL:
            held -= order.outstanding
    return max(ZERO, min(held, free))


def _trailed(at: Situation, leg: Leg | None, stop: Decimal) -> Decimal:
    """Where the stop belongs: where it is, or higher when it trails and its bot runs."""
    if leg is None or not leg.trail or leg.stop_pct is None or not at.state.running:
        return stop
    followed = at.price * (1 - leg.stop_pct / 100)
    least_move = at.price * leg.stop_pct / 100 * TRAIL_STEP
    if followed < stop + least_move:
        return stop
    return at.instrument.floor_price(followed)


def _are_as_wanted(exits: list[LiveOrder], quantity: Decimal, price: Decimal) -> bool:
    """Whether together they sell what is held, none of them below where the stop belongs."""
    specs = [order.armed.spec for order in exits]
    return sum(spec.quantity for spec in specs) == quantity and all(
        spec.stop_price is not None and spec.stop_price >= price for spec in specs
    )
