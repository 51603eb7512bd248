"""The protective orders: they rest at the venue, follow what is held, and are placed last.

A stop, and where the venue has order lists the take-profit with it, of one quantity. What is sold
on purpose comes first, because they lock what they would sell; in doubt they count as present. Not
here: where they stand (ledger.exits), other orders (engine.derive).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.fact import Leg
from holdfast.domain.money import ZERO, ceil_to
from holdfast.domain.order import AttemptState, OrderSpec, OrderType, Side
from holdfast.engine.situation import (
    Derivation,
    Situation,
    intents,
    must_wait,
    propose,
    take_back,
    venue_largest,
)
from holdfast.ledger.state import EXITS, STOP, Exits, LegProgress, LiveOrder, once

_SELL = Side.SELL
TRAIL_STEP = Decimal("0.1")
"""A trailing stop moves when it can rise by this part of its distance: a move is two requests."""
LIST_GAP = Decimal("0.001")
"""A take-profit nearer to the market than this is watched: the market may reach it before the list
comes to the venue, which would refuse the stop together with it."""


def protect(
    at: Situation, others: list[LiveOrder], exits: list[LiveOrder], found: Derivation
) -> None:
    """Place, move or take back what protects a position.

    Args:
        others, exits: the bot's orders in this symbol; those that protect apart.
    """
    symbol, bot = at.instrument.symbol, at.state
    is_left = at.taking or (symbol in bot.spent and bot.running)
    if is_left or _is_selling(at, exits, found):
        return
    state = bot.exits.get(symbol)
    if state is None or state.stop is None:
        if not found.refused:  # what cannot be left now keeps its stop until it can
            take_back(at, exits, found)
        return
    leg = next((leg for leg in at.standing.legs if leg.symbol == symbol), None)
    price = _trailed(at, leg, state.stop)
    quantity = at.instrument.floor_quantity(_held(at, others, exits))
    if any(not o.is_working or (o.executed and o.armed.spec.price is None) for o in exits):
        return  # in doubt it counts as present; executed at market, its fills are on their way
    missing = quantity - _stopped(exits)
    if exits and (missing < ZERO or not _are_well_placed(exits, price)):
        take_back(at, exits, found)  # new ones when these are proven gone
    elif missing and not found.makes_way:
        _place(at, price, state, missing, found, beside=exits)


def _place(
    at: Situation,
    price: Decimal,
    state: Exits,
    quantity: Decimal,
    found: Derivation,
    *,
    beside: list[LiveOrder],
) -> None:
    """Protect `quantity`, whatever protects the rest of the position already.

    Where the market is through the stop already, it would be refused: sell at once.

    Args:
        beside: what rests where it belongs. None of it is touched for what the venue refuses, and
            may refuse for good: it takes only so many stops.
    """
    symbol = at.instrument.symbol
    target = state.take_profit if _takes_lists(at, state) else None
    is_through = at.price <= price
    leg = f"{symbol}|{STOP if is_through or target is None else EXITS}"
    smallest = at.instrument.smallest_order(price)
    progress = at.progress.get(leg)
    again = progress if _failed(at, progress) else None
    joined = [] if is_through else _joined(at, beside, quantity)
    if quantity < smallest and not joined:
        return
    if must_wait(at, again, _SELL, found):
        return
    if joined:
        take_back(at, joined, found)
        return
    parts = intents(at, progress, _SELL, quantity, smallest, waits=not is_through)
    if beside and again is not None and not is_through:
        del parts[1:]  # one is enough to ask whether it takes another by now
    placed = []
    for seq, n, part in parts:
        if is_through:
            first, mate = _sell(symbol, OrderType.MARKET, part), None
        elif target is None:
            first, mate = _sell(symbol, OrderType.STOP_LOSS, part, stop_price=price), None
        else:
            first = _sell(symbol, OrderType.LIMIT_MAKER, part, price=target)
            mate = _sell(symbol, OrderType.STOP_LOSS, part, stop_price=price)
        placed.append(propose(at, leg, seq, n, first, mate=mate))
    found.orders[:0] = placed  # before anything else


def _failed(at: Situation, progress: LegProgress | None) -> bool:
    """Whether the last attempt came to nothing by itself: a stop that was taken back did not."""
    if progress is None:
        return False
    last = at.account.order(progress.cid)
    return progress.empty or (last is not None and last.armed.spec.type is OrderType.MARKET)


def _takes_lists(at: Situation, state: Exits) -> bool:
    """Whether stop and take-profit may rest as one list.

    After one that the venue refused the stop rests alone, until the next decision: whatever it was
    that it did not like, it may not keep the position without a stop twice.
    """
    target = state.take_profit
    if not at.lists or not at.instrument.takes_lists or target is None:
        return False
    if at.price >= target * (1 - LIST_GAP):
        return False
    progress = at.progress.get(f"{at.instrument.symbol}|{EXITS}")
    last = at.account.order(progress.cid) if progress is not None else None
    return last is None or last.state is not AttemptState.REJECTED


def _sell(
    symbol: str,
    kind: OrderType,
    quantity: Decimal,
    *,
    price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> OrderSpec:
    return OrderSpec(
        symbol=symbol, side=_SELL, type=kind, quantity=quantity, price=price, stop_price=stop_price
    )


def _is_selling(at: Situation, exits: list[LiveOrder], found: Derivation) -> bool:
    """Whether something is sold on purpose, or about to be."""
    symbol = at.instrument.symbol
    if not found.refused and any(order.spec.side is _SELL for order in found.orders):
        return True
    if any(p.order.spec.side is _SELL and p.order.spec.symbol == symbol for p in at.pending):
        return True
    return any(order.armed.cid in found.cancels for order in exits)


def _held(at: Situation, others: list[LiveOrder], exits: list[LiveOrder]) -> Decimal:
    """What there is to protect: the position less what other orders may sell."""
    held = at.state.held(at.instrument.symbol)
    free = at.account.free(at.instrument.base)
    for order in once(exits):
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


def _stopped(exits: list[LiveOrder]) -> Decimal:
    """What the stops among them sell together."""
    return sum([o.armed.spec.quantity for o in exits if o.exit == STOP], start=ZERO)


def _joined(at: Situation, exits: list[LiveOrder], missing: Decimal) -> list[LiveOrder]:
    """Orders to be replaced by larger ones, where fewer can protect what is `missing` with them.

    So what is bought bit by bit has one stop. One that is as large as the venue takes stays.
    """
    most = at.instrument.floor_quantity(venue_largest(at.instrument))
    small = [order for order in exits if order.armed.spec.quantity < most]
    if not small:
        return []
    count = sum([order.exit == STOP for order in small])
    together = ceil_to(_stopped(small) + missing, most)
    return small if together < count * most + ceil_to(missing, most) else []


def _are_well_placed(exits: list[LiveOrder], price: Decimal) -> bool:
    """Whether none of them sells below where the stop belongs.

    A take-profit whose stop is gone protects nothing: it has begun to execute, or will be told of.
    """
    stops = [order.armed for order in exits if order.exit == STOP]
    lists = {armed.list_cid for armed in stops if armed.list_cid}
    return all(o.exit == STOP or o.armed.list_cid in lists for o in exits) and all(
        a.spec.stop_price is not None and a.spec.stop_price >= price for a in stops
    )
